import { useEffect } from 'preact/hooks';
import { useResource } from '../api/resource';
import type { Code } from '../api/types';
import { List, type Column } from '../parts/list';
import { Page } from '../parts/page';
import { CodeLink, Cut, Wrapped } from '../parts/text';
import { place } from '../state/url';
import { t } from '../texts';

type Answer = { items: Code[] };
// All codes are on one page, so that #CODE finds its own; there are some hundred at most.
const SIZE = 2000;

export function Codes() {
  const resource = useResource<Answer>('/codes', []);
  const wanted = place.value.hash;
  const items = resource.data.value?.items;
  const there = items?.some(({ code }) => code === wanted) ?? false;
  useEffect(() => {
    if (there) document.getElementById(wanted)?.scrollIntoView({ block: 'center' });
  }, [wanted, there]);
  const columns: Column<Code>[] = [
    { id: 'code', head: t('col.code'), value: (row) => row.code, cell: (row) => <CodeLink code={row.code} /> },
    {
      id: 'category',
      head: t('col.category'),
      value: (row) => row.category,
      cell: (row) => <Cut text={row.category} />,
    },
    {
      id: 'meaning',
      head: t('col.meaning'),
      value: (row) => row.meaning,
      cell: (row) => <Wrapped text={row.meaning} />,
    },
    {
      id: 'suggestion',
      head: t('col.suggestion'),
      value: (row) => row.suggestion,
      cell: (row) => <Wrapped text={row.suggestion} />,
    },
  ];
  return (
    <Page<Answer> title={t('codes.title')} resource={resource}>
      {(data) => (
        <>
          {wanted && !there && (
            <p role="status" class="wrapped">
              {t(wanted.includes('.') ? 'codes.unknownParts' : 'codes.unknown', { code: wanted })}
            </p>
          )}
          <List
            name={t('codes.title')}
            rows={data.items}
            columns={columns}
            rowKey={(row) => row.code}
            rowId={(row) => (data.items.find(({ code }) => code === row.code) === row ? row.code : undefined)}
            marked={(row) => row.code === wanted}
            size={SIZE}
          />
        </>
      )}
    </Page>
  );
}
