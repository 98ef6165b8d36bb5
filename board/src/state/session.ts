import { signal } from '@preact/signals';
import { ApiError, read, write } from '../api/client';
import type { Session } from '../api/types';
import { navigate, place, urlOf } from './url';

/** undefined: not known yet; null: nobody is logged in. */
export const session = signal<Session | null | undefined>(undefined);
export const sessionProblem = signal<ApiError | null>(null);
/** Whether the log-in page is shown because a session ended, and not because somebody came anew. */
export const ended = signal(false);

const forgetters = new Set<() => void>();
/** What another user must not see is dropped when a session ends. */
export function onSessionEnd(forget: () => void): void {
  forgetters.add(forget);
}

function toLogin(): void {
  for (const forget of forgetters) forget();
  session.value = null;
  if (place.value.path === '/login') return;
  const here = urlOf(place.value);
  navigate('/login' + (here === '/' ? '' : '?back=' + encodeURIComponent(here)), 'replace');
}

export async function loadSession(): Promise<void> {
  try {
    sessionProblem.value = null;
    session.value = await read<Session>('/session', AbortSignal.timeout(30_000));
    ended.value = false;
  } catch (problem) {
    if (problem instanceof ApiError && problem.status === 401) toLogin();
    else sessionProblem.value = problem instanceof ApiError ? problem : new ApiError(0, 'Network', '', '');
  }
}

export async function logIn(token: string): Promise<void> {
  await write('POST', '/session', { token });
  await loadSession();
}

export async function logOut(): Promise<void> {
  await write('DELETE', '/session');
  ended.value = false;
  session.value = null;
  for (const forget of forgetters) forget();
  navigate('/login', 'replace');
}

export function sessionExpired(): void {
  if (session.value) ended.value = true;
  toLogin();
}
