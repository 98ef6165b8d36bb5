import { useEffect, useState } from 'preact/hooks';
import { useResource } from '../api/resource';
import type { Happened, Kind, Listed } from '../api/types';
import { EventList } from '../parts/eventlist';
import { Field } from '../parts/field';
import { Page } from '../parts/page';
import { navigate, place } from '../state/url';
import { t } from '../texts';

// Events come with changes of what they are about; there is no kind of their own in the stream.
const KINDS: readonly Kind[] = ['bases', 'modules', 'plans'];

export function Events() {
  const about = place.value.query.get('about') ?? '';
  const trace = place.value.query.get('trace') ?? '';
  const query = trace ? '?trace=' + encodeURIComponent(trace) : about ? '?about=' + encodeURIComponent(about) : '';
  const resource = useResource<Listed<Happened>>('/events' + query, KINDS);
  return (
    <Page title={t('events.title')} resource={resource} once>
      {(data) => (
        <>
          <Search about={about} trace={trace} />
          <p role="status" class="wrapped">
            {trace ? t('events.trace', { what: trace }) : about ? t('events.of', { what: about }) : t('events.newest')}
          </p>
          <EventList events={data.items} withAbout={!about || trace !== ''} />
        </>
      )}
    </Page>
  );
}

function Search({ about, trace }: { about: string; trace: string }) {
  const [object, setObject] = useState(about);
  const [id, setId] = useState(trace);
  useEffect(() => (setObject(about), setId(trace)), [about, trace]);
  const show = (event: Event) => {
    event.preventDefault();
    const query = new URLSearchParams();
    // A trace is narrower than an object, and the server takes one of them.
    if (id.trim()) query.set('trace', id.trim());
    else if (object.trim()) query.set('about', object.trim());
    navigate('/events' + (query.size > 0 ? '?' + query.toString() : ''));
  };
  return (
    <form class="tools" role="search" aria-label={t('events.title')} onSubmit={show}>
      <Field label={t('events.about')}>
        {(field) => <input id={field} value={object} onInput={(event) => setObject(event.currentTarget.value)} />}
      </Field>
      <Field label={t('events.traceId')}>
        {(field) => <input id={field} value={id} onInput={(event) => setId(event.currentTarget.value)} />}
      </Field>
      <button type="submit">{t('events.show')}</button>
      {(about || trace) && <a href="/events">{t('events.all')}</a>}
    </form>
  );
}
