import { describe, expect, it } from 'vitest';
import { match } from '../../src/match';
import { chosenLanguage } from '../../src/state/language';
import { placeOf, safeBack, urlOf, withValues } from '../../src/state/url';

describe('the URL', () => {
  it('keeps path, query and fragment', () => {
    for (const url of [
      '/',
      '/plans?q=biz+1&problems=1',
      '/codes#Arklet.PullBizError',
      '/bases/a%2Fb?q=%3Cscript%3E#%22',
    ]) {
      expect(urlOf(placeOf(url))).toBe(url);
    }
  });

  it('takes half an escape in the fragment as it stands', () => {
    expect(placeOf('/codes#%E4%').hash).toBe('%E4%');
  });

  it('takes out values that are empty and leaves the others', () => {
    const query = new URLSearchParams('q=a&page=3&lines.q=b');
    expect(withValues(query, { q: 'c d', page: '' }).toString()).toBe('q=c+d&lines.q=b');
    expect(query.get('page')).toBe('3');
  });

  it('goes back into this board only', () => {
    expect(safeBack('/plans/a/b?q=1#x')).toBe('/plans/a/b?q=1#x');
    for (const bad of [
      null,
      '',
      'plans',
      'https://evil.example',
      '//evil.example',
      '/\\evil.example',
      'javascript:alert(1)',
      '/\t/evil.example',
      '/login?back=/login',
    ]) {
      expect(safeBack(bad)).toBe('/');
    }
  });

  it('finds names in paths, whatever is in them', () => {
    expect(match('/plans/:/:', '/plans/shop/biz1-2.0.0')).toEqual(['shop', 'biz1-2.0.0']);
    expect(match('/bases/:', '/bases/' + encodeURIComponent('a/b?c#d%'))).toEqual(['a/b?c#d%']);
    expect(match('/bases/:', '/bases/a/')).toEqual(['a']);
    expect(match('/', '/')).toEqual([]);
    expect(match('/plans/new', '/plans/new')).toEqual([]);
    for (const other of ['/bases', '/bases/', '/bases//', '/bases/a/b', '/bases/%E4%'])
      expect(match('/bases/:', other)).toBeNull();
  });
});

describe('the language', () => {
  it('is that of the query, then the remembered one, then that of the browser', () => {
    expect(chosenLanguage('zh', 'en', ['en'])).toBe('zh');
    expect(chosenLanguage(null, 'zh', ['en-US'])).toBe('zh');
    expect(chosenLanguage('fr', null, ['de', 'zh-CN', 'en'])).toBe('zh');
    expect(chosenLanguage(null, null, ['fr'])).toBe('en');
  });
});
