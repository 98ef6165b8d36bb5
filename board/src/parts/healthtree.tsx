import { Badge } from './badge';
import type { Health } from './health';
import { Ago, Trouble } from './text';

/** A tree of what counts for the health of a base. */
export function HealthTree({ health }: { health: Health }) {
  return (
    <ul class="tree">
      <Branch health={health} />
    </ul>
  );
}

function Branch({ health: { name, tone, state, code, message, at, parts } }: { health: Health }) {
  return (
    <li>
      <span class="branch">
        <bdi class="name">{name}</bdi>
        <Badge tone={tone}>{state}</Badge>
        {at !== null && (
          <span class="muted">
            <Ago at={at} />
          </span>
        )}
      </span>
      {(code || message) && <Trouble code={code} message={message} />}
      {parts.length > 0 && (
        <ul>
          {parts.map((part, index) => (
            <Branch key={`${index}/${part.name}`} health={part} />
          ))}
        </ul>
      )}
    </li>
  );
}
