import { useResource } from '../api/resource';
import type { BaseSummary, Kind, Listed } from '../api/types';
import { WellBadge } from '../parts/badge';
import { baseIsWell, BaseState } from '../parts/basestate';
import { baseColumn, figureColumn, textColumn, timeColumn } from '../parts/cells';
import { List, type Column } from '../parts/list';
import { Page } from '../parts/page';
import { bytes, quantity } from '../parts/quantity';
import { t } from '../texts';

const KINDS: readonly Kind[] = ['bases', 'modules'];

export function Bases() {
  const resource = useResource<Listed<BaseSummary>>('/bases', KINDS);
  const columns: Column<BaseSummary>[] = [
    baseColumn((row) => row.node),
    {
      id: 'ready',
      head: t('col.status'),
      value: (row) =>
        [
          row.ready?.status ?? '',
          row.ready?.reason ?? '',
          row.memoryPressure ? 'MemoryPressure' : '',
          row.cordoned ? t('base.cordoned') : '',
        ].join(' '),
      cell: (row) => <BaseState base={row} />,
    },
    figureColumn(
      'modules',
      t('col.modules'),
      (row) => row.modules.well - row.modules.all,
      (row) => <WellBadge {...row.modules} />,
    ),
    textColumn('name', t('col.name'), (row) => row.name),
    textColumn('version', t('col.version'), (row) => row.version),
    textColumn('env', t('col.env'), (row) => row.env),
    textColumn('cluster', t('col.cluster'), (row) => row.cluster),
    textColumn('host', t('col.host'), (row) => row.hostName || row.address),
    figureColumn(
      'memory',
      t('col.metaspace'),
      (row) => (row.memory ? quantity(row.memory.free) : null),
      (row) => (row.memory ? `${bytes(row.memory.free)} / ${bytes(row.memory.all)}` : '–'),
    ),
    textColumn('tunnel', t('col.tunnel'), (row) => row.tunnel),
    textColumn('owner', t('col.replica'), (row) => row.owner),
    timeColumn('renewed', t('col.renewed'), (row) => row.renewed),
    timeColumn('created', t('col.created'), (row) => row.created),
  ];
  return (
    <Page title={t('bases.title')} resource={resource}>
      {(data) => (
        <List
          name={t('bases.title')}
          rows={data.items}
          columns={columns}
          rowKey={(row) => row.node}
          isProblem={(row) => !baseIsWell(row)}
          more={(row) => `${row.identity} ${row.address} ${row.ready?.message ?? ''}`}
        />
      )}
    </Page>
  );
}
