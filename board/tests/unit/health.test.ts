import { describe, expect, it } from 'vitest';
import type { BaseDetail, Line } from '../../src/api/types';
import { groupsOf } from '../../src/parts/driftsummary';
import { healthOf } from '../../src/parts/health';

const line = (module: string, more: Partial<Line>): Line => ({
  node: 'n',
  module,
  version: '1',
  state: 'ACTIVATED',
  code: '',
  message: '',
  suggestion: '',
  since: null,
  url: '',
  unasked: null,
  namespace: '',
  pod: '',
  podReady: null,
  owner: null,
  barred: false,
  well: true,
  ...more,
});

const condition = (type: string, status: string) => ({ type, status, reason: `${type}Why`, message: '', since: null });

const detail = (lines: Line[], conditions = [condition('Ready', 'True')], owner = 'replica-a') =>
  ({ base: { node: 'n', owner, renewed: 'then' }, conditions, lines }) as unknown as BaseDetail;

describe('the health of a base', () => {
  it('is its Ready condition, and of its modules those that are not well', () => {
    const lines = [line('a', {}), line('b', { well: false, state: 'BROKEN', code: 'X', message: 'why', podReady: false })];
    const health = healthOf(detail(lines));
    expect([health.tone, health.state]).toEqual(['ok', 'True ReadyWhy']);
    const modules = health.parts.at(-1);
    expect(modules?.tone).toBe('bad');
    expect(modules?.parts.map(({ name, code, message }) => [name, code, message])).toEqual([['b:1', 'X', 'why']]);
  });

  it('tells pressure from readiness, and what nobody knows from both', () => {
    const conditions = [
      condition('MemoryPressure', 'True'),
      condition('Ready', 'Unknown'),
      condition('NetworkUnavailable', 'False'),
    ];
    const health = healthOf(detail([], conditions, ''));
    expect(health.tone).toBe('wait');
    expect(health.parts.map(({ tone }) => tone)).toEqual(['wait', 'bad', 'ok', 'off']);
  });

  it('is unknown where its Node has no condition', () => {
    expect(healthOf(detail([], [])).tone).toBe('wait');
  });
});

describe('differences by kind of base', () => {
  it('are counted for each name and environment, the most first, and each base once', () => {
    const of = (env: string, base: string, node: string, kind: 'Missing' | 'Extra') =>
      ({ env, base, node, kind, module: 'm', wanted: null, found: null }) as const;
    const groups = groupsOf([
      of('prod', 'b', 'n1', 'Extra'),
      of('prod', 'a', 'n2', 'Missing'),
      of('prod', 'a', 'n2', 'Extra'),
      of('test', 'a', 'n3', 'Missing'),
    ]);
    expect(groups.map(({ env, base, bases }) => [env, base, bases])).toEqual([
      ['prod', 'a', 1],
      ['prod', 'b', 1],
      ['test', 'a', 1],
    ]);
    expect(groups[0]?.counts).toEqual({ Missing: 1, NotActive: 0, WrongVersion: 0, Extra: 1 });
  });
});
