// Every page with what a real cluster has, in both languages and themes: no error, no rule broken, nothing that overflows, nothing hostile
// that runs. The pictures of them are kept.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { assert, go, main, outside, person, step } from './harness.mjs';

const { NAMESPACE, SRE, NODE, JAVA_NODE, HOSTILE, PICTURES } = process.env;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const about = encodeURIComponent(`Node//${NODE}`);

/** Name of the picture, path, and what is to be seen on it. */
const PAGES = [
  ['overview', '/', 'biz1-2.0.0'],
  ['plans', '/plans', 'biz1-2.0.0'],
  ['plan', `/plans/${NAMESPACE}/biz1-2.0.0`, 'kubectl rollout undo deployment/biz1'],
  ['new-plan', `/plans/new?target=${encodeURIComponent(`${NAMESPACE}/Deployment/biz1`)}`, 'beta'],
  ['modules', '/modules', 'biz1'],
  ['module', '/modules/biz1', NODE],
  ['bases', '/bases', NODE],
  ['base', `/bases/${NODE}`, `kubectl koupleless describe ${NODE}`],
  ['java-base', `/bases/${JAVA_NODE}`, 'biz1'],
  ['matrix', '/matrix', 'biz1'],
  ['baseline', '/baseline', ''],
  ['events', `/events?about=${about}`, ''],
  ['codes', '/codes', 'User.InstallModuleFailed'],
  ['account', '/me', `system:serviceaccount:${NAMESPACE}:sre`],
];

/** Where somebody's texts that nobody may take for more are seen. */
const HOSTILE_PAGES = [
  ['overview', '/', '<img src=x'],
  ['bases', '/bases', HOSTILE],
  ['base', `/bases/${HOSTILE}`, '<img src=x'],
  ['matrix', '/matrix', 'biz1'],
];

async function look(page, name, language, theme) {
  const problems = await page.evaluate(() => [...(window.violations ?? []), ...(window.pwned ? ['something hostile ran'] : [])]);
  assert.deepEqual(problems, [], `${name} ${language}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${name} ${language} is ${wide} px too wide`);
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
  const found = await page.evaluate(async (values) => {
    const { violations } = await window.axe.run(document, { runOnly: { type: 'tag', values }, resultTypes: ['violations'] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`);
  }, RULES);
  assert.deepEqual(found, [], `${name} ${language} ${theme}`);
}

async function show(page, name, path, seen, language) {
  step(`${name} ${language}`);
  await page.emulateMedia({ colorScheme: 'light' });
  await go(page, `${path}${path.includes('?') ? '&' : '?'}lang=${language}`);
  await page.locator('h1').waitFor();
  if (name === 'new-plan') await page.waitForFunction((text) => [...document.querySelectorAll('input')].some((one) => one.value === text), seen);
  else if (seen) await page.waitForFunction((text) => document.querySelector('main')?.textContent.includes(text), seen);
  assert.equal(await page.evaluate(() => document.documentElement.lang.slice(0, 2)), language);
}

main(async () => {
  const { page } = await person(SRE);
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  for (const language of ['en', 'zh']) {
    for (const [name, path, seen] of PAGES) {
      await show(page, name, path, seen, language);
      await look(page, name, language, 'light');
      await page.screenshot({ path: join(PICTURES, `${name}.${language}.png`) });
      await page.emulateMedia({ colorScheme: 'dark' });
      await look(page, name, language, 'dark');
    }
  }
  for (const language of ['en', 'zh']) {
    for (const [name, path, seen] of HOSTILE_PAGES) {
      await outside('hostile');
      await show(page, `hostile ${name}`, path, seen, language);
      await look(page, `hostile ${name}`, language, 'light');
    }
  }
  assert.deepEqual(page.problems, []);
});
