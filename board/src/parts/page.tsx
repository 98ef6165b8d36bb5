import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import type { Resource } from '../api/resource';
import type { Seen } from '../api/types';
import { cutOff, staleSince } from '../state/live';
import { session } from '../state/session';
import { t } from '../texts';
import { NotShownNote, ProblemBanner } from './banner';
import { Ago } from './text';

/** The heading of a page, which is its title in the browser too. */
export function Heading({ title, children }: { title: string; children?: ComponentChildren }) {
  const cluster = session.value?.cluster;
  useEffect(() => {
    document.title = [title, cluster, t('app.name')].filter(Boolean).join(' · ');
  });
  return (
    <div class="heading">
      <h1 tabIndex={-1}>
        <bdi>{title}</bdi>
      </h1>
      {children}
    </div>
  );
}

interface Props<T> {
  title: string;
  resource: Resource<T>;
  beside?: ComponentChildren;
  /** Whether it is not asked again for each change. */
  once?: boolean;
  children: (data: T) => ComponentChildren;
}

/** A page over one answer of the server: what is shown stays while it is asked again. */
export function Page<T extends object>({ title, resource, beside, once, children }: Props<T>) {
  const data = resource.data.value;
  const problem = resource.problem.value;
  const seen: Partial<Seen> = data ?? {};
  return (
    <>
      <Heading title={title}>
        {beside}
        {seen.asOf && <Freshness at={seen.asOf} live={!once} />}
      </Heading>
      <ProblemBanner problem={problem} />
      {problem && (
        <p>
          <button type="button" onClick={() => resource.ask(true)}>
            {t('app.retry')}
          </button>
        </p>
      )}
      {seen.notShown && <NotShownNote items={seen.notShown} />}
      {data ? children(data) : !problem && <p role="status">{t('app.loading')}</p>}
    </>
  );
}

/** While changes are heard of, what is shown is as it is now; else the time of the answer counts. */
function Freshness({ at, live }: { at: string; live: boolean }) {
  if (live && !cutOff.value && !staleSince.value) return <span class="muted asof">{t('app.live')}</span>;
  return (
    <span class="muted asof">
      {t('app.updated')} <Ago at={at} />
    </span>
  );
}

export function Section({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** Names and values, such as the summary of a base. */
export function Facts({ items }: { items: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {items.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
