// What the page takes with a fleet behind it. It judges nothing: each figure is told to whoever runs it.
import { get } from 'node:http';
import { main, outside, person } from './harness.mjs';

const { BOARD_URL, VIEWER, BASES, NEW_NODE, VIEWERS } = process.env;

/** A page, and when it was seen to show what was asked for: 0 before. They run in the browser, and know of nothing else here. */
const VIEWS = [
  ['overview', '/', (all) => (document.querySelector('main .figures')?.textContent.includes(`/${all}`) ? performance.now() : 0)],
  ['bases', '/bases', (all) => (document.querySelector('tbody tr') && document.querySelector('main').textContent.includes(all) ? performance.now() : 0)],
  ['modules', '/modules', () => (document.querySelector('tbody tr') ? performance.now() : 0)],
  ['matrix', '/matrix', (all) => (document.querySelector('.matrix canvas') && document.querySelector('main').textContent.includes(all) ? performance.now() : 0)],
];

const figure = (what, unit, value) => outside(`figure ${unit} ${value} ${what}`);

/** From the navigation's start until it is seen; what it took over the wire; what the page's heap is then, without what is garbage. */
async function look(page, [name, path, seenAt]) {
  await page.goto(`${BOARD_URL}${path}?lang=en`, { waitUntil: 'commit' });
  const seen = await page.waitForFunction(seenAt, Number(BASES).toLocaleString('en'), { timeout: 60_000 });
  await figure(`${name}: first useful view`, 'ms', await seen.jsonValue());
  const bytes = await page.evaluate(() =>
    performance.getEntriesByType('resource').filter(({ name }) => name.includes('/api/')).reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
  );
  await figure(`${name}: answers, compressed`, 'KiB', bytes / 1024);
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  await session.detach();
  await figure(`${name}: heap of the page`, 'MiB', usedSize / 2 ** 20);
}

/** The longest task while the matrix is scrolled from one corner to the other. */
async function scroll(page) {
  const most = await page.evaluate(async () => {
    const tasks = [0];
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
    const port = document.querySelector('.matrix');
    for (let step = 0; step < 120; step++) {
      port.scrollTo((step * 137) % Math.max(1, port.scrollWidth - port.clientWidth), (step / 120) * (port.scrollHeight - port.clientHeight));
      await new Promise(requestAnimationFrame);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
    return Math.max(...tasks);
  });
  await figure('matrix: the longest task while it is scrolled', 'ms', most);
}

/** From the API server's answer until a new base is on the page. */
async function update(page) {
  await page.goto(`${BOARD_URL}/bases?lang=en&q=${NEW_NODE}`);
  await page.getByRole('search').first().waitFor();
  await page.locator('tbody tr').waitFor({ state: 'detached' });
  await outside('node');
  const start = performance.now();
  await page.getByRole('link', { name: NEW_NODE }).waitFor();
  await figure('bases: from the write to the page', 'ms', performance.now() - start);
}

/** One who looks on, with a token of the own. */
async function viewer() {
  const token = await outside('token');
  const login = await fetch(`${BOARD_URL}/api/v1/session`, {
    method: 'POST',
    headers: { 'x-koupleless-board': '1', 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
  });
  const cookie = login.headers.get('set-cookie').split(';')[0];
  return new Promise((resolve, reject) => {
    const request = get(`${BOARD_URL}/api/v1/stream`, { headers: { cookie }, agent: false }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`a stream: ${response.statusCode}`));
      response.once('data', () => resolve(request)).resume();
    });
    request.on('error', reject);
  });
}

main(async () => {
  const { page } = await person(VIEWER);
  const [[overview, ...first]] = VIEWS;
  await look(page, [`${overview}, while the board reads all`, ...first]);
  for (const view of VIEWS) await look(page, view);
  await scroll(page);
  await update(page);
  const before = Number(await outside('watches'));
  const viewers = [];
  for (let one = 0; one < Number(VIEWERS); one++) viewers.push(await viewer());
  await figure(`watches at the API server that ${viewers.length} viewers add`, 'count', Number(await outside('watches')) - before);
  await outside('idle');
});
