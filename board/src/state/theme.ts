import { computed, effect, signal } from '@preact/signals';
import { store, stored } from './store';

export type Theme = 'auto' | 'light' | 'dark';
export const THEMES: readonly Theme[] = ['auto', 'light', 'dark'];
const KEY = 'board.theme';

const remembered = stored(KEY);
const system = window.matchMedia('(prefers-color-scheme: dark)');
const systemDark = signal(system.matches);
system.addEventListener('change', () => (systemDark.value = system.matches));

export const theme = signal<Theme>(THEMES.find((one) => one === remembered) ?? 'auto');
/** The theme that is shown: the style sheet and the matrix go by it. */
export const shownTheme = computed(() =>
  theme.value === 'auto' ? (systemDark.value ? 'dark' : 'light') : theme.value,
);

export function chooseTheme(wish: Theme): void {
  store(KEY, wish);
  theme.value = wish;
}

effect(() => {
  document.documentElement.dataset['theme'] = shownTheme.value;
});
