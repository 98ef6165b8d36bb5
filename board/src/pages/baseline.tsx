import { useResource } from '../api/resource';
import type { Baseline as Answer, Kind } from '../api/types';
import { textColumn } from '../parts/cells';
import { Differences } from '../parts/differences';
import { groupsOf, KINDS as DIFFERENCES, type Group } from '../parts/driftsummary';
import { List, type Column } from '../parts/list';
import { NodeList } from '../parts/nodes';
import { Page, Section } from '../parts/page';
import { number, t, word } from '../texts';

const KINDS: readonly Kind[] = ['bases', 'modules'];

export function Baseline() {
  const resource = useResource<Answer>('/baseline', KINDS);
  return (
    <Page title={t('baseline.title')} resource={resource}>
      {(data) => (
        <>
          <p>{t('baseline.checked', { n: number(data.checked) })}</p>
          {data.items.length > 0 && (
            <Section title={t('baseline.groups')}>
              <Groups items={groupsOf(data.items)} />
            </Section>
          )}
          <Section title={t('baseline.all')}>
            <Differences items={data.items} name={t('baseline.title')} withBase />
          </Section>
          {data.silent.length > 0 && (
            <Section title={t('baseline.silent')}>
              <NodeList nodes={data.silent} />
            </Section>
          )}
        </>
      )}
    </Page>
  );
}

/** How many differences of each kind the bases of one name have. */
function Groups({ items }: { items: Group[] }) {
  const columns: Column<Group>[] = [
    textColumn('base', t('col.name'), (row) => row.base),
    textColumn('env', t('col.env'), (row) => row.env),
    ...DIFFERENCES.map((kind) => figureColumn(kind, word('difference.', kind), (row) => row.counts[kind])),
    figureColumn('bases', t('baseline.bases'), (row) => row.bases),
  ];
  return (
    <List
      name={t('baseline.groups')}
      prefix="groups."
      rows={items}
      columns={columns}
      rowKey={(row) => `${row.env}/${row.base}`}
    />
  );
}

function figureColumn(id: string, head: string, value: (row: Group) => number): Column<Group> {
  return { id, head, value, cell: (row) => number(value(row)), figure: true };
}
