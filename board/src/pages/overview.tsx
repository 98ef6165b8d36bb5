import { useResource } from '../api/resource';
import { path } from '../api/client';
import type { Attention, Kind, Overview as Answer, Replica } from '../api/types';
import { Badge } from '../parts/badge';
import { List, type Column } from '../parts/list';
import { Page, Section } from '../parts/page';
import { Ago, Cut, Trouble } from '../parts/text';
import { number, t, word } from '../texts';

const KINDS: readonly Kind[] = ['bases', 'modules', 'plans', 'replicas'];

export function Overview() {
  const resource = useResource<Answer>('/overview', KINDS);
  return (
    <Page title={t('overview.title')} resource={resource}>
      {(data) => (
        <>
          <Figures data={data} />
          <Section title={t('overview.attention')}>
            {data.attention.length === 0 ? <p>{t('overview.calm')}</p> : <AttentionList items={data.attention} />}
            {data.more > 0 && <p class="muted">{t('overview.more', { n: number(data.more) })}</p>}
          </Section>
          <Section title={t('overview.replicas')}>
            <Replicas items={data.replicas} />
          </Section>
        </>
      )}
    </Page>
  );
}

function Figures({ data }: { data: Answer }) {
  const { bases, modules, plans } = data;
  const figures: [string, string, string, boolean][] = [
    [
      t('overview.basesWell'),
      `${number(bases.well)}/${number(bases.all)}`,
      '/bases?problems=1',
      bases.well < bases.all,
    ],
    [
      t('overview.modulesWell'),
      `${number(modules.well)}/${number(modules.all)}`,
      '/modules?problems=1',
      modules.well < modules.all,
    ],
    [t('overview.unplaced'), number(data.unplaced), '/?q=' + t('kind.pod'), data.unplaced > 0],
    [t('overview.waiting'), number(plans.waiting), '/plans?q=AwaitingConfirm', plans.waiting > 0],
    [t('overview.failed'), number(plans.failed), '/plans?problems=1', plans.failed > 0],
    [t('overview.running'), number(plans.running), '/plans?q=Running', false],
    [t('overview.paused'), number(plans.paused), '/plans?q=Paused', plans.paused > 0],
    [
      t('overview.drift'),
      data.drift === null ? t('overview.unknown') : number(data.drift),
      '/baseline',
      (data.drift ?? 0) > 0,
    ],
  ];
  return (
    <ul class="figures">
      {figures.map(([name, value, to, look]) => (
        <li key={name} class={look ? 'look' : undefined}>
          <a href={to}>
            <span class="name">{name}</span>
            <strong>
              {look && <span aria-hidden="true">! </span>}
              {value}
            </strong>
          </a>
        </li>
      ))}
    </ul>
  );
}

/** The page of what needs attention. A Pod has none: its base has it, or its module where it is on no base yet. */
function pageOf(item: Attention): string | null {
  if (item.kind === 'plan') return '/plans' + path(item.namespace, item.name);
  if (item.kind === 'base') return '/bases' + path(item.name || item.node);
  if (item.kind === 'module') return '/modules' + path(item.name);
  if (item.kind === 'pod')
    return item.node
      ? '/bases' + path(item.node)
      : '/events?about=' + encodeURIComponent(`Pod/${item.namespace}/${item.name}`);
  return null;
}

function AttentionList({ items }: { items: Attention[] }) {
  const columns: Column<Attention>[] = [
    {
      id: 'state',
      head: t('col.state'),
      value: (row) => (row.final ? t('overview.final') : t('overview.ongoing')),
      cell: (row) => (
        <Badge tone={!row.final ? 'work' : row.code ? 'bad' : 'wait'}>
          {row.final ? t('overview.final') : t('overview.ongoing')}
        </Badge>
      ),
    },
    {
      id: 'kind',
      head: t('col.type'),
      value: (row) => word('kind.', row.kind),
      cell: (row) => word('kind.', row.kind),
    },
    {
      id: 'name',
      head: t('col.name'),
      value: (row) => [row.name, row.version].filter(Boolean).join(' '),
      cell: (row) => {
        const to = pageOf(row);
        const name = <Cut text={[row.name, row.version].filter(Boolean).join(' ')} />;
        return to ? <a href={to}>{name}</a> : name;
      },
    },
    {
      id: 'message',
      head: t('col.message'),
      value: (row) => `${row.code} ${row.message}`,
      cell: (row) => <Trouble code={row.code} message={row.message} />,
    },
    {
      id: 'node',
      head: t('col.base'),
      value: (row) => row.node,
      cell: (row) =>
        row.node && (
          <a href={'/bases' + path(row.node)}>
            <Cut text={row.node} />
          </a>
        ),
    },
    {
      id: 'namespace',
      head: t('col.namespace'),
      value: (row) => row.namespace,
      cell: (row) => <Cut text={row.namespace} />,
    },
    { id: 'since', head: t('col.since'), value: (row) => row.since, cell: (row) => <Ago at={row.since} /> },
  ];
  return (
    <List
      name={t('overview.attention')}
      rows={items}
      columns={columns}
      rowKey={(row) => [row.kind, row.namespace, row.name, row.version, row.node, row.code].join('/')}
      isProblem={(row) => row.final}
    />
  );
}

function Replicas({ items }: { items: Replica[] }) {
  const columns: Column<Replica>[] = [
    {
      id: 'clientId',
      head: t('col.replica'),
      value: (row) => row.clientId,
      cell: (row) => <Cut text={row.clientId} />,
    },
    {
      id: 'namespace',
      head: t('col.namespace'),
      value: (row) => row.namespace,
      cell: (row) => <Cut text={row.namespace} />,
    },
    { id: 'env', head: t('col.env'), value: (row) => row.env, cell: (row) => <Cut text={row.env} /> },
    {
      id: 'state',
      head: t('col.state'),
      value: (row) => row.state,
      cell: (row) => (
        <>
          <Badge tone={row.state === 'living' ? 'ok' : row.state === 'killed' ? 'bad' : 'off'}>{row.state}</Badge>{' '}
          {row.cutOff && <Badge tone="bad">{t('overview.cutOff')}</Badge>}
        </>
      ),
    },
    { id: 'renewed', head: t('col.renewed'), value: (row) => row.renewed, cell: (row) => <Ago at={row.renewed} /> },
  ];
  return (
    <List
      name={t('overview.replicas')}
      prefix="replicas."
      rows={items}
      columns={columns}
      rowKey={(row) => row.namespace + '/' + row.env + '/' + row.clientId}
      isProblem={(row) => row.cutOff || row.state === 'killed'}
    />
  );
}
