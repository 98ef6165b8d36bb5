import { describe, expect, it } from 'vitest';
import type { Target } from '../../src/api/types';
import { draftOf, moduleOf, newBatch, planName, sendable } from '../../src/parts/draft';
import { bytes, quantity } from '../../src/parts/quantity';

const target: Target = {
  namespace: 'shop',
  kind: 'Deployment',
  name: 'biz1',
  modules: [{ name: 'biz1', version: '1.0.0', url: '' }],
  plan: null,
  replicas: 3,
};
const module = { name: 'biz1', version: '1.0.0' };

describe('a new plan', () => {
  it('has a name that Kubernetes takes', () => {
    expect(planName(target, module, ' 2.0.0 ')).toBe('biz1-2.0.0');
    expect(planName(target, module, '2.0.0-SNAPSHOT_x')).toBe('biz1-2.0.0-snapshot-x');
    expect(planName(target, module, 'x'.repeat(300))).toMatch(/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/);
    expect(planName(target, module, '')).toBe('');
    expect(planName(null, null, '1')).toBe('');
  });

  it('is sent when all is there, without what only the page needs', () => {
    const entered = { ...draftOf(), version: '2.0.0' };
    expect(moduleOf(target, entered)).toMatchObject(module);
    const draft = sendable(target, module, 'biz1-2.0.0', entered);
    expect(draft).toMatchObject({
      namespace: 'shop',
      target: { kind: 'Deployment', name: 'biz1' },
      module: { name: 'biz1', version: '2.0.0' },
    });
    expect(draft?.batches[0]).toEqual({
      name: 'beta',
      selector: '',
      size: '1',
      count: null,
      soakSeconds: 600,
      confirm: true,
      maxUnavailable: '',
    });
    expect(sendable(target, module, '', entered)).toBeNull();
    expect(sendable(null, module, 'x', entered)).toBeNull();
    expect(sendable(target, module, 'x', { ...entered, batches: [newBatch({ name: ' ' })] })).toBeNull();
  });
});

describe('quantities of Kubernetes', () => {
  it('are numbers', () => {
    expect(quantity('512Mi')).toBe(512 * 2 ** 20);
    expect(quantity('1500m')).toBe(1.5);
    expect(quantity('1e3')).toBe(1000);
    expect(quantity('2E')).toBe(2e18);
    expect(quantity('abc')).toBeNull();
    expect(quantity('1Xi')).toBeNull();
  });

  it('of bytes are said as people read them', () => {
    expect(bytes('402653184')).toBe('384 MiB');
    expect(bytes('1536Mi')).toBe('1.5 GiB');
    expect(bytes('0')).toBe('0 B');
    expect(bytes('<b>')).toBe('<b>');
  });
});
