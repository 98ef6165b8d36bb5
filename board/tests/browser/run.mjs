// All browser tests in one process, after `npm run build`.
import { after, describe } from 'node:test';
import { room, stop } from './harness.mjs';
import { lists } from './lists.mjs';
import { matrix } from './matrix.mjs';
import { pages } from './pages.mjs';
import { plan } from './plan.mjs';
import { session } from './session.mjs';
import { stream } from './stream.mjs';

const [one, other] = await Promise.all([room(), room()]);

// Two lanes, one for each core; the tests of the stream mostly wait.
describe('the board', { concurrency: 2 }, () => {
  describe('lane 1', { concurrency: 1 }, () => {
    stream(one);
    pages(one, 'zh');
  });
  describe('lane 2', { concurrency: 1 }, () => {
    session(other);
    plan(other);
    lists(other);
    pages(other, 'en');
    matrix(other);
  });
});

after(stop);
