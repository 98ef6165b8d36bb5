import { useId, useState } from 'preact/hooks';
import { ApiError, path, write } from '../api/client';
import type { Action } from '../api/types';
import { sessionExpired } from '../state/session';
import { t, word } from '../texts';
import { Banner, ProblemBanner, problemText } from './banner';
import { CopyLine } from './copy';
import { ConfirmDialog } from './dialog';
import { Trouble, Wrapped } from './text';

interface Props {
  namespace: string;
  name: string;
  actions: Action[];
  /** Which plan of this name it is. */
  uid: string;
  reload: () => void;
}

/** What may be done with a plan. What may not be done now stays reachable, and says why. */
export function PlanActions({ namespace, name, actions, uid, reload }: Props) {
  const id = useId();
  // The action as it was when its button was pressed: its number is what the person agrees to.
  const [asked, ask] = useState<Action | null>(null);
  // And so is the plan: one that was made anew under its name is another.
  const [seen, setSeen] = useState(uid);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiError | null>(null);
  const [outdated, setOutdated] = useState<ApiError | null>(null);
  const [done, setDone] = useState('');

  const open = (action: Action) => {
    if (!action.enabled) return;
    setProblem(null);
    setOutdated(null);
    setDone('');
    setSeen(uid);
    ask(action);
  };

  const go = async (action: Action) => {
    setBusy(true);
    setProblem(null);
    try {
      const answer = await write<{ message: string }>(
        'POST',
        `/plans${path(namespace, name, action.name)}`,
        action.number === null ? { uid: seen } : { uid: seen, number: action.number },
      );
      setDone(answer?.message ?? '');
      ask(null);
      reload();
    } catch (caught) {
      const known = caught instanceof ApiError ? caught : new ApiError(0, 'Network', '', '');
      if (known.status === 401) return sessionExpired();
      if (known.status === 409) {
        // What the person saw is no longer so: asking again for the same would be wrong.
        ask(null);
        setOutdated(known);
        reload();
      } else setProblem(known);
    } finally {
      setBusy(false);
    }
  };

  return (
    <>
      <div role="alert">
        {outdated && (
          <Banner tone="bad">
            <Trouble {...problemText(outdated)} />
            <p>{t('plan.changed')}</p>
          </Banner>
        )}
      </div>
      <div role="status">
        {done && (
          <Banner tone="ok">
            <Wrapped text={done} />
          </Banner>
        )}
      </div>
      <ul class="actions">
        {actions.map((action) => (
          <li key={action.name}>
            <button
              type="button"
              class={action.name === 'abort' ? 'danger' : action.name === 'confirm' ? 'primary' : undefined}
              aria-disabled={!action.enabled}
              aria-describedby={action.reason ? id + action.name : undefined}
              onClick={() => open(action)}
            >
              {word('action.', action.name)}
            </button>
            {action.reason && (
              <span id={id + action.name} class="muted">
                <Wrapped text={action.reason} />
              </span>
            )}
          </li>
        ))}
      </ul>
      {asked && (
        <ConfirmDialog
          title={word('action.', asked.name) + t('app.colon') + name}
          go={word('action.', asked.name)}
          danger={asked.name === 'abort'}
          busy={busy}
          onGo={() => void go(asked)}
          onClose={() => ask(null)}
        >
          <p>{t(`ask.${asked.name}`, { number: asked.number ?? '' })}</p>
          <p class="muted">{t('ask.line')}</p>
          <CopyLine line={asked.command} what={t('base.command')} />
          <ProblemBanner problem={problem} />
        </ConfirmDialog>
      )}
    </>
  );
}
