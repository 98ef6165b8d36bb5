import { path } from '../api/client';
import type { PlanSummary } from '../api/types';
import { number, t } from '../texts';
import { PhaseBadge } from './badge';
import { List, type Column } from './list';
import { Ago, Cut, Trouble } from './text';

const PROBLEMS = new Set(['Failed', 'Refused', 'Invalid', 'AwaitingConfirm', 'Paused']);

/** Plans that a person should look at: those that failed, are refused, are paused or wait for a person. */
export function planNeedsPerson(plan: PlanSummary): boolean {
  return PROBLEMS.has(plan.phase) || plan.confirmable !== null;
}

export function PlanList({ plans, prefix }: { plans: PlanSummary[]; prefix?: string }) {
  const columns: Column<PlanSummary>[] = [
    {
      id: 'name',
      head: t('col.name'),
      value: (row) => row.name,
      cell: (row) => (
        <a href={'/plans' + path(row.namespace, row.name)}>
          <Cut text={row.name} />
        </a>
      ),
    },
    { id: 'phase', head: t('col.phase'), value: (row) => row.phase, cell: (row) => <PhaseBadge phase={row.phase} /> },
    { id: 'batch', head: t('col.batch'), value: (row) => row.batch, cell: (row) => <Cut text={row.batch} /> },
    {
      id: 'ready',
      head: t('col.ready'),
      figure: true,
      value: (row) => row.ready,
      cell: (row) => t('plans.progress', { ready: number(row.ready), bases: number(row.bases) }),
    },
    {
      id: 'message',
      head: t('col.message'),
      value: (row) => `${row.code} ${row.message}`,
      cell: (row) => <Trouble code={row.code} message={row.message} />,
    },
    {
      id: 'module',
      head: t('col.module'),
      value: (row) => `${row.module.name} ${row.module.version}`,
      cell: (row) => (
        <a href={'/modules' + path(row.module.name)}>
          <Cut text={`${row.module.name} ${row.module.version}`} />
        </a>
      ),
    },
    {
      id: 'target',
      head: t('col.target'),
      value: (row) => `${row.target.kind}/${row.target.name}`,
      cell: (row) => <Cut text={`${row.target.kind}/${row.target.name}`} />,
    },
    {
      id: 'namespace',
      head: t('col.namespace'),
      value: (row) => row.namespace,
      cell: (row) => <Cut text={row.namespace} />,
    },
    { id: 'created', head: t('col.created'), value: (row) => row.created, cell: (row) => <Ago at={row.created} /> },
  ];
  return (
    <List
      name={t('plans.title')}
      rows={plans}
      columns={columns}
      rowKey={(row) => row.namespace + '/' + row.name}
      isProblem={planNeedsPerson}
      more={(row) => row.suggestion}
      {...(prefix === undefined ? {} : { prefix })}
    />
  );
}
