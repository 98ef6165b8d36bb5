import { useResource } from '../api/resource';
import type { Kind, Listed, ModuleSummary } from '../api/types';
import { WellBadge } from '../parts/badge';
import { figureColumn, moduleColumn, textColumn } from '../parts/cells';
import { List, type Column } from '../parts/list';
import { Page } from '../parts/page';
import { Cut } from '../parts/text';
import { number, t } from '../texts';

const KINDS: readonly Kind[] = ['modules', 'bases'];

export function Modules() {
  const resource = useResource<Listed<ModuleSummary>>('/modules', KINDS);
  const columns: Column<ModuleSummary>[] = [
    moduleColumn((row) => row.name),
    figureColumn(
      'well',
      t('col.well'),
      (row) => row.well - row.all,
      (row) => <WellBadge well={row.well} all={row.all} />,
    ),
    figureColumn(
      'bases',
      t('col.bases'),
      (row) => row.bases,
      (row) => number(row.bases),
    ),
    {
      id: 'versions',
      head: t('col.versions'),
      value: (row) => row.versions.map(({ version }) => version).join(' '),
      cell: (row) => (
        <ul class="versions">
          {row.versions.map(({ version, all, well }) => (
            <li key={version}>
              <Cut text={version} /> <WellBadge well={well} all={all} />
            </li>
          ))}
        </ul>
      ),
    },
    textColumn('namespaces', t('col.namespace'), (row) => row.namespaces.join(', ')),
  ];
  return (
    <Page title={t('modules.title')} resource={resource}>
      {(data) => (
        <List
          name={t('modules.title')}
          rows={data.items}
          columns={columns}
          rowKey={(row) => row.name}
          isProblem={(row) => row.well < row.all}
        />
      )}
    </Page>
  );
}
