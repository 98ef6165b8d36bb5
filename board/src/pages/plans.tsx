import { useResource } from '../api/resource';
import type { Kind, Listed, PlanSummary } from '../api/types';
import { Page } from '../parts/page';
import { PlanList } from '../parts/planlist';
import { t } from '../texts';

const KINDS: readonly Kind[] = ['plans'];

export function Plans() {
  const resource = useResource<Listed<PlanSummary>>('/plans', KINDS);
  const beside = (
    <a class="button" href="/plans/new">
      {t('plans.new')}
    </a>
  );
  return (
    <Page title={t('plans.title')} resource={resource} beside={beside}>
      {(data) => <PlanList plans={data.items} />}
    </Page>
  );
}
