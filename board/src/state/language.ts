import { effect, signal } from '@preact/signals';
import { stored, store } from './store';

export type Language = 'en' | 'zh';
const KEY = 'board.language';

export function chosenLanguage(query: string | null, remembered: string | null, browser: readonly string[]): Language {
  for (const wish of [query, remembered, ...browser]) {
    const short = wish?.toLowerCase().slice(0, 2);
    if (short === 'en' || short === 'zh') return short;
  }
  return 'en';
}

const here = typeof location === 'undefined' ? '' : location.search;
const browser = typeof navigator === 'undefined' ? [] : (navigator.languages ?? [navigator.language]);

export const language = signal<Language>(chosenLanguage(new URLSearchParams(here).get('lang'), stored(KEY), browser));

export function chooseLanguage(wish: Language): void {
  store(KEY, wish);
  language.value = wish;
}

if (typeof document !== 'undefined') {
  effect(() => {
    document.documentElement.lang = language.value === 'zh' ? 'zh-CN' : 'en';
  });
}
