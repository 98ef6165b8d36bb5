import type { Draft, DraftBatch, ModuleVersion, Target } from '../api/types';

/** What a person has entered for a new plan; a batch has a key of its own, so that fields keep their focus. */
export type EnteredBatch = DraftBatch & { key: number };
export interface Entered {
  module: string;
  version: string;
  /** null while it is made from workload and version. */
  name: string | null;
  batches: EnteredBatch[];
  readyTimeoutSeconds: number;
  maxFailed: number;
  healthPort: number | null;
  webContextPath: string;
}

let keys = 0;
export function newBatch(values: Partial<DraftBatch> = {}): EnteredBatch {
  return {
    key: ++keys,
    name: '',
    selector: '',
    size: '',
    count: null,
    soakSeconds: 60,
    confirm: false,
    maxUnavailable: '',
    ...values,
  };
}

/** One base first and a person looks at it; then the others in two parts. */
export function draftOf(): Entered {
  return {
    module: '',
    version: '',
    name: null,
    batches: [
      newBatch({ name: 'beta', size: '1', confirm: true, soakSeconds: 600 }),
      newBatch({ name: 'rest', count: 2, soakSeconds: 60 }),
    ],
    readyTimeoutSeconds: 600,
    maxFailed: 0,
    healthPort: null,
    webContextPath: '',
  };
}

export function targetKey(target: Target): string {
  return `${target.namespace}/${target.kind}/${target.name}`;
}

export function moduleOf(target: Target | null, entered: Entered): ModuleVersion | null {
  return target?.modules.find(({ name }) => name === entered.module) ?? target?.modules[0] ?? null;
}

/** A name for the plan such as `biz1-2.0.0`, as far as Kubernetes takes it. */
export function planName(target: Target | null, module: ModuleVersion | null, version: string): string {
  if (!target || !module || !version.trim()) return '';
  return `${target.name}-${version.trim()}`
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, '-')
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
    .slice(0, 63)
    .replace(/[^a-z0-9]+$/, '');
}

/** The draft as the server takes it, or null while something is missing. What is wrong in it the server says. */
export function sendable(
  target: Target | null,
  module: ModuleVersion | null,
  name: string,
  entered: Entered,
): Draft | null {
  const version = entered.version.trim();
  if (!target || !module || !version || !name.trim() || entered.batches.some((batch) => !batch.name.trim()))
    return null;
  return {
    namespace: target.namespace,
    name: name.trim(),
    target: { kind: target.kind, name: target.name },
    module: { name: module.name, version },
    batches: entered.batches.map(({ key: _, ...batch }) => ({
      ...batch,
      name: batch.name.trim(),
      selector: batch.selector.trim(),
      size: batch.size.trim(),
      maxUnavailable: batch.maxUnavailable.trim(),
    })),
    readyTimeoutSeconds: entered.readyTimeoutSeconds,
    maxFailed: entered.maxFailed,
    healthPort: entered.healthPort,
    webContextPath: entered.webContextPath.trim(),
  };
}
