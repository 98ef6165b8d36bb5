import { language, type Language } from '../state/language';
import { en } from './en';
import { zh } from './zh';

export type Key = keyof typeof en;
export type Catalogue = Record<Key, string>;
export type Values = Record<string, string | number>;

export const catalogues: Record<Language, Catalogue> = { en, zh };

/** One of `one|many` by {n}; a text without a bar is the same for all numbers. */
export function fill(text: string, values: Values = {}): string {
  const bar = text.indexOf('|');
  const form = bar < 0 ? text : Number(values['n']) === 1 ? text.slice(0, bar) : text.slice(bar + 1);
  return form.replace(/\{(\w+)\}/g, (whole, name: string) =>
    Object.hasOwn(values, name) ? String(values[name]) : whole,
  );
}

/** The text in the language that is shown. Read while rendering, so a switch of language renders anew. */
export function t(key: Key, values?: Values): string {
  return fill(catalogues[language.value][key], values);
}

/** The text of a key made from a value of the server, or nothing where the server knows more than this page. */
export function maybe(key: string): string | null {
  return Object.hasOwn(en, key) ? t(key as Key) : null;
}

/** The word for a value of the server, or the value itself where there is none. */
export function word(prefix: string, value: string): string {
  return maybe(prefix + value) ?? value;
}

const locale = () => (language.value === 'zh' ? 'zh-CN' : 'en-GB');

export function number(value: number): string {
  return value.toLocaleString(locale());
}

export function wholeTime(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  return date.toLocaleString(locale(), { dateStyle: 'medium', timeStyle: 'medium' });
}

const STEPS: [number, Intl.RelativeTimeFormatUnit][] = [
  [60, 'second'],
  [3600, 'minute'],
  [86400, 'hour'],
  [Infinity, 'day'],
];
const formats = new Map<string, Intl.RelativeTimeFormat>();

export function agoTime(iso: string, now: number): string {
  const then = new Date(iso).getTime();
  if (Number.isNaN(then)) return iso;
  const seconds = (then - now) / 1000;
  let format = formats.get(locale());
  if (!format)
    formats.set(locale(), (format = new Intl.RelativeTimeFormat(locale(), { numeric: 'always', style: 'short' })));
  let unit = 1;
  for (const [below, name] of STEPS) {
    if (Math.abs(seconds) < below) return format.format(Math.round(seconds / unit), name);
    unit = below;
  }
  return iso;
}

export function duration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor((seconds % 3600) / 60), 'm'],
    [seconds % 60, 's'],
  ].filter(([count]) => count !== 0);
  return parts.length === 0 ? '0s' : parts.map(([count, unit]) => `${count}${unit}`).join(' ');
}
