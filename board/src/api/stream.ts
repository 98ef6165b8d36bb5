import { address } from './client';
import { EventParser, type Message } from './sse';
import { language } from '../state/language';

const SILENCE = 40_000;
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;
const STEADY = 10_000;

export interface Listener {
  message(message: Message): void;
  /** false when the server cannot be reached or is silent, true when it is heard again. */
  heard(heard: boolean): void;
  expired(): void;
}

interface Outcome {
  outcome: 'ended' | 'failed' | 'expired';
  /** Milliseconds that the server wants to be left alone. */
  after: number;
}

/**
 * The stream of changes. EventSource would do, if it told of comments: they are all that comes
 * while nothing changes, and without them a quiet cluster and a dead line look the same.
 */
export class Stream {
  private stopped = new AbortController();
  private lastId: string | null = null;

  constructor(private readonly listener: Listener) {}

  start(): void {
    this.stopped.abort();
    this.stopped = new AbortController();
    void this.run(this.stopped.signal);
  }

  stop(): void {
    this.stopped.abort();
  }

  private async run(stopped: AbortSignal): Promise<void> {
    let wait = FIRST_WAIT;
    while (!stopped.aborted) {
      const start = performance.now();
      const { outcome, after } = await this.connect(stopped);
      if (stopped.aborted) return;
      if (outcome === 'expired') return this.listener.expired();
      // One that ended after it had been heard is only asked for again; a banner would flash for nothing.
      if (outcome === 'failed') this.listener.heard(false);
      if (performance.now() - start > STEADY) wait = FIRST_WAIT;
      // Pages that were cut off together do not come back in the same moment.
      await pause(Math.max(after, wait * (0.75 + Math.random() / 2)), stopped);
      wait = Math.min(wait * 2, LONGEST_WAIT);
    }
  }

  private async connect(stopped: AbortSignal): Promise<Outcome> {
    const own = new AbortController();
    const stop = () => own.abort();
    stopped.addEventListener('abort', stop);
    let silent = false;
    let opened = false;
    let watchdog = 0;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = window.setTimeout(() => {
        silent = true;
        own.abort();
      }, SILENCE);
    };
    try {
      alive();
      const headers: Record<string, string> = { accept: 'text/event-stream' };
      if (this.lastId !== null) headers['last-event-id'] = this.lastId;
      const response = await fetch(address('/stream', language.value), {
        headers,
        cache: 'no-store',
        signal: own.signal,
      });
      if (response.status === 401) return { outcome: 'expired', after: 0 };
      if (!response.ok || !response.body)
        return { outcome: 'failed', after: 1000 * Number(response.headers.get('retry-after') ?? 0) || 0 };
      opened = true;
      this.listener.heard(true);
      await this.listen(response.body, alive);
      return { outcome: 'ended', after: 0 };
    } catch {
      return { outcome: opened && !silent ? 'ended' : 'failed', after: 0 };
    } finally {
      clearTimeout(watchdog);
      stopped.removeEventListener('abort', stop);
      own.abort();
    }
  }

  private async listen(body: ReadableStream<Uint8Array>, alive: () => void): Promise<void> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    const parser = new EventParser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      for (const message of parser.push(decoder.decode(value, { stream: true }))) {
        if (message.id !== null) this.lastId = message.id;
        this.listener.message(message);
      }
    }
  }
}

function pause(milliseconds: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    stopped.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
