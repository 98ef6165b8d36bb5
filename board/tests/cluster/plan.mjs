// Three releases: one that a person confirms, one that fails and is tried again, one that is aborted.
import { act, assert, go, logIn, main, outside, person, step } from './harness.mjs';

const { NAMESPACE, RELEASER, WATCHER } = process.env;
const planPath = (version) => `/plans/${NAMESPACE}/biz1-${version}?lang=en`;
const see = async (version, pointer) => JSON.parse(await outside(`plan biz1-${version} ${pointer}`));

/** Makes a plan in the page, and gives the line for the workload that the page offers. */
async function make(page, version) {
  await go(page, `/plans/new?lang=en&target=${encodeURIComponent(`${NAMESPACE}/Deployment/biz1`)}`);
  await page.getByLabel('New version').fill(version);
  const beta = page.getByRole('group', { name: 'Batch 1' });
  await beta.getByLabel('Soak (seconds)').fill('1');
  await page.getByRole('group', { name: 'Batch 2' }).getByLabel('Soak (seconds)').fill('0');
  await page.getByRole('button', { name: 'Preview' }).click();
  const line = page.getByText('kubectl patch deployment');
  await line.waitFor();
  await page.getByRole('button', { name: 'Dry run' }).click();
  await page.getByText('The API server would accept the plan').waitFor();
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByText('The plan was created.').waitFor();
  assert.equal(await see(version, '/spec/module/version'), version);
  return (await line.first().textContent()).trim();
}

main(async () => {
  step('the releaser logs in and makes a plan');
  const { page, context } = await person(RELEASER);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  const line = await make(page, '2.0.0');
  await outside(`shell ${line}`);
  await outside('phase biz1-2.0.0 AwaitingConfirm');

  step('the overview asks for a person, and the board starts anew meanwhile');
  await go(page, '/?lang=en');
  await page.getByRole('link', { name: 'biz1-2.0.0' }).first().waitFor();
  await outside('kill');
  await page.getByText('lost its connection').waitFor();
  await outside('start');
  await page.getByText('lost its connection').waitFor({ state: 'detached' });

  step('two tabs ask to confirm, and the second is told that it is too late');
  await go(page, planPath('2.0.0'));
  const second = await context.newPage();
  await go(second, planPath('2.0.0'));
  await second.getByRole('button', { name: 'Confirm', exact: true }).click();
  await second.getByRole('dialog').waitFor();
  await act(page, 'Confirm');
  await page.getByText('confirmed: beta').waitFor();
  const number = await see('2.0.0', '/spec/confirmed');
  assert.equal(number, 1);
  await outside('phase biz1-2.0.0 Succeeded');
  await second.getByRole('dialog').getByRole('button', { name: 'Confirm', exact: true }).click();
  await second.getByText('waits for no confirmation').first().waitFor();
  await page.getByText('Every base has the version.').waitFor();
  await second.close();

  step('who may only look is told why nothing can be done');
  await outside('break biz1:3.0.0');
  await outside(`shell ${await make(page, '3.0.0')}`);
  await outside('phase biz1-3.0.0 Failed');
  const watcher = await person(WATCHER, planPath('3.0.0'));
  const retry = watcher.page.getByRole('button', { name: 'Retry', exact: true });
  await retry.waitFor();
  assert.equal(await retry.getAttribute('aria-disabled'), 'true');
  await watcher.page.getByText('you may not change plans').first().waitFor();
  await watcher.context.close();

  step('a plan that failed is mended, tried again and goes on');
  await go(page, planPath('3.0.0'));
  const { base, code } = (await see('3.0.0', '/status/failures'))[0];
  await page.getByRole('row', { name: base }).getByText(code).waitFor();
  await outside('mend biz1:3.0.0');
  await outside('shell kubectl set image deployment/biz1 biz1=file:///packages/biz1-3.0.0-mended.jar');
  await act(page, 'Retry');
  await page.getByText('attempt 1 begins').waitFor();
  await outside('phase biz1-3.0.0 AwaitingConfirm');
  assert.equal(await see('3.0.0', '/spec/attempt'), 1);

  step('it is paused, resumed and aborted');
  await act(page, 'Pause');
  await page.getByText('paused: nothing more is released').waitFor();
  assert.equal(await see('3.0.0', '/spec/paused'), true);
  await act(page, 'Resume');
  await page.getByText('it goes on', { exact: true }).waitFor();
  assert.equal(await see('3.0.0', '/spec/paused'), null);
  // Paused, it stays where it is even when somebody confirms.
  await act(page, 'Pause');
  await page.getByText('paused: nothing more is released').waitFor();
  await act(page, 'Confirm');
  await outside('phase biz1-3.0.0 Paused');
  await act(page, 'Abort');
  await outside('phase biz1-3.0.0 Aborted');
  assert.equal(await see('3.0.0', '/spec/stop'), 'Abort');
  await page.getByText('Somebody ended it.').waitFor();
  await outside(`shell ${(await page.getByText('kubectl rollout undo').first().textContent()).trim()}`);

  step('a session that expires leads to the log-in and back');
  const again = await outside('expel releaser');
  await page.getByText('Your session has ended.').waitFor();
  await logIn(page, again);
  await page.getByRole('heading', { name: 'Plan biz1-3.0.0' }).waitFor();
  assert.deepEqual(page.problems, []);
});
