// A browser, people in it, and somebody outside who does what a browser cannot.
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const { BOARD_URL, CHROMIUM } = process.env;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Asks for something outside the browser; waits until it is done, and gives what was answered. */
export async function outside(what) {
  console.log(`>> ${what}`);
  return (await lines.next()).value;
}

/** Says how far the script is: it is shown where it fails. */
export const step = (what) => console.log(what);

const pages = [];
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });

/** Somebody with a browser of the own, logged in. */
export async function person(token, path = '/?lang=en') {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB', reducedMotion: 'reduce' });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  pages.push(page);
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  await page.goto(BOARD_URL + path);
  await logIn(page, token);
  return { context, page };
}

export async function logIn(page, token) {
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Log in' }).waitFor({ state: 'detached' });
}

export async function go(page, path) {
  await page.goto(BOARD_URL + path);
}

/** Presses the button of an action, and the one of its dialog. */
export async function act(page, name) {
  await page.getByRole('button', { name, exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name, exact: true }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
}

export async function end() {
  await browser.close();
  process.exit(0);
}

/** A script that fails says where, and leaves no browser behind. */
export function main(script) {
  script().then(end, async (error) => {
    console.log(String(error?.stack ?? error).replaceAll('\n', ' | '));
    for (const page of pages.filter((one) => !one.isClosed())) console.log((await page.locator('body').innerText()).replaceAll('\n', ' | ').slice(0, 2000));
    await browser.close();
    process.exit(1);
  });
}

export { assert };
