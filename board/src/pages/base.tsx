import { useResource } from '../api/resource';
import { path } from '../api/client';
import type { BaseDetail, BaseSummary, Condition, Kind } from '../api/types';
import { WellBadge } from '../parts/badge';
import { BaseState } from '../parts/basestate';
import { textColumn, timeColumn } from '../parts/cells';
import { CopyLine } from '../parts/copy';
import { Differences } from '../parts/differences';
import { EventList } from '../parts/eventlist';
import { healthOf } from '../parts/health';
import { HealthTree } from '../parts/healthtree';
import { Lines } from '../parts/lines';
import { List, type Column } from '../parts/list';
import { Facts, Page, Section } from '../parts/page';
import { bytes } from '../parts/quantity';
import { Ago, Cut, Wrapped } from '../parts/text';
import { t } from '../texts';

const KINDS: readonly Kind[] = ['bases', 'modules'];

export function Base({ node }: { node: string }) {
  const resource = useResource<BaseDetail>('/bases' + path(node), KINDS);
  return (
    <Page title={t('base.title', { name: node })} resource={resource}>
      {(data) => (
        <>
          <Summary base={data.base} />
          <Section title={t('base.health')}>
            <HealthTree health={healthOf(data)} />
          </Section>
          <Section title={t('base.modules')}>
            <Lines lines={data.lines} of="base" />
          </Section>
          {data.differences.length > 0 && (
            <Section title={t('base.differences')}>
              <Differences
                items={data.differences}
                name={t('base.differences')}
                prefix="differences."
                withBase={false}
              />
            </Section>
          )}
          <Section title={t('base.conditions')}>
            <Conditions items={data.conditions} />
          </Section>
          <Section title={t('base.events')}>
            <EventList events={data.events} prefix="events." withAbout={false} />
          </Section>
          <Section title={t('base.labels')}>
            <Texts items={Object.entries(data.labels).map(([name, value]) => `${name}=${value}`)} />
          </Section>
          <Section title={t('base.taints')}>
            <Texts items={data.taints} />
          </Section>
          <Section title={t('base.commands')}>
            {data.commands.map((line) => (
              <CopyLine key={line} line={line} what={line} />
            ))}
          </Section>
        </>
      )}
    </Page>
  );
}

function Summary({ base }: { base: BaseSummary }) {
  return (
    <>
      <p role="status">
        <BaseState base={base} />{' '}
        {base.ready?.status !== 'True' && base.ready?.message && <Wrapped text={base.ready.message} />}
      </p>
      <Facts
        items={[
          [t('col.name'), <Cut text={base.name} />],
          [t('col.version'), <Cut text={base.version} />],
          [t('col.env'), <Cut text={base.env} />],
          [t('col.cluster'), <Cut text={base.cluster} />],
          [t('base.identity'), <Cut text={base.identity} />],
          [t('col.host'), <Cut text={base.hostName} />],
          [t('base.address'), <Cut text={base.address} />],
          [t('base.port'), <Cut text={base.port} />],
          [t('col.tunnel'), <Cut text={base.tunnel} />],
          [t('col.metaspace'), base.memory ? `${bytes(base.memory.free)} / ${bytes(base.memory.all)}` : '–'],
          [t('col.modules'), <WellBadge {...base.modules} />],
          [t('base.owner'), <Cut text={base.owner} />],
          [t('col.renewed'), <Ago at={base.renewed} />],
          [t('col.since'), <Ago at={base.ready?.since ?? null} />],
          [t('col.created'), <Ago at={base.created} />],
        ]}
      />
    </>
  );
}

function Conditions({ items }: { items: Condition[] }) {
  const columns: Column<Condition>[] = [
    textColumn('type', t('col.type'), (row) => row.type),
    textColumn('status', t('col.status'), (row) => row.status),
    textColumn('reason', t('col.reason'), (row) => row.reason),
    {
      id: 'message',
      head: t('col.message'),
      value: (row) => row.message,
      cell: (row) => <Wrapped text={row.message} />,
    },
    timeColumn('since', t('col.since'), (row) => row.since),
  ];
  return (
    <List name={t('base.conditions')} prefix="conditions." rows={items} columns={columns} rowKey={(row) => row.type} />
  );
}

function Texts({ items }: { items: string[] }) {
  if (items.length === 0) return <p class="muted">{t('list.none')}</p>;
  return (
    <ul class="texts">
      {items.map((item) => (
        <li key={item}>
          <code>
            <Wrapped text={item} />
          </code>
        </li>
      ))}
    </ul>
  );
}
