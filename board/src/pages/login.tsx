import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { ApiError } from '../api/client';
import { CopyLine } from '../parts/copy';
import { ProblemBanner } from '../parts/banner';
import { Heading } from '../parts/page';
import { ended, logIn, session } from '../state/session';
import { navigate, place, safeBack } from '../state/url';
import { t } from '../texts';

export function Login() {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const back = safeBack(place.value.query.get('back'));
  useEffect(() => field.current?.focus(), []);
  useEffect(() => {
    if (session.value) navigate(back, 'replace');
  }, [session.value]);

  const submit = async (event: Event) => {
    event.preventDefault();
    const token = field.current?.value.trim() ?? '';
    if (!token || busy) return field.current?.focus();
    setBusy(true);
    setProblem(null);
    try {
      await logIn(token);
    } catch (caught) {
      const known = caught instanceof ApiError ? caught : new ApiError(0, 'Network', '', '');
      setProblem(
        known.status === 401 && known.code === 'Unreadable'
          ? new ApiError(401, 'Unauthorized', t('login.refused'), '')
          : known,
      );
      field.current?.focus();
    } finally {
      setBusy(false);
    }
  };

  return (
    <div class="login">
      <Heading title={t('login.title')} />
      {ended.value && <p role="status">{t('login.ended')}</p>}
      <ProblemBanner problem={problem} />
      <form onSubmit={(event) => void submit(event)}>
        <label for={id}>{t('login.token')}</label>
        <input
          id={id}
          ref={field}
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          aria-describedby={`${id}how ${id}kept`}
        />
        <button type="submit" class="primary" aria-disabled={busy}>
          {t('login.go')}
        </button>
      </form>
      <p id={`${id}how`}>{t('login.how')}</p>
      <CopyLine line="kubectl create token NAME" what={t('base.command')} />
      <p id={`${id}kept`} class="muted">
        {t('login.kept')}
      </p>
    </div>
  );
}
