import type { ComponentChildren } from 'preact';
import { ApiError } from '../api/client';
import type { NotShown } from '../api/types';
import { announcement, cutOff, staleSince } from '../state/live';
import { t, wholeTime } from '../texts';
import { Trouble, Wrapped } from './text';

export function Banner({ tone, children }: { tone: 'bad' | 'wait' | 'ok'; children: ComponentChildren }) {
  return <div class={`banner ${tone}`}>{children}</div>;
}

/** What is wrong with the ways from the API server to this page. Always there, so that changes are read out. */
export function LiveBanners() {
  return (
    <>
      <div role="status" class="banners">
        {cutOff.value && <Banner tone="bad">{t('banner.cut')}</Banner>}
        {staleSince.value && <Banner tone="wait">{t('banner.stale', { time: wholeTime(staleSince.value) })}</Banner>}
      </div>
      <div role="status" class="offscreen">
        {announcement.value}
      </div>
    </>
  );
}

export function problemText(problem: ApiError): { code: string; message: string; suggestion: string } {
  if (problem.code === 'Network') return { code: '', message: t('error.network'), suggestion: t('error.networkHelp') };
  if (problem.code === 'Unreadable')
    return {
      code: '',
      message: [t('error.unreadable'), problem.message].join(' ').trim(),
      suggestion: problem.suggestion,
    };
  // These are of this API and no error codes of the control plane: they have no entry to lead to.
  return { code: '', message: problem.message, suggestion: problem.suggestion };
}

// The page asks again by itself, and soon.
const PASSING = new Set(['Busy', 'Starting']);

export function ProblemBanner({ problem }: { problem: ApiError | null }) {
  return (
    <div role="alert">
      {problem && (
        <Banner tone={PASSING.has(problem.code) ? 'wait' : 'bad'}>{<Trouble {...problemText(problem)} />}</Banner>
      )}
    </div>
  );
}

export function NotShownNote({ items }: { items: NotShown[] }) {
  if (items.length === 0) return null;
  return (
    <details class="note">
      <summary>{t('banner.notShown', { n: items.length })}</summary>
      <ul>
        {items.map(({ what, why }) => (
          <li key={what}>
            <Wrapped text={what} />
            {t('app.colon')}
            <Wrapped text={why} />
          </li>
        ))}
      </ul>
    </details>
  );
}
