import type { Happened } from '../api/types';
import { number, t } from '../texts';
import { Badge } from './badge';
import { figureColumn, linkColumn, timeColumn } from './cells';
import { List, type Column } from './list';
import { CodeLink, Wrapped } from './text';

const about = ({ about: { kind, namespace, name } }: Happened) => [kind, namespace, name].join('/');

export function EventList({ events, prefix, withAbout }: { events: Happened[]; prefix?: string; withAbout: boolean }) {
  const columns: Column<Happened>[] = [
    timeColumn('at', t('col.time'), (row) => row.at),
    {
      id: 'kind',
      head: t('col.type'),
      value: (row) => row.kind,
      cell: (row) => <Badge tone={row.kind === 'Warning' ? 'bad' : 'off'}>{row.kind}</Badge>,
    },
    { id: 'reason', head: t('col.reason'), value: (row) => row.reason, cell: (row) => <CodeLink code={row.reason} /> },
    {
      id: 'message',
      head: t('col.message'),
      value: (row) => row.message,
      cell: (row) => <Wrapped text={row.message} />,
    },
    figureColumn(
      'count',
      t('col.count'),
      (row) => row.count,
      (row) => number(row.count),
    ),
  ];
  if (events.some((row) => row.trace))
    columns.push(
      linkColumn(
        'trace',
        t('events.traceId'),
        (row) => row.trace ?? '',
        (row) => '/events?trace=' + encodeURIComponent(row.trace ?? ''),
      ),
    );
  if (withAbout)
    columns.splice(
      3,
      0,
      linkColumn('about', t('col.about'), about, (row) => '/events?about=' + encodeURIComponent(about(row))),
    );
  return (
    <List
      name={t('events.title')}
      rows={events}
      columns={columns}
      rowKey={(row) => [row.at, about(row), row.reason, row.message].join('|')}
      isProblem={(row) => row.kind === 'Warning'}
      {...(prefix === undefined ? {} : { prefix })}
    />
  );
}
