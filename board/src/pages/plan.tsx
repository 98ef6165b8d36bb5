import { useResource } from '../api/resource';
import { path } from '../api/client';
import type { Failure, Kind, Metric, PlanDetail } from '../api/types';
import { PhaseBadge } from '../parts/badge';
import { Banner } from '../parts/banner';
import { CopyBlock, CopyLine } from '../parts/copy';
import { List, type Column } from '../parts/list';
import { NodeList } from '../parts/nodes';
import { Facts, Page, Section } from '../parts/page';
import { PlanActions } from '../parts/planactions';
import { Timeline } from '../parts/timeline';
import { Ago, Cut, Trouble, Wrapped } from '../parts/text';
import { maybe, number, t } from '../texts';

const KINDS: readonly Kind[] = ['plans', 'modules', 'bases'];

export function Plan({ namespace, name }: { namespace: string; name: string }) {
  const resource = useResource<PlanDetail>('/plans' + path(namespace, name), KINDS);
  return (
    <Page title={t('plan.title', { name })} resource={resource}>
      {(data) => (
        <>
          <Summary data={data} />
          <Section title={t('plan.actions')}>
            <PlanActions
              key={namespace + '/' + name}
              namespace={namespace}
              name={name}
              actions={data.actions}
              uid={data.uid}
              reload={() => resource.ask(true)}
            />
          </Section>
          <Section title={t('plan.batches')}>
            {data.previewProblem && (
              <Banner tone="wait">
                {t('plan.previewProblem')}
                {t('app.colon')}
                <Wrapped text={data.previewProblem} />
              </Banner>
            )}
            <Timeline batches={data.batches} />
          </Section>
          {data.failures.length > 0 && (
            <Section title={t('plan.failures')}>
              <Failures items={data.failures} />
            </Section>
          )}
          {data.metrics.length > 0 && (
            <Section title={t('plan.metrics')}>
              <Metrics items={data.metrics} />
            </Section>
          )}
          {data.health && (
            <Section title={t('plan.health')}>
              <p>{t('plan.healthSaid', { up: data.health.up, down: data.health.down, unknown: data.health.unknown })}</p>
              {data.health.message && (
                <p>
                  <Wrapped text={data.health.message} />
                </p>
              )}
            </Section>
          )}
          {data.held.length > 0 && (
            <Section title={t('plan.held')}>
              <p>{t('plan.heldHelp')}</p>
              <NodeList nodes={data.held} />
            </Section>
          )}
          {data.undo && (
            <Section title={t('plan.undo')}>
              <p>{t('plan.undoHelp')}</p>
              <CopyLine line={data.undo} what={t('plan.undo')} />
            </Section>
          )}
          {data.yaml && (
            <Section title={t('plan.yaml')}>
              <CopyBlock text={data.yaml} what={t('plan.yaml')} />
            </Section>
          )}
        </>
      )}
    </Page>
  );
}

function Summary({ data: { plan } }: { data: PlanDetail }) {
  const about = encodeURIComponent(`OperationPlan/${plan.namespace}/${plan.name}`);
  return (
    <>
      <p class="standing" role="status">
        <PhaseBadge phase={plan.phase} /> {maybe('phase.' + plan.phase)}
      </p>
      {(plan.code || plan.message) && (
        <p>
          <Trouble code={plan.code} message={plan.message} suggestion={plan.suggestion} />
        </p>
      )}
      <Facts
        items={[
          [t('col.namespace'), <Cut text={plan.namespace} />],
          [t('col.target'), <Cut text={`${plan.target.kind}/${plan.target.name}`} />],
          [
            t('col.module'),
            <a href={'/modules' + path(plan.module.name)}>
              <Cut text={`${plan.module.name} ${plan.module.version}`} />
            </a>,
          ],
          [t('col.batch'), plan.batch ? <Cut text={plan.batch} /> : '–'],
          [t('plan.progress'), t('plan.batchOf', { ready: number(plan.ready), bases: number(plan.bases) })],
          [t('plan.unavailable'), number(plan.unavailable)],
          [t('plan.attempt'), number(plan.attempt)],
          [t('col.created'), <Ago at={plan.created} />],
        ]}
      />
      <p>
        <a href={`/events?about=${about}`}>{t('plan.events')}</a>
      </p>
    </>
  );
}

function Failures({ items }: { items: Failure[] }) {
  const columns: Column<Failure>[] = [
    {
      id: 'base',
      head: t('col.base'),
      value: (row) => row.base,
      cell: (row) => (
        <a href={'/bases' + path(row.base)}>
          <Cut text={row.base} />
        </a>
      ),
    },
    {
      id: 'message',
      head: t('col.message'),
      value: (row) => `${row.code} ${row.message}`,
      cell: (row) => <Trouble code={row.code} message={row.message} />,
    },
  ];
  return (
    <List
      name={t('plan.failures')}
      prefix="failures."
      rows={items}
      columns={columns}
      rowKey={(row) => `${row.base} ${row.code}`}
    />
  );
}

function Metrics({ items }: { items: Metric[] }) {
  const text = (id: keyof Metric, head: string): Column<Metric> => ({
    id,
    head,
    value: (row) => row[id],
    cell: (row) => <Wrapped text={row[id]} />,
  });
  const columns = [
    text('name', t('col.name')),
    text('condition', t('col.condition')),
    text('reading', t('col.reading')),
    text('message', t('col.message')),
    text('query', t('col.query')),
    text('server', t('col.server')),
  ];
  return (
    <List
      name={t('plan.metrics')}
      prefix="metrics."
      rows={items}
      columns={columns}
      rowKey={(row) => `${row.name} ${row.server} ${row.query}`}
    />
  );
}
