// One browser for all tests: starting it is what takes the time.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { startMock } from './mock.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
const rooms = [];

export async function stop() {
  await browser.close();
  for (const mock of rooms) mock.close();
}

/** A context of the browser with a mock server of its own: tests of one room run one after the other. */
export async function room() {
  const mock = await startMock(fileURLToPath(new URL('../../dist', import.meta.url)));
  rooms.push(mock);
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    locale: 'en-GB',
    reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(15_000);
  // A violation of the CSP is kept where no error of it can be missed.
  await context.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) =>
      window.violations.push(`${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  return { mock, open: (path, options) => openPage(mock, context, path, options) };
}

/** A page that is logged in, with what went wrong in it. */
async function openPage(mock, context, path = '/', { loggedIn = true } = {}) {
  Object.assign(mock.state, {
    refuse: false,
    fail: null,
    failWrites: null,
    many: false,
    number: 1,
    acted: [],
    created: [],
    asked: [],
  });
  await context.clearCookies();
  if (loggedIn) {
    mock.state.sessions.add('here');
    await context.addCookies([{ name: 'board', value: 'here', url: mock.url, httpOnly: true, sameSite: 'Strict' }]);
  }
  const page = await context.newPage();
  const problems = [];
  page.on('console', (message) => {
    // The browser itself reports each answer of 4xx and 5xx, and each line that is cut.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  await page.goto(mock.url + path);
  return {
    page,
    /** Nothing went wrong in the page, and no text of the cluster became more than text. */
    async well() {
      problems.push(...(await page.evaluate(() => window.violations)));
      assert.deepEqual(problems, []);
      assert.equal(await page.evaluate(() => window.pwned), undefined);
      assert.equal(
        await page.locator('#app img, #app script, #app iframe, #app [onerror], #app [href^="javascript:"]').count(),
        0,
      );
    },
    close: () => page.close(),
  };
}

export async function settled(page) {
  await page.locator('h1').waitFor();
  await page.waitForFunction(
    () =>
      ![...document.querySelectorAll('main > p[role=status]')].some((one) => /Loading|加载中/.test(one.textContent)),
  );
}

export async function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

export async function accessible(page, name, only) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
  const found = await page.evaluate(
    async ([tags, rules]) => {
      const { violations } = await window.axe.run(document, {
        runOnly: rules ? { type: 'rule', values: rules } : { type: 'tag', values: tags },
        resultTypes: ['violations'],
        preload: false,
      });
      return violations.map(
        ({ id, nodes }) =>
          `${id}: ${nodes
            .slice(0, 3)
            .map(({ html, failureSummary }) => html.slice(0, 200) + ' ' + failureSummary)
            .join(' | ')}`,
      );
    },
    [RULES, only],
  );
  assert.deepEqual(found, [], name);
}
