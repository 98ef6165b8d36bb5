import { useId, useMemo } from 'preact/hooks';
import { useResource } from '../api/resource';
import type { Kind, Matrix as Answer } from '../api/types';
import { Cells, gridOf, type Installed } from '../matrix/grid';
import { MatrixView } from '../matrix/matrixview';
import { Badge } from '../parts/badge';
import { baseColumn, moduleColumn, textColumn } from '../parts/cells';
import { List, type Column } from '../parts/list';
import { Page } from '../parts/page';
import { place, setQuery } from '../state/url';
import { number, t } from '../texts';

const KINDS: readonly Kind[] = ['bases', 'modules'];

export function Matrix() {
  const resource = useResource<Answer>('/matrix', KINDS);
  return (
    <Page title={t('matrix.title')} resource={resource}>
      {(data) => <Shown data={data} />}
    </Page>
  );
}

function Shown({ data }: { data: Answer }) {
  const { query } = place.value;
  const asTable = query.get('view') === 'table';
  const cells = useMemo(() => new Cells(data), [data]);
  return (
    <>
      <label class="check">
        <input
          type="checkbox"
          checked={asTable}
          onChange={(event) => setQuery({ view: event.currentTarget.checked ? 'table' : '' })}
        />
        {t('matrix.asTable')}
      </label>
      {asTable ? <Table cells={cells} /> : <Picture cells={cells} />}
    </>
  );
}

function Picture({ cells }: { cells: Cells }) {
  const { query } = place.value;
  const nodes = query.get('q') ?? '';
  const modules = query.get('m') ?? '';
  const problems = query.get('problems') === '1';
  const grid = useMemo(() => gridOf(cells, nodes, modules, problems), [cells, nodes, modules, problems]);
  return (
    <>
      <div class="tools" role="search" aria-label={t('matrix.title')}>
        <Filter label={t('matrix.filterNodes')} value={nodes} set={(q) => setQuery({ q })} />
        <Filter label={t('matrix.filterModules')} value={modules} set={(m) => setQuery({ m })} />
        <label class="check">
          <input
            type="checkbox"
            checked={problems}
            onChange={(event) => setQuery({ problems: event.currentTarget.checked ? '1' : '' })}
          />
          {t('list.problems')}
        </label>
        <span role="status" class="muted">
          {t('matrix.size', { nodes: number(grid.rows.length), modules: number(grid.columns.length) })}
        </span>
      </div>
      <MatrixView grid={grid} />
    </>
  );
}

function Filter({ label, value, set }: { label: string; value: string; set: (value: string) => void }) {
  const id = useId();
  return (
    <>
      <label for={id}>{label}</label>
      <input id={id} type="search" class="half" value={value} onInput={(event) => set(event.currentTarget.value)} />
    </>
  );
}

type Row = Installed & { node: string; module: string };

function Table({ cells }: { cells: Cells }) {
  const rows = useMemo(() => cells.all(), [cells]);
  const columns: Column<Row>[] = [
    baseColumn((row) => row.node),
    moduleColumn((row) => row.module),
    textColumn('version', t('col.version'), (row) => row.version),
    {
      id: 'state',
      head: t('col.state'),
      value: (row) => row.state,
      cell: (row) => <Badge tone={row.well ? 'ok' : 'bad'}>{row.state}</Badge>,
    },
  ];
  return (
    <List
      name={t('matrix.title')}
      rows={rows}
      columns={columns}
      rowKey={(row) => [row.node, row.module, row.version].join('/')}
      isProblem={(row) => !row.well}
    />
  );
}
