import { signal } from '@preact/signals';
import type { Kind } from '../api/types';
import { Stream } from '../api/stream';
import type { Message } from '../api/sse';
import { onSessionEnd, sessionExpired } from './session';

/** Since when the board has not heard the API server, as the stream or the last answer says. */
export const staleSince = signal<string | null>(null);
/** Whether this page is cut off from the board. */
export const cutOff = signal(false);
/** What a screen reader is told of a change that the user did not make or that has no place of its own. */
export const announcement = signal('');

const ALL: readonly Kind[] = ['bases', 'modules', 'plans', 'replicas'];
// A tab that nobody looks at gives its connection back: a browser has only six for one server.
const HIDDEN = 30_000;

type Hearer = (kinds: readonly Kind[]) => void;
const hearers = new Set<Hearer>();
export function onChange(hearer: Hearer): () => void {
  hearers.add(hearer);
  return () => hearers.delete(hearer);
}
function tell(kinds: readonly Kind[]): void {
  for (const hearer of [...hearers]) hearer(kinds);
}

function parse(data: string): Record<string, unknown> {
  try {
    return (JSON.parse(data) ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}

const stream = new Stream({
  message({ event, data }: Message) {
    const body = parse(data);
    if (event === 'change') tell(Array.isArray(body['kinds']) ? (body['kinds'] as Kind[]) : ALL);
    else if (event === 'stale') staleSince.value = typeof body['since'] === 'string' ? body['since'] : staleSince.value;
    else if (event === 'fresh') {
      staleSince.value = null;
      tell(ALL);
    } else if (event === 'expired') sessionExpired();
  },
  heard(heard) {
    const again = heard && cutOff.value;
    cutOff.value = !heard;
    if (again) tell(ALL);
  },
  expired: sessionExpired,
});

let running = false;
let hiddenTimer = 0;
let asleep = false;

export function startLive(): void {
  if (running) return;
  running = true;
  // A tab that is opened in the background takes no connection before somebody looks at it.
  asleep = document.hidden;
  if (!asleep) stream.start();
}

function stopLive(): void {
  running = false;
  asleep = false;
  stream.stop();
  cutOff.value = false;
  staleSince.value = null;
}
onSessionEnd(stopLive);

document.addEventListener('visibilitychange', () => {
  clearTimeout(hiddenTimer);
  if (!running) return;
  if (document.hidden) {
    hiddenTimer = window.setTimeout(() => {
      asleep = true;
      stream.stop();
    }, HIDDEN);
  } else if (asleep) {
    asleep = false;
    stream.start();
    tell(ALL);
  }
});
