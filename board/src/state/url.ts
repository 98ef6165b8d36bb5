import { signal } from '@preact/signals';

/** Where the page is: its path, its query and its fragment. All that can be sent to a colleague. */
export interface Place {
  path: string;
  query: URLSearchParams;
  hash: string;
}

export function placeOf(url: string): Place {
  const parsed = new URL(url, 'http://board');
  let hash = parsed.hash.slice(1);
  try {
    hash = decodeURIComponent(hash);
  } catch {
    // Half an escape: then it is taken as it stands.
  }
  return { path: parsed.pathname, query: parsed.searchParams, hash };
}

export function urlOf(place: Place): string {
  const query = place.query.toString();
  return place.path + (query && '?' + query) + (place.hash && '#' + encodeURIComponent(place.hash));
}

/** The query with some values changed; an empty value takes its name out. */
export function withValues(query: URLSearchParams, values: Record<string, string>): URLSearchParams {
  const changed = new URLSearchParams(query);
  for (const [name, value] of Object.entries(values)) {
    if (value === '') changed.delete(name);
    else changed.set(name, value);
  }
  return changed;
}

/** Where to go after the log-in: only into this board, whatever a link says. */
export function safeBack(back: string | null): string {
  if (!back || !/^\/(?![/\\])/.test(back) || /[\u0000-\u001f\\]/.test(back)) return '/';
  return back.startsWith('/login') ? '/' : back;
}

const start = typeof location === 'undefined' ? '/' : location.href;
export const place = signal<Place>(placeOf(start));
/** Counts the ways to another page; the frame moves focus and scroll by it. */
export const steps = signal(0);
let back = false;
/** Whether the last step was through the history: then the browser restores the scroll. */
export const wasBack = () => back;

let pending = 0;
function flush(): void {
  if (!pending) return;
  clearTimeout(pending);
  pending = 0;
  history.replaceState(null, '', urlOf(place.value));
}

export function navigate(to: string, how: 'push' | 'replace' = 'push'): void {
  flush();
  const next = placeOf(to);
  const moved = next.path !== place.value.path;
  history[how === 'push' ? 'pushState' : 'replaceState'](null, '', urlOf(next));
  place.value = next;
  if (!moved) return;
  back = false;
  steps.value++;
}

/** Changes values of the query in place. Browsers bound how often the history may be written, so typing is gathered. */
export function setQuery(values: Record<string, string>): void {
  place.value = { ...place.value, query: withValues(place.value.query, values) };
  clearTimeout(pending);
  pending = window.setTimeout(flush, 200);
}

/** Plain links everywhere: clicks on those within the board change the page without loading it. */
export function followLinks(): void {
  window.addEventListener('popstate', () => {
    clearTimeout(pending);
    pending = 0;
    const next = placeOf(location.href);
    const moved = next.path !== place.value.path;
    place.value = next;
    if (moved) {
      back = true;
      steps.value++;
    }
  });
  window.addEventListener('pagehide', flush);
  document.addEventListener('click', (event) => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    const href = link?.getAttribute('href');
    if (!link || link.target || !href?.startsWith('/') || href.startsWith('//')) return;
    event.preventDefault();
    navigate(href);
  });
}
