import type { Batch } from '../api/types';
import { duration, number, t } from '../texts';
import { PhaseBadge, phaseTone } from './badge';
import { NodeList } from './nodes';
import { Cut } from './text';

/** The batches of a plan, one under the other, in the order in which they are released. */
export function Timeline({ batches }: { batches: Batch[] }) {
  return (
    <ol class="timeline">
      {batches.map((batch, index) => (
        <li key={index} class={phaseTone(batch.phase)}>
          <div class="head">
            <h3>
              <Cut text={batch.name} />
            </h3>
            <PhaseBadge phase={batch.phase} />
            <span>{t('plan.batchOf', { ready: number(batch.ready), bases: number(batch.bases) })}</span>
            <progress max={Math.max(batch.bases, 1)} value={batch.ready} aria-label={batch.name} />
          </div>
          <dl class="inline">
            <Term name={t('plan.size')} value={batch.size || t('plan.all')} />
            {batch.count !== null && <Term name={t('plan.parts')} value={number(batch.count)} />}
            {batch.selector && <Term name={t('plan.selector')} value={batch.selector} />}
            <Term name={t('plan.soak')} value={duration(batch.soakSeconds)} />
            {batch.maxUnavailable && <Term name={t('plan.maxUnavailable')} value={batch.maxUnavailable} />}
          </dl>
          {batch.confirm && <p class="confirms">{t('plan.confirmFirst')}</p>}
          {batch.nodes.length === 0 ? (
            <p class="muted">{t('plan.noNodes')}</p>
          ) : (
            <details>
              <summary>{t('plan.nodes', { n: number(batch.nodes.length) })}</summary>
              <NodeList nodes={batch.nodes} />
            </details>
          )}
        </li>
      ))}
    </ol>
  );
}

function Term({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <Cut text={value} />
      </dd>
    </div>
  );
}
