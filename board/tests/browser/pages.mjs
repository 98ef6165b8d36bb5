import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessible, overflow, settled } from './harness.mjs';

// No two of one page in a row: the title says when the next one is there.
const PAGES = [
  '/',
  '/plans',
  '/plans/shop/biz1-2.0.0',
  '/plans/new',
  '/modules',
  '/modules/biz1',
  '/bases',
  '/bases/virtual-node-0000',
  '/matrix',
  '/baseline',
  '/matrix?view=table',
  '/events',
  '/codes',
  '/events?about=Pod/shop/biz1-1',
  '/me',
  '/nowhere',
  '/modules/biz1?q=nothing+like+it',
];
// What goes by the theme: the other rules need not be tried again in the other one.
const BY_THEME = ['color-contrast', 'link-in-text-block'];

/** Every page in one language. */
export function pages({ open }, language) {
  test(`pages in ${language}: no error, accessible in both themes, no overflow`, async (t) => {
    const { page, well, close } = await open(`/?lang=${language}`);
    for (const path of PAGES) {
      await t.test(path, async () => {
        await page.setViewportSize({ width: 1280, height: 900 });
        await page.emulateMedia({ colorScheme: 'light' });
        // The page goes there by itself, as by a link: to load it anew each time is what takes long.
        await page.evaluate((to) => {
          document.title = '';
          history.pushState(null, '', to);
          dispatchEvent(new PopStateEvent('popstate'));
        }, path);
        await settled(page);
        await page.waitForFunction(() => document.title !== '');
        assert.equal(await page.locator('html').getAttribute('lang'), language === 'zh' ? 'zh-CN' : 'en');
        assert.equal(await page.locator('h1').count(), 1);
        assert.ok((await overflow(page)) <= 0, `${path} overflows at 1280`);
        await accessible(page, `${path} light`);
        await page.setViewportSize({ width: 390, height: 800 });
        await page.emulateMedia({ colorScheme: 'dark' });
        assert.ok((await overflow(page)) <= 0, `${path} overflows at 390`);
        // So wide is a page of 1280 at 400 %.
        await page.setViewportSize({ width: 320, height: 800 });
        assert.ok((await overflow(page)) <= 0, `${path} overflows at 320`);
        await accessible(page, `${path} dark`, BY_THEME);
        await well();
      });
    }
    await close();
  });
}
