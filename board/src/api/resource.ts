import { signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { ApiError, read } from './client';
import type { Kind, Seen } from './types';
import { language } from '../state/language';
import { onChange, staleSince } from '../state/live';
import { onSessionEnd, sessionExpired } from '../state/session';

const OFTEN = 1_000;
// An answer that takes long leaves twice as long a pause.
const SHARE = 3;
const AGAIN = 10_000;
const TIMEOUT = 30_000;
const KEPT = 12;

// The last answers, so that going back shows at once what was there.
const answers = new Map<string, unknown>();
onSessionEnd(() => answers.clear());
function keep(path: string, answer: unknown): void {
  answers.delete(path);
  answers.set(path, answer);
  const oldest = answers.keys().next().value;
  if (answers.size > KEPT && oldest !== undefined) answers.delete(oldest);
}

/** One answer of the server that a page shows: asked at most once a second and never twice at a time. */
export class Resource<T> {
  readonly data = signal<T | null>(null);
  readonly problem = signal<ApiError | null>(null);
  private running: AbortController | null = null;
  private wanted = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private due = Infinity;
  private notBefore = -Infinity;
  private closed = false;

  constructor(readonly path: string) {
    this.data.value = (answers.get(path) as T | undefined) ?? null;
  }

  ask(atOnce = false): void {
    if (this.closed) return;
    if (this.running) this.wanted = true;
    else this.at(atOnce ? performance.now() : Math.max(performance.now(), this.notBefore));
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.running?.abort();
  }

  private at(time: number): void {
    if (time >= this.due) return;
    clearTimeout(this.timer);
    this.due = time;
    this.timer = setTimeout(
      () => {
        this.due = Infinity;
        void this.fetch();
      },
      Math.max(0, time - performance.now()),
    );
  }

  private async fetch(): Promise<void> {
    const start = performance.now();
    this.wanted = false;
    const running = (this.running = new AbortController());
    const timeout = setTimeout(() => running.abort(new DOMException('', 'TimeoutError')), TIMEOUT);
    let again = Infinity;
    try {
      this.take(await read<T>(this.path, running.signal));
    } catch (problem) {
      again = this.fail(problem);
    } finally {
      clearTimeout(timeout);
      this.running = null;
    }
    if (this.closed) return;
    // An answer that takes long, because it is large, is asked for less often.
    const took = performance.now() - start;
    this.notBefore = Math.max(this.notBefore, start + Math.max(OFTEN, SHARE * took));
    if (again < Infinity) this.at(performance.now() + again);
    if (this.wanted) this.ask();
  }

  private take(answer: T): void {
    if (this.closed) return;
    keep(this.path, answer);
    this.data.value = answer;
    this.problem.value = null;
    const { staleSince: since } = answer as Partial<Seen>;
    if (since !== undefined) staleSince.value = since;
  }

  /** Says what went wrong, and in how many milliseconds it is worth to ask again. */
  private fail(caught: unknown): number {
    if (this.closed) return Infinity;
    const problem = caught instanceof ApiError ? caught : new ApiError(0, 'Network', '', '');
    if (problem.status === 401) {
      sessionExpired();
      return Infinity;
    }
    this.problem.value = problem;
    if (problem.status === 403 || problem.status === 404) {
      // It is gone, or not for this user any more. Whatever else went wrong, what is shown stays.
      answers.delete(this.path);
      this.data.value = null;
    }
    if (problem.retryAfter !== null || problem.code === 'Busy') {
      const wait = (problem.retryAfter ?? 5) * 1000;
      this.notBefore = performance.now() + wait;
      return wait;
    }
    return problem.status === 0 || problem.status >= 500 ? AGAIN : Infinity;
  }
}

/** The answer under a path, asked again when something of these kinds changes and the page is looked at. */
export function useResource<T>(path: string, kinds: readonly Kind[]): Resource<T> {
  const resource = useMemo(() => new Resource<T>(path), [path]);
  const lang = language.value;
  useEffect(() => {
    resource.ask(true);
  }, [resource, lang]);
  useEffect(() => {
    let missed = false;
    const forget = onChange((changed) => {
      if (!changed.some((kind) => kinds.includes(kind))) return;
      if (document.hidden) missed = true;
      else resource.ask();
    });
    const shown = () => {
      if (document.hidden || !missed) return;
      missed = false;
      resource.ask();
    };
    document.addEventListener('visibilitychange', shown);
    return () => {
      forget();
      document.removeEventListener('visibilitychange', shown);
      resource.close();
    };
  }, [resource]);
  return resource;
}
