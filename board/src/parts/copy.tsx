import { useEffect, useState } from 'preact/hooks';
import { t, type Key } from '../texts';

async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without TLS there is no clipboard: the old way by a selection still works there.
  }
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'offscreen';
  document.body.append(area);
  const before = document.activeElement;
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}

/** A button that copies a text, and says that it did. */
export function CopyButton({ text, what }: { text: string; what: string }) {
  const [said, say] = useState<Key | null>(null);
  useEffect(() => {
    if (!said) return;
    const timer = setTimeout(() => say(null), 3000);
    return () => clearTimeout(timer);
  }, [said]);
  return (
    <span class="copy">
      <button
        type="button"
        class="small"
        aria-label={t('copy.what', { what })}
        onClick={() => void copied(text).then((done) => say(done ? 'copy.done' : 'copy.failed'))}
      >
        {t('copy.copy')}
      </button>
      <span role="status" class="muted">
        {said ? t(said) : ''}
      </span>
    </span>
  );
}

/** A command line to take along. */
export function CopyLine({ line, what }: { line: string; what: string }) {
  return (
    <div class="line">
      <code>
        <bdi>{line}</bdi>
      </code>
      <CopyButton text={line} what={what} />
    </div>
  );
}

/** A longer text such as YAML, scrollable in itself. */
export function CopyBlock({ text, what }: { text: string; what: string }) {
  return (
    <div class="block">
      <CopyButton text={text} what={what} />
      <pre tabIndex={0} role="region" aria-label={t('list.scroll', { name: what })}>
        {text}
      </pre>
    </div>
  );
}
