import type { BaseDetail, Condition, Line } from '../api/types';
import { number, t } from '../texts';
import type { Tone } from './badge';

/** One thing that counts for the health of a base, with what it is made of. */
export interface Health {
  name: string;
  tone: Tone;
  state: string;
  /** Why, in words of the cluster. */
  message: string;
  at: string | null;
  code: string;
  parts: Health[];
}

const leaf = (name: string, tone: Tone, state: string, more: Partial<Health> = {}): Health => ({
  name,
  tone,
  state,
  message: '',
  at: null,
  code: '',
  parts: [],
  ...more,
});

/** Ready is well when true; whatever tells of pressure or of something unavailable, when false. */
function conditionTone({ type, status }: Condition): Tone {
  if (status !== 'True' && status !== 'False') return 'wait';
  return (status === 'True') === (type === 'Ready') ? 'ok' : 'bad';
}

const ofCondition = (condition: Condition): Health =>
  leaf(condition.type, conditionTone(condition), [condition.status, condition.reason].filter(Boolean).join(' '), {
    message: condition.message,
    at: condition.since,
  });

const ofLine = ({ module, version, state, code, message, since, podReady }: Line): Health =>
  leaf(
    [module, version].filter(Boolean).join(':'),
    'bad',
    [state || '–', podReady === false ? t('line.podNotReady') : ''].filter(Boolean).join(', '),
    { code, message, at: since },
  );

/** Who acts for the base: a Lease that nobody renews is a base that nobody looks after. */
function ofController({ base }: BaseDetail): Health {
  if (!base.owner) return leaf(t('health.controller'), 'wait', t('health.nobody'));
  return leaf(t('health.controller'), 'ok', base.owner, { at: base.renewed });
}

/** What the health of a base is made of: its conditions, who acts for it, and its modules. Of modules those that are well are one
 * line. */
export function healthOf(detail: BaseDetail): Health {
  const { base, conditions, lines } = detail;
  const ready = conditions.find(({ type }) => type === 'Ready');
  const others = conditions.filter((condition) => condition !== ready).map(ofCondition);
  const ill = lines.filter(({ well }) => !well);
  const well = lines.length - ill.length;
  const modules = leaf(
    t('base.modules'),
    lines.length === 0 ? 'off' : ill.length === 0 ? 'ok' : 'bad',
    t('wellOf', { well: number(well), all: number(lines.length) }),
    { parts: ill.map(ofLine) },
  );
  const root = ready ? ofCondition(ready) : leaf('Ready', 'wait', t('base.unknown'));
  return { ...root, name: t('kind.base'), state: root.state || base.node, parts: [ofController(detail), ...others, modules] };
}
