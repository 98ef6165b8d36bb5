import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settled } from './harness.mjs';

/** What lists, switches and links do. */
export function lists({ mock, open }) {
  test('texts of the server are asked for in the language, and anew when it is switched', async () => {
    const { page, well, close } = await open('/codes?lang=en');
    await page.getByText('The package cannot be pulled').waitFor();
    await page.getByLabel('Language').selectOption('zh');
    await page.getByText('拉包失败').waitFor();
    assert.equal(await page.locator('h1').textContent(), '错误码');
    await page.waitForURL(/lang=zh/);
    await page.goto(mock.url + '/codes');
    await page.getByText('拉包失败').waitFor();
    await page.evaluate(() => localStorage.clear());
    await well();
    await close();
  });

  test('the theme can be chosen and is remembered', async () => {
    const { page, close } = await open('/me?lang=en');
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    await settled(page);
    const light = await ground();
    await page.getByLabel('Theme').selectOption('dark');
    const dark = await ground();
    assert.notEqual(dark, light);
    await page.reload();
    await settled(page);
    assert.equal(await ground(), dark);
    await page.evaluate(() => localStorage.clear());
    await close();
  });

  test('a list has its view in the URL, and history works', async () => {
    const { page, well, close } = await open('/bases?lang=en');
    mock.state.many = true;
    await page.reload();
    await page.getByText('1,002 rows').waitFor();
    assert.equal(await page.locator('tbody tr').count(), 100);
    await page.getByRole('searchbox').fill('host-99');
    await page.getByText('11 of 1,002 rows').waitFor();
    await page.getByRole('button', { name: 'Host' }).click();
    await page.getByRole('button', { name: 'Host' }).click();
    await page.waitForURL(/q=host-99&sort=-host/);
    assert.match(await page.locator('tbody tr').first().textContent(), /host-999/);
    await page.locator('tbody a').first().click();
    await page.waitForURL(/\/bases\/virtual-node-0999$/);
    await page.waitForFunction(() => document.activeElement?.tagName === 'H1');
    await page.goBack();
    await page.getByText('11 of 1,002 rows').waitFor();
    assert.equal(await page.getByRole('searchbox').inputValue(), 'host-99');
    await page.getByLabel('Only problems').check();
    await page.getByText('Nothing matches the filter.').waitFor();
    await well();
    await close();
  });

  test('50,000 lines do not freeze the page', async () => {
    const { page, close } = await open('/me?lang=en');
    mock.state.many = true;
    await page.goto(`${mock.url}/modules/biz1?lang=en`);
    await page.getByText('50,002 rows').waitFor();
    const start = Date.now();
    const filter = page.getByRole('searchbox', { name: 'Filter' }).last();
    await filter.fill('virtual-node-4999');
    await page.getByText(/of 50,002 rows/).waitFor();
    assert.ok(Date.now() - start < 3000, `filtering took ${Date.now() - start} ms`);
    assert.ok((await page.locator('tbody tr').count()) < 200);
    await close();
  });

  test('error codes lead to their entry', async () => {
    const { page, well, close } = await open('/events?lang=en');
    await page.getByRole('link', { name: 'Arklet.PullBizError' }).click();
    await page.waitForURL(/\/codes#Arklet\.PullBizError$/);
    await page.locator('tr.marked', { hasText: 'The package cannot be pulled' }).waitFor();
    assert.equal(await page.locator('tr.marked').count(), 2, 'a code may have two entries');
    await page.goto(`${mock.url}/codes?lang=en#Un.Known`);
    await page.getByText('The table has no entry Un.Known').waitFor();
    await well();
    await close();
  });
}
