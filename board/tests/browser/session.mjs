import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessible, overflow } from './harness.mjs';

async function logIn(page, token = 'good') {
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
}

export function session({ mock, open }) {
  test('the log-in page is accessible, in both languages and themes', async () => {
    for (const [language, title] of [
      ['en', 'Log in'],
      ['zh', '登录'],
    ]) {
      const { page, well, close } = await open(`/?lang=${language}`, { loggedIn: false });
      await page.getByRole('heading', { name: title }).waitFor();
      await page.getByText('kubectl create token NAME').waitFor();
      assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'INPUT');
      await accessible(page, 'light');
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.setViewportSize({ width: 390, height: 800 });
      await accessible(page, 'dark');
      assert.ok((await overflow(page)) <= 0);
      await well();
      await close();
    }
  });

  test('who logs in comes where the link led, and nothing is kept of the token', async () => {
    const { page, well, close } = await open('/modules/biz1?lang=en&q=virtual#x', { loggedIn: false });
    await logIn(page, 'bad');
    await page.getByText('The token is not accepted').waitFor();
    assert.match(page.url(), /\/login\?back=/);
    await logIn(page);
    await page.getByRole('heading', { name: 'Module biz1' }).waitFor();
    assert.match(page.url(), /\/modules\/biz1\?lang=en&q=virtual#x$/);
    assert.equal(
      await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }).includes('good')),
      false,
    );
    assert.equal(await page.evaluate(() => document.cookie), '');
    await well();
    await close();
  });

  test('a link to elsewhere is not followed after the log-in', async () => {
    const { page, close } = await open('/login?lang=en&back=//evil.example/', { loggedIn: false });
    await logIn(page);
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    assert.equal(new URL(page.url()).origin, mock.url);
    await close();
  });

  test('a session that expires leads to the log-in and back', async () => {
    const { page, well, close } = await open('/bases?lang=en&q=host');
    await page.getByRole('heading', { name: 'Bases' }).waitFor();
    await page.locator('tbody tr').first().waitFor();
    mock.state.sessions.clear();
    mock.send('expired', {});
    await page.getByText('Your session has ended.').waitFor();
    assert.equal(await page.locator('tbody').count(), 0);
    await logIn(page);
    await page.getByRole('heading', { name: 'Bases' }).waitFor();
    assert.match(page.url(), /\/bases\?lang=en&q=host$/);
    // The same when the answer to a request says it.
    mock.state.sessions.clear();
    mock.send('change', { kinds: ['bases'] });
    await page.getByText('Your session has ended.').waitFor();
    await logIn(page);
    await page.getByRole('heading', { name: 'Bases' }).waitFor();
    await well();
    await close();
  });

  test('who logs out sees nothing any more', async () => {
    const { page, close } = await open('/me?lang=en');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    assert.equal(mock.state.sessions.has('here'), false);
    await page.goBack().catch(() => undefined);
    assert.equal(await page.locator('tbody').count(), 0);
    await close();
  });
}
