import { signal } from '@preact/signals';
import { agoTime, t, wholeTime } from '../texts';

/** A text of the cluster in one line: cut where it is long, with the whole as its title. */
export function Cut({ text, wide }: { text: string; wide?: boolean }) {
  return (
    <bdi class={wide ? 'cut wide' : 'cut'} title={text}>
      {text}
    </bdi>
  );
}

// Tables show four lines of a text and have the whole as its title.
const LONG = 100;

/** A text of the cluster that wraps, wherever it has to. */
export function Wrapped({ text }: { text: string }) {
  return (
    <bdi class="wrapped" title={text.length > LONG ? text : undefined}>
      {text}
    </bdi>
  );
}

const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), 15_000);

/** How long ago; the clock of this browser may be behind, and then it is now. */
export function Ago({ at }: { at: string | null }) {
  if (!at) return <span class="muted">–</span>;
  return (
    <time dateTime={at} title={wholeTime(at)}>
      {agoTime(at, Math.max(now.value, Date.parse(at)))}
    </time>
  );
}

// An error code has a source and a kind: `Arklet.PullBizError`. Other reasons are of Kubernetes and have no entry.
const CODE = /^\w+\.\w+$/;

export function CodeLink({ code }: { code: string }) {
  if (!code) return null;
  if (!CODE.test(code)) return <Cut text={code} />;
  return (
    <a class="code" href={'/codes#' + encodeURIComponent(code)} title={code}>
      <bdi>{code}</bdi>
    </a>
  );
}

/** What went wrong, in its three parts: code, message, what to do. */
export function Trouble({ code, message, suggestion }: { code: string; message: string; suggestion?: string }) {
  return (
    <span class="trouble">
      <CodeLink code={code} />
      {message && <Wrapped text={message} />}
      {suggestion && (
        <span class="muted">
          {t('col.suggestion')}
          {t('app.colon')}
          <Wrapped text={suggestion} />
        </span>
      )}
    </span>
  );
}
