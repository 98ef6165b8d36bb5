import { useResource } from '../api/resource';
import { path } from '../api/client';
import type { Group, Kind, ModuleDetail, Owner } from '../api/types';
import { WellBadge } from '../parts/badge';
import { figureColumn, textColumn } from '../parts/cells';
import { Lines } from '../parts/lines';
import { List, type Column } from '../parts/list';
import { Page, Section } from '../parts/page';
import { PlanList } from '../parts/planlist';
import { number, t } from '../texts';

const KINDS: readonly Kind[] = ['modules', 'bases', 'plans'];

export function Module({ name }: { name: string }) {
  const resource = useResource<ModuleDetail>('/modules' + path(name), KINDS);
  return (
    <Page title={t('module.title', { name })} resource={resource}>
      {(data) => (
        <>
          <Section title={t('module.groups')}>
            <Groups items={data.groups} />
          </Section>
          <Section title={t('module.owners')}>
            <Owners items={data.owners} />
          </Section>
          {data.plans.length > 0 && (
            <Section title={t('module.plans')}>
              <PlanList plans={data.plans} prefix="plans." />
            </Section>
          )}
          <Section title={t('module.lines')}>
            <Lines lines={data.lines} of="module" />
          </Section>
        </>
      )}
    </Page>
  );
}

function Groups({ items }: { items: Group[] }) {
  const columns: Column<Group>[] = [
    textColumn('env', t('col.env'), (row) => row.env),
    textColumn('base', t('col.base'), (row) => row.base),
    textColumn('cluster', t('col.cluster'), (row) => row.cluster),
    textColumn('version', t('col.version'), (row) => row.version),
    figureColumn(
      'well',
      t('col.well'),
      (row) => row.well - row.all,
      (row) => <WellBadge well={row.well} all={row.all} />,
    ),
  ];
  return (
    <List
      name={t('module.groups')}
      prefix="groups."
      rows={items}
      columns={columns}
      rowKey={(row) => [row.env, row.base, row.cluster, row.version].join('/')}
      isProblem={(row) => row.well < row.all}
    />
  );
}

function Owners({ items }: { items: Owner[] }) {
  const columns: Column<Owner>[] = [
    textColumn('name', t('col.target'), (row) => `${row.kind}/${row.name}`),
    textColumn('namespace', t('col.namespace'), (row) => row.namespace),
    figureColumn(
      'ready',
      t('col.ready'),
      (row) => row.ready - row.pods,
      (row) => <WellBadge well={row.ready} all={row.pods} />,
    ),
    figureColumn(
      'pods',
      t('col.pods'),
      (row) => row.pods,
      (row) => number(row.pods),
    ),
    textColumn('versions', t('col.versions'), (row) => row.versions.join(', ')),
  ];
  return (
    <List
      name={t('module.owners')}
      prefix="owners."
      rows={items}
      columns={columns}
      rowKey={(row) => [row.namespace, row.kind, row.name].join('/')}
      isProblem={(row) => row.ready < row.pods}
    />
  );
}
