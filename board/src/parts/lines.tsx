import type { Line } from '../api/types';
import { t, word } from '../texts';
import { Badge } from './badge';
import { baseColumn, moduleColumn, textColumn, timeColumn } from './cells';
import { List, type Column } from './list';
import { Cut, Trouble } from './text';

/** Modules on bases, one installed version a row: of one base, or of one module. */
export function Lines({ lines, of }: { lines: Line[]; of: 'base' | 'module' }) {
  const columns: Column<Line>[] = [
    of === 'module' ? baseColumn<Line>((row) => row.node) : moduleColumn<Line>((row) => row.module),
    textColumn('version', t('col.version'), (row) => row.version),
    {
      id: 'state',
      head: t('col.state'),
      value: (row) => row.state,
      cell: (row) => (
        <span class="stack">
          <Badge tone={row.well ? 'ok' : 'bad'}>{row.state || '–'}</Badge>
          {row.barred && <Badge tone="wait">{t('line.barred')}</Badge>}
        </span>
      ),
    },
    {
      id: 'message',
      head: t('col.message'),
      value: (row) => `${row.code} ${row.message}`,
      cell: (row) => <Trouble code={row.code} message={row.message} suggestion={row.suggestion} />,
    },
    {
      id: 'pod',
      head: t('col.pod'),
      value: (row) => (row.pod ? `${row.namespace}/${row.pod}` : ''),
      cell: (row) =>
        row.pod ? (
          <PodCell row={row} />
        ) : (
          <Badge tone="off">{row.unasked ? word('line.', row.unasked) : t('line.unasked')}</Badge>
        ),
    },
    textColumn('owner', t('col.owner'), (row) => (row.owner ? `${row.owner.kind}/${row.owner.name}` : '')),
    timeColumn('since', t('col.since'), (row) => row.since),
  ];
  return (
    <List
      name={of === 'module' ? t('module.lines') : t('base.modules')}
      rows={lines}
      columns={columns}
      rowKey={(row) => [row.node, row.module, row.version, row.namespace, row.pod].join('/')}
      isProblem={(row) => !row.well}
      more={(row) => row.url}
    />
  );
}

function PodCell({ row }: { row: Line }) {
  return (
    <span class="stack">
      <a href={'/events?about=' + encodeURIComponent(`Pod/${row.namespace}/${row.pod}`)}>
        <Cut text={`${row.namespace}/${row.pod}`} />
      </a>
      {row.podReady !== null && (
        <Badge tone={row.podReady ? 'ok' : 'bad'}>{t(row.podReady ? 'line.podReady' : 'line.podNotReady')}</Badge>
      )}
    </span>
  );
}
