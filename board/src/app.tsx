import { Component, type ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { Frame } from './frame';
import { Login } from './pages/login';
import { ProblemBanner } from './parts/banner';
import { Heading } from './parts/page';
import { pageAt } from './routes';
import { startLive } from './state/live';
import { loadSession, session, sessionProblem } from './state/session';
import { place } from './state/url';
import { t } from './texts';

export function App() {
  const known = session.value;
  useEffect(() => void loadSession(), []);
  useEffect(() => {
    if (known) startLive();
  }, [known]);
  const path = place.value.path;
  return (
    <Frame>
      {known === undefined ? (
        <Starting />
      ) : known === null || path === '/login' ? (
        <Login />
      ) : (
        <Guard key={path}>{pageAt(path)}</Guard>
      )}
    </Frame>
  );
}

function Starting() {
  const problem = sessionProblem.value;
  if (!problem) return <p role="status">{t('app.loading')}</p>;
  return (
    <>
      <Heading title={t('app.name')} />
      <ProblemBanner problem={problem} />
      <button type="button" onClick={() => void loadSession()}>
        {t('app.retry')}
      </button>
    </>
  );
}

/** A page that fails to render must not take the navigation with it. */
class Guard extends Component<{ children: ComponentChildren }, { failed: boolean }> {
  override state = { failed: false };

  static override getDerivedStateFromError() {
    return { failed: true };
  }

  override componentDidCatch(error: unknown): void {
    console.error(error);
  }

  override render() {
    return this.state.failed ? <Heading title={t('app.crash')} /> : this.props.children;
  }
}
