import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../texts';

interface Props {
  title: string;
  children: ComponentChildren;
  go: string;
  danger?: boolean;
  busy: boolean;
  onGo: () => void;
  onClose: () => void;
}

/** A question before something is done. The browser's own dialog traps the focus, and Escape closes it. */
export function ConfirmDialog({ title, children, go, danger, busy, onGo, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // In the same moment as the page changes: in between the focus would be nowhere.
  useLayoutEffect(() => {
    const before = document.activeElement;
    const own = dialog.current;
    own?.showModal();
    return () => {
      // While it is open nothing outside of it can have the focus.
      own?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  // At once, and not with the event `close`, which comes later: by then the next question may be open.
  const cancel = (event: Event) => {
    event.preventDefault();
    onClose();
  };
  const closed = () => {
    if (dialog.current) onClose();
  };
  return (
    <dialog ref={dialog} aria-labelledby={id} onCancel={cancel} onClose={closed} onKeyDown={keepFocus}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy) onGo();
        }}
      >
        <h2 id={id}>{title}</h2>
        {children}
        <div class="buttons">
          <button type="submit" class={danger ? 'danger' : 'primary'} aria-disabled={busy}>
            {go}
          </button>
          <button type="button" onClick={onClose}>
            {t('ask.cancel')}
          </button>
        </div>
      </form>
    </dialog>
  );
}

// Without this the browser lets Tab leave the dialog for its own bars.
function keepFocus(event: KeyboardEvent): void {
  if (event.key !== 'Tab') return;
  const stops = [
    ...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('a[href], button, input, [tabindex="0"]'),
  ];
  const first = stops[0];
  const last = stops.at(-1);
  if (event.shiftKey && document.activeElement === first) {
    event.preventDefault();
    last?.focus();
  } else if (!event.shiftKey && document.activeElement === last) {
    event.preventDefault();
    first?.focus();
  }
}
