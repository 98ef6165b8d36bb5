import assert from 'node:assert/strict';
import { test } from 'node:test';

export function matrix({ open }) {
  test('1,000 by 50 cells scroll without a long task', async () => {
    const { page, well, close } = await open('/matrix?lang=en');
    await page.getByText('1,000 bases, 50 modules').waitFor();
    const longest = await page.evaluate(async () => {
      const tasks = [];
      new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({
        type: 'longtask',
      });
      const port = document.querySelector('.matrix');
      for (let step = 0; step < 60; step++) {
        port.scrollTo(
          (step * 137) % (port.scrollWidth - port.clientWidth),
          (step / 60) * (port.scrollHeight - port.clientHeight),
        );
        await new Promise(requestAnimationFrame);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
      return {
        most: Math.max(0, ...tasks),
        height: port.scrollHeight,
        canvas: document.querySelector('canvas').height,
      };
    });
    assert.ok(longest.most < 200, `a task of ${longest.most} ms`);
    assert.equal(longest.height, 28 + 1000 * 24);
    assert.ok(longest.canvas < 2000, 'the canvas is as large as the window only');
    await well();
    await close();
  });

  test('the cursor of the matrix moves by keys, is read out, and opens a base', async () => {
    const { page, close } = await open('/matrix?lang=en');
    const matrix = page.getByRole('application', { name: 'Matrix of bases and modules' });
    const readout = page.locator('.readout [role=status]');
    await matrix.focus();
    assert.equal(await readout.textContent(), 'virtual-node-0000, biz0: not there');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction(() =>
      /^virtual-node-0001, biz1: x+ ACTIVATED \(well\)$/.test(
        document.querySelector('.readout [role=status]').textContent,
      ),
    );
    await page.keyboard.press('Control+End');
    await page.waitForFunction(() =>
      document.querySelector('.readout [role=status]').textContent.startsWith('virtual-node-0999, biz49'),
    );
    const scrolled = await matrix.evaluate((port) => [
      port.scrollTop + port.clientHeight - port.scrollHeight,
      port.scrollLeft + port.clientWidth - port.scrollWidth,
    ]);
    assert.ok(
      scrolled.every((left) => Math.abs(left) <= 1),
      String(scrolled),
    );
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/bases\/virtual-node-0999$/);
    await close();
  });

  test('the matrix is filtered by the URL, and can be a table', async () => {
    const { page, well, close } = await open('/matrix?lang=en&q=virtual-node-009&m=biz1&problems=1');
    await page.getByText('2 bases, 11 modules').waitFor();
    await page.getByLabel('Filter bases').fill('nothing');
    await page.getByText('0 bases, 11 modules').waitFor();
    await page.getByText('Nothing matches the filter.').waitFor();
    await page.getByLabel('Filter bases').fill('');
    await page.getByLabel('As a table').check();
    await page.locator('tbody tr').first().waitFor();
    await page.waitForURL(/view=table/);
    assert.equal(await page.getByRole('columnheader').count(), 4);
    await well();
    await close();
  });
}
