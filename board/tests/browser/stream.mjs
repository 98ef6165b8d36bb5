import assert from 'node:assert/strict';
import { test } from 'node:test';

const CUT = 'This page has lost its connection';

export function stream({ mock, open }) {
  const asked = (path) => mock.state.asked.filter((line) => line.startsWith(`GET ${path}?`)).length;

  test('a stream that is cut says so, and what changed meanwhile is shown when it is back', async () => {
    const { page, well, close } = await open('/bases?lang=en');
    await page.locator('tbody tr').first().waitFor();
    mock.state.refuse = true;
    mock.cut();
    await page.getByText(CUT).waitFor();
    assert.ok((await page.locator('tbody tr').count()) > 0, 'what was shown stays');
    mock.state.refuse = false;
    const before = asked('/bases');
    await page.getByText(CUT).waitFor({ state: 'detached' });
    await page.waitForTimeout(100);
    for (let tries = 0; asked('/bases') === before && tries < 20; tries++) await page.waitForTimeout(100);
    assert.ok(asked('/bases') > before);
    await well();
    await close();
  });

  test('what is stale has a banner until it is fresh', async () => {
    const { page, close } = await open('/bases?lang=en');
    await page.locator('tbody tr').first().waitFor();
    await page.waitForTimeout(1500);
    mock.send('stale', { since: '2026-11-29T11:00:00Z' });
    await page.getByText('has not heard the API server since').waitFor();
    mock.send('fresh', {});
    await page.getByText('has not heard the API server since').waitFor({ state: 'detached' });
    await close();
  });

  test('many changes are one request a second, of what is shown only, and keep focus and scroll', async () => {
    const { page, close } = await open('/me?lang=en');
    mock.state.many = true;
    await page.goto(`${mock.url}/bases?lang=en`);
    await page.locator('tbody tr').first().waitFor();
    await page.waitForTimeout(1200);
    await page.locator('tbody tr:nth-child(60) a').first().focus();
    const scroll = await page.evaluate(() => window.scrollY);
    assert.ok(scroll > 0);
    const before = asked('/bases');
    for (let count = 0; count < 30; count++) {
      mock.send('change', { kinds: ['bases'] });
      mock.send('change', { kinds: ['replicas'] });
      await page.waitForTimeout(100);
    }
    const more = asked('/bases') - before;
    assert.ok(more >= 1 && more <= 4, `${more} requests in 3 s`);
    assert.equal(await page.evaluate(() => window.scrollY), scroll);
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'virtual-node-0059');
    assert.equal(asked('/plans'), 0);
    await close();
  });

  test('an API server that is away leaves what is shown', async () => {
    const { page, close } = await open('/plans?lang=en');
    await page.locator('tbody tr').first().waitFor();
    mock.state.fail = [502, 'Away', 'the API server does not answer'];
    await page.waitForTimeout(1100);
    mock.send('change', { kinds: ['plans'] });
    await page.getByText('the API server does not answer').waitFor();
    assert.ok((await page.locator('tbody tr').count()) > 0);
    mock.state.fail = null;
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('the API server does not answer').waitFor({ state: 'detached' });
    await close();
  });

  test('what is gone is not shown any more', async () => {
    const { page, close } = await open('/plans/shop/biz1-2.0.0?lang=en');
    await page.getByRole('button', { name: 'Confirm' }).waitFor();
    await page.waitForTimeout(1100);
    mock.state.fail = [404, 'NotFound', 'there is no such plan'];
    mock.send('change', { kinds: ['plans'] });
    await page.getByText('there is no such plan').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Confirm' }).count(), 0);
    await close();
  });

  test('a server that is busy is left alone as long as it asks for', async () => {
    const { page, close } = await open('/plans?lang=en');
    await page.locator('tbody tr').first().waitFor();
    await page.waitForTimeout(1100);
    mock.state.fail = [429, 'Busy', 'too many requests'];
    mock.send('change', { kinds: ['plans'] });
    await page.getByText('too many requests').waitFor();
    const before = asked('/plans');
    mock.state.fail = null;
    mock.send('change', { kinds: ['plans'] });
    await page.waitForTimeout(1300);
    assert.equal(asked('/plans'), before);
    await page.getByText('too many requests').waitFor({ state: 'detached' });
    await close();
  });

  test('a tab that nobody looks at gives its connection back, and catches up when it is looked at', async () => {
    const { page, close } = await open('/bases?lang=en');
    await page.clock.install();
    await page.reload();
    await page.locator('tbody tr').first().waitFor();
    const look = (hidden) =>
      page.evaluate((value) => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
        document.dispatchEvent(new Event('visibilitychange'));
      }, hidden);
    const until = async (done) => {
      for (let tries = 0; !done() && tries < 50; tries++) await page.waitForTimeout(50);
      assert.ok(done());
    };
    await until(() => mock.state.streams.size === 1);
    await look(true);
    await page.clock.fastForward(31_000);
    await until(() => mock.state.streams.size === 0);
    const before = asked('/bases');
    await look(false);
    await page.clock.fastForward(2_000);
    await until(() => mock.state.streams.size === 1 && asked('/bases') > before);
    assert.equal(await page.getByText(CUT).count(), 0);
    await close();
  });

  test('silence for 40 s is a line that is cut, comments are none', async () => {
    const { page, close } = await open('/me?lang=en');
    await page.clock.install();
    await page.reload();
    await page.getByRole('heading', { name: 'Account' }).waitFor();
    await page.waitForTimeout(300);
    await page.clock.fastForward(30_000);
    mock.state.streams.forEach((stream) => stream.write(': still here\n\n'));
    await page.waitForTimeout(300);
    await page.clock.fastForward(30_000);
    await page.waitForTimeout(100);
    assert.equal(await page.getByText(CUT).count(), 0);
    await page.clock.fastForward(15_000);
    await page.getByText(CUT).waitFor();
    await page.clock.fastForward(2_000);
    await page.getByText(CUT).waitFor({ state: 'detached' });
    await close();
  });
}
