import { useState } from 'preact/hooks';
import { path } from '../api/client';
import { number, t } from '../texts';
import { Cut } from './text';

const FIRST = 50;
const STEP = 200;

/** Links to bases, in columns; of many the first ones until more are wanted. */
export function NodeList({ nodes }: { nodes: string[] }) {
  const [most, setMost] = useState(FIRST);
  const shown = nodes.slice(0, most);
  const left = nodes.length - shown.length;
  return (
    <>
      <ul class="nodes">
        {shown.map((node) => (
          <li key={node}>
            <a href={'/bases' + path(node)}>
              <Cut text={node} />
            </a>
          </li>
        ))}
      </ul>
      {left > 0 && (
        <button type="button" class="small" onClick={() => setMost(most + STEP)}>
          {t('nodes.more', { n: number(Math.min(left, STEP)), left: number(left) })}
        </button>
      )}
    </>
  );
}
