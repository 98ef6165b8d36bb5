import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError, address, path, read, write } from '../../src/api/client';
import { language } from '../../src/state/language';

const answer = (body: BodyInit | null, init: ResponseInit = {}) =>
  vi.stubGlobal(
    'fetch',
    vi.fn(async () => new Response(body, init)),
  );
const called = () => vi.mocked(fetch).mock.calls[0] as [string, RequestInit];
const problem = async (promise: Promise<unknown>) => {
  const caught = await promise.catch((error: unknown) => error);
  expect(caught).toBeInstanceOf(ApiError);
  return caught as ApiError;
};

beforeEach(() => {
  language.value = 'zh';
});
afterEach(() => vi.unstubAllGlobals());

describe('requests', () => {
  it('say their language', async () => {
    answer('{"a":1}');
    expect(await read('/plans')).toEqual({ a: 1 });
    expect(called()[0]).toBe('/api/v1/plans?lang=zh');
    expect(address('/events?about=x', 'en')).toBe('/api/v1/events?about=x&lang=en');
  });

  it('have names of the cluster as one segment each', () => {
    expect(path('shop', 'a/../b?c#d')).toBe('/shop/a%2F..%2Fb%3Fc%23d');
  });

  it('that change something have the header against forgery', async () => {
    answer(null, { status: 204 });
    expect(await write('POST', '/session', { token: 'x' })).toBeNull();
    const [, init] = called();
    expect(init.headers).toMatchObject({ 'x-koupleless-board': '1', 'content-type': 'application/json' });
    expect(init.body).toBe('{"token":"x"}');
  });
});

describe('errors', () => {
  it('have code, message and suggestion of the server', async () => {
    answer('{"code":"StaleConfirmation","message":"旧","suggestion":"看"}', { status: 409 });
    expect(await problem(write('POST', '/x'))).toMatchObject({
      status: 409,
      code: 'StaleConfirmation',
      message: '旧',
      suggestion: '看',
      retryAfter: null,
    });
  });

  it('say when to ask again', async () => {
    answer('{"code":"Busy","message":"m","suggestion":""}', { status: 429, headers: { 'retry-after': '7' } });
    expect((await problem(read('/x'))).retryAfter).toBe(7);
    answer('{"code":"Busy"}', { status: 503, headers: { 'retry-after': 'Thu, 01 Jan 2026 00:00:00 GMT' } });
    expect((await problem(read('/x'))).retryAfter).toBeNull();
  });

  it('of a proxy in between have the status', async () => {
    answer('<html>', { status: 504, statusText: 'Gateway Timeout' });
    expect(await problem(read('/x'))).toMatchObject({ code: 'Unreadable', message: 'HTTP 504 Gateway Timeout' });
    answer('null', { status: 401 });
    expect(await problem(read('/x'))).toMatchObject({ code: 'Unauthorized' });
    answer('{"code":5,"message":{}}', { status: 500 });
    expect(await problem(read('/x'))).toMatchObject({ code: 'Unreadable' });
  });

  it('tell a line that is cut from an answer that is none', async () => {
    vi.stubGlobal(
      'fetch',
      vi.fn(() => Promise.reject(new TypeError('Failed to fetch'))),
    );
    expect(await problem(read('/x'))).toMatchObject({ status: 0, code: 'Network' });
    answer('{"half":');
    expect(await problem(read('/x'))).toMatchObject({ code: 'Unreadable' });
  });

  it('are not made of what the page itself gave up', async () => {
    const given = new AbortController();
    given.abort();
    vi.stubGlobal(
      'fetch',
      vi.fn(() => Promise.reject(given.signal.reason)),
    );
    await expect(read('/x', given.signal)).rejects.toBe(given.signal.reason);
  });
});
