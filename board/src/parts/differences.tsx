import type { Difference } from '../api/types';
import { t, word } from '../texts';
import { Badge, type Tone } from './badge';
import { baseColumn, moduleColumn, textColumn } from './cells';
import { List, type Column } from './list';

const TONES: Record<Difference['kind'], Tone> = {
  Missing: 'bad',
  NotActive: 'bad',
  WrongVersion: 'wait',
  Extra: 'wait',
};

/** In what bases differ from what the workloads want of them. */
export function Differences({
  items,
  name,
  prefix,
  withBase,
}: {
  items: Difference[];
  name: string;
  prefix?: string;
  withBase: boolean;
}) {
  const columns: Column<Difference>[] = [
    {
      id: 'kind',
      head: t('col.difference'),
      value: (row) => word('difference.', row.kind),
      cell: (row) => <Badge tone={TONES[row.kind] ?? 'off'}>{word('difference.', row.kind)}</Badge>,
    },
    moduleColumn((row) => row.module),
    textColumn('wanted', t('col.wanted'), (row) => row.wanted ?? '–'),
    textColumn('found', t('col.found'), (row) => row.found ?? '–'),
  ];
  if (withBase)
    columns.push(
      baseColumn((row) => row.node),
      textColumn('base', t('col.name'), (row) => row.base),
      textColumn('env', t('col.env'), (row) => row.env),
    );
  return (
    <List
      name={name}
      rows={items}
      columns={columns}
      rowKey={(row) => [row.node, row.module, row.kind, row.wanted, row.found].join('/')}
      isProblem={(row) => row.kind === 'Missing' || row.kind === 'NotActive'}
      {...(prefix === undefined ? {} : { prefix })}
    />
  );
}
