import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../api/client';
import { useResource } from '../api/resource';
import type { Right, Session } from '../api/types';
import { Badge } from '../parts/badge';
import { ProblemBanner } from '../parts/banner';
import { textColumn } from '../parts/cells';
import { Field } from '../parts/field';
import { List, type Column } from '../parts/list';
import { Facts, Page, Section } from '../parts/page';
import { Cut, Wrapped } from '../parts/text';
import { logOut, session, sessionExpired } from '../state/session';
import { place, setQuery } from '../state/url';
import { t } from '../texts';

export function Me() {
  const namespace = place.value.query.get('namespace') ?? '';
  // Asked anew, since rights may have been given after the log-in.
  const resource = useResource<Session>('/session' + (namespace && '?namespace=' + encodeURIComponent(namespace)), []);
  const [problem, setProblem] = useState<ApiError | null>(null);
  const leave = async () => {
    try {
      await logOut();
    } catch (caught) {
      if (caught instanceof ApiError && caught.status === 401) sessionExpired();
      else setProblem(caught instanceof ApiError ? caught : new ApiError(0, 'Network', '', ''));
    }
  };
  const beside = session.value?.proxied === false && (
    <button type="button" onClick={() => void leave()}>
      {t('me.logout')}
    </button>
  );
  return (
    <Page title={t('me.title')} resource={resource} beside={beside}>
      {(known) => (
        <>
          <ProblemBanner problem={problem} />
          {known.proxied && <p>{t('me.proxied')}</p>}
          <Facts
            items={[
              [t('me.user'), <Wrapped text={known.user} />],
              [t('me.groups'), <Wrapped text={known.groups.join('\n')} />],
              [t('me.cluster'), <Cut text={known.cluster} />],
              [t('me.version'), <Cut text={known.version} />],
            ]}
          />
          <Section title={t('me.rights')}>
            <p>{t('me.rightsHelp')}</p>
            <Within namespace={namespace} />
            <Rights rights={known.rights} />
          </Section>
        </>
      )}
    </Page>
  );
}

/** Rights of many people are in some namespaces only. */
function Within({ namespace }: { namespace: string }) {
  const [entered, enter] = useState(namespace);
  useEffect(() => enter(namespace), [namespace]);
  return (
    <form class="tools" onSubmit={(event) => (event.preventDefault(), setQuery({ namespace: entered.trim() }))}>
      <Field label={t('me.within')}>
        {(id) => <input id={id} value={entered} onInput={(event) => enter(event.currentTarget.value)} />}
      </Field>
      <button type="submit">{t('events.show')}</button>
    </form>
  );
}

function Rights({ rights }: { rights: Right[] }) {
  const allowed = (row: Right) => t(row.allowed ? 'me.yes' : 'me.no');
  const columns: Column<Right>[] = [
    textColumn('what', t('col.right'), (row) => row.what),
    {
      id: 'allowed',
      head: t('col.allowed'),
      value: allowed,
      cell: (row) => <Badge tone={row.allowed ? 'ok' : 'bad'}>{allowed(row)}</Badge>,
    },
    textColumn('namespace', t('col.namespace'), (row) => row.namespace ?? '*'),
    { id: 'reason', head: t('col.reason'), value: (row) => row.reason, cell: (row) => <Wrapped text={row.reason} /> },
  ];
  return (
    <List
      name={t('me.rights')}
      rows={rights}
      columns={columns}
      rowKey={(row) => [row.what, row.namespace, row.verb, row.resource].join('/')}
      isProblem={(row) => !row.allowed}
      more={(row) => `${row.verb} ${row.resource}`}
    />
  );
}
