import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessible } from './harness.mjs';

const PLAN = '/plans/shop/biz1-2.0.0?lang=en';
const focused = (page) => page.evaluate(() => document.activeElement?.textContent?.trim().slice(0, 80));

export function plan({ mock, open }) {
  test('a plan is confirmed with the keyboard alone', async () => {
    const { page, well, close } = await open('/?lang=en');
    await page.getByRole('link', { name: 'Skip to content' }).waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await focused(page), 'Skip to content');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'main');
    const until = async (name, most = 40) => {
      for (let step = 0; step < most; step++) {
        await page.keyboard.press('Tab');
        if ((await focused(page)) === name) return;
      }
      assert.fail(`${name} cannot be reached`);
    };
    await page.locator('tbody tr').first().waitFor();
    await until('biz1-2.0.0');
    await page.keyboard.press('Enter');
    await page.waitForFunction(
      () => document.activeElement?.tagName === 'H1' && document.activeElement.textContent === 'Plan biz1-2.0.0',
    );
    await page.getByRole('button', { name: 'Confirm' }).waitFor();
    await until('Confirm');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    assert.match(await dialog.textContent(), /number 1 .*kubectl koupleless plan confirm biz1-2\.0\.0 -n shop/s);
    await accessible(page, 'the dialog');
    // The focus stays in the dialog, and goes back to the button when Escape closes it.
    for (let step = 0; step < 8; step++) {
      await page.keyboard.press('Tab');
      assert.ok(await page.evaluate(() => document.querySelector('dialog')?.contains(document.activeElement)));
    }
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.equal(await focused(page), 'Confirm');
    assert.deepEqual(mock.state.acted, []);
    await page.keyboard.press('Enter');
    await dialog.waitFor();
    await page.waitForFunction(() => document.activeElement?.closest('dialog'));
    while ((await focused(page)) !== 'Confirm') await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText('confirm was done').waitFor();
    assert.deepEqual(mock.state.acted, [['confirm', { uid: 'u1', number: 1 }]]);
    assert.equal(await focused(page), 'Confirm');
    await well();
    await close();
  });

  test('a confirmation that is stale says so, and the plan is shown anew', async () => {
    const { page, well, close } = await open(PLAN);
    await page.getByRole('button', { name: 'Confirm' }).click();
    mock.state.number = 2;
    // Even where the page has heard of the new number meanwhile, the one that the person saw is sent.
    mock.send('change', { kinds: ['plans'] });
    await page.waitForTimeout(1200);
    await page.getByRole('dialog').getByRole('button', { name: 'Confirm' }).click();
    await page.getByText('number 1 is not offered any more').waitFor();
    await page.getByText('The plan changed meanwhile').waitFor();
    assert.equal(await page.getByRole('dialog').count(), 0);
    assert.deepEqual(mock.state.acted, []);
    await page.getByRole('button', { name: 'Confirm' }).click();
    assert.match(await page.getByRole('dialog').textContent(), /number 2/);
    await page.getByRole('dialog').getByRole('button', { name: 'Confirm' }).click();
    await page.getByText('confirm was done').waitFor();
    assert.deepEqual(mock.state.acted, [['confirm', { uid: 'u1', number: 2 }]]);
    await well();
    await close();
  });

  test('what may not be done says why, and does nothing', async () => {
    const { page, close } = await open(PLAN);
    const resume = page.getByRole('button', { name: 'Resume' });
    await resume.waitFor();
    assert.equal(await resume.getAttribute('aria-disabled'), 'true');
    const described = await resume.getAttribute('aria-describedby');
    assert.equal(await page.locator(`[id="${described}"]`).textContent(), 'The plan is not paused.');
    await resume.click({ force: true });
    assert.equal(await page.getByRole('dialog').count(), 0);
    await close();
  });

  test('an action that fails says so in its dialog', async () => {
    const { page, close } = await open(PLAN);
    await page.getByRole('button', { name: 'Pause' }).click();
    mock.state.failWrites = [403, 'Forbidden', 'you may not patch operationplans'];
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('dialog').getByText('you may not patch operationplans').waitFor();
    await close();
  });

  test('a plan is made: previewed, tried, created', async () => {
    const { page, well, close } = await open('/plans/new?lang=en');
    await page.getByLabel('Workload', { exact: true }).selectOption('shop/Deployment/biz1');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByText('Choose a workload, a module and a version').waitFor();
    await page.getByLabel('New version').fill('2.0.0');
    assert.equal(await page.getByLabel('Name of the plan').inputValue(), 'biz1-2.0.0');
    await page.getByRole('button', { name: 'Add a batch' }).click();
    const second = page.getByRole('group', { name: 'Batch 2' });
    await second.getByLabel('Name').fill('canary');
    await second.getByLabel('Size').fill('10%');
    await second.getByLabel('Label selector').fill('ring=canary');
    await second.getByRole('button', { name: 'Move up' }).click();
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByText('name: biz1-2.0.0').waitFor();
    await page.getByText('kubectl patch deployment biz1').waitFor();
    await page.getByRole('button', { name: 'Dry run' }).click();
    await page.getByText('The API server would accept the plan').waitFor();
    assert.deepEqual(mock.state.created, []);
    await accessible(page, 'the preview');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByText('The plan was created.').waitFor();
    assert.deepEqual(
      mock.state.created.map(({ name, batches }) => [name, batches.map((batch) => batch.name)]),
      [['biz1-2.0.0', ['canary', 'beta', 'rest']]],
    );
    assert.equal(mock.state.created[0].batches[0].selector, 'ring=canary');
    assert.match(page.url(), /target=shop%2FDeployment%2Fbiz1/);
    await well();
    await close();
  });
}
