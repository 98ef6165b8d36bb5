import type { BaseSummary } from '../api/types';
import { t } from '../texts';
import { Badge } from './badge';

export function baseIsWell(base: BaseSummary): boolean {
  return (
    base.ready?.status === 'True' && !base.memoryPressure && !base.deleting && base.modules.well === base.modules.all
  );
}

/** How a base is: its Node's readiness, and what else about it a person should see. */
export function BaseState({ base }: { base: BaseSummary }) {
  const status = base.ready?.status;
  return (
    <span class="stack">
      {status === 'True' ? (
        <Badge tone="ok">{t('base.ready')}</Badge>
      ) : status === 'False' ? (
        <Badge tone="bad" title={base.ready?.message}>
          {base.ready?.reason || t('base.notReady')}
        </Badge>
      ) : (
        <Badge tone="off" title={base.ready?.message}>
          {base.ready?.reason || t('base.unknown')}
        </Badge>
      )}
      {base.memoryPressure && <Badge tone="bad">{t('base.memoryPressure')}</Badge>}
      {base.cordoned && <Badge tone="wait">{t('base.cordoned')}</Badge>}
      {base.deleting && <Badge tone="wait">{t('base.deleting')}</Badge>}
    </span>
  );
}
