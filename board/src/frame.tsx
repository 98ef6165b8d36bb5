import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { LiveBanners } from './parts/banner';
import { NAVIGATION } from './routes';
import { chooseLanguage, language, type Language } from './state/language';
import { session } from './state/session';
import { chooseTheme, theme, THEMES, type Theme } from './state/theme';
import { place, setQuery, steps, wasBack } from './state/url';
import { t } from './texts';

/** What is around every page: banner, navigation, switches. */
export function Frame({ children }: { children: ComponentChildren }) {
  const step = steps.value;
  useEffect(() => {
    if (step === 0) return;
    if (!wasBack()) window.scrollTo(0, 0);
    // A screen reader begins with the heading of the new page. The log-in page has its own first stop.
    if (place.peek().path !== '/login') document.querySelector('h1')?.focus({ preventScroll: true });
  }, [step]);
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        {t('app.skip')}
      </a>
      <header>
        <a class="brand" href="/">
          {t('app.name')}
        </a>
        {session.value && (
          <bdi class="cut cluster" title={session.value.cluster}>
            {session.value.cluster}
          </bdi>
        )}
        <span class="spring" />
        {session.value && (
          <a href="/me" aria-current={place.value.path === '/me' ? 'page' : undefined} title={session.value.user}>
            <span class="offscreen">{t('nav.me')} </span>
            <bdi class="cut">{session.value.user}</bdi>
          </a>
        )}
        <LanguageSwitch />
        <ThemeSwitch />
      </header>
      <div class="body">
        {session.value && <Navigation />}
        <main id="main" tabIndex={-1}>
          <LiveBanners />
          {children}
        </main>
      </div>
    </>
  );
}

function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

function Navigation() {
  const here = place.value.path;
  return (
    <nav class="pages" aria-label={t('app.nav')}>
      <ul>
        {NAVIGATION.map(([to, name]) => (
          <li key={to}>
            <a
              href={to}
              aria-current={to === here ? 'page' : to !== '/' && here.startsWith(to + '/') ? 'true' : undefined}
            >
              {t(name)}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

const LANGUAGES: readonly [Language, string, string][] = [
  ['en', 'English', 'en'],
  ['zh', '中文', 'zh-CN'],
];

function LanguageSwitch() {
  const choose = (wish: Language) => {
    chooseLanguage(wish);
    if (place.value.query.has('lang')) setQuery({ lang: wish });
  };
  return (
    <select
      aria-label={t('app.language')}
      value={language.value}
      onChange={(event) => choose(event.currentTarget.value as Language)}
    >
      {LANGUAGES.map(([one, name, tag]) => (
        <option key={one} value={one} lang={tag}>
          {name}
        </option>
      ))}
    </select>
  );
}

function ThemeSwitch() {
  return (
    <select
      aria-label={t('app.theme')}
      value={theme.value}
      onChange={(event) => chooseTheme(event.currentTarget.value as Theme)}
    >
      {THEMES.map((one) => (
        <option key={one} value={one}>
          {t(`theme.${one}`)}
        </option>
      ))}
    </select>
  );
}
