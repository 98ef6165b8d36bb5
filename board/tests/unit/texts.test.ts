import { beforeEach, describe, expect, it } from 'vitest';
import { language } from '../../src/state/language';
import { agoTime, catalogues, duration, fill, maybe, t, type Key } from '../../src/texts';

const { en, zh } = catalogues;
const keys = Object.keys(en) as Key[];
const places = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();

describe('the catalogue', () => {
  it('has the same keys in both languages', () => {
    expect(Object.keys(zh).sort()).toEqual([...keys].sort());
  });

  it('has the same placeholders in both languages, and in each plural form', () => {
    for (const key of keys) {
      const forms = en[key].split('|');
      expect(forms.length, key).toBeLessThanOrEqual(2);
      for (const form of forms) expect(places(form), key).toEqual(places(zh[key]));
      if (forms.length === 2) expect(en[key], key).toContain('{n}');
      expect(en[key], key).not.toBe('');
      expect(zh[key], key).not.toBe('');
    }
  });

  it('has full-width punctuation in Chinese, and a space between Chinese and Latin letters', () => {
    for (const key of keys) {
      const text = zh[key].replace(/\w+=\w+,\w+ in \(.*?\)/g, 'selector');
      expect(text, key).not.toMatch(/[\u4e00-\u9fff][,.;:?!()]|[,;:?!()]\s*[\u4e00-\u9fff]/);
      expect(text, key).not.toContain('|');
      expect(text, key).not.toMatch(/[\u4e00-\u9fff][A-Za-z0-9{]|[A-Za-z0-9}][\u4e00-\u9fff]/);
    }
  });

  it('has no Chinese in English and no full-width signs', () => {
    for (const key of keys) expect(en[key]).not.toMatch(/[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]/);
  });
});

describe('texts', () => {
  beforeEach(() => {
    language.value = 'en';
  });

  it('chooses the form by the number', () => {
    expect(t('list.count', { n: 1 })).toBe('1 row');
    expect(t('list.count', { n: '1,000' })).toBe('1,000 rows');
    language.value = 'zh';
    expect(t('list.count', { n: 1 })).toBe('共 1 行');
  });

  it('puts values in as they are, and not into one another', () => {
    expect(fill('{a}{b}', { a: '{b}', b: '$&<b>' })).toBe('{b}$&<b>');
    expect(fill('{unknown} {constructor}')).toBe('{unknown} {constructor}');
  });

  it('has nothing for phases that it does not know', () => {
    expect(maybe('phase.Running')).not.toBeNull();
    expect(maybe('phase.New')).toBeNull();
    expect(maybe('toString')).toBeNull();
  });

  it('says times and durations', () => {
    const now = Date.parse('2026-01-01T01:00:00Z');
    expect(agoTime('2026-01-01T00:59:30Z', now)).toMatch(/30 sec/);
    expect(agoTime('2025-12-31T01:00:00Z', now)).toMatch(/1 day/);
    expect(agoTime('<b>', now)).toBe('<b>');
    expect(duration(0)).toBe('0s');
    expect(duration(3700)).toBe('1h 1m 40s');
  });
});
