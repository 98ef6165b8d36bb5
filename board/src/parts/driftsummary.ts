import type { Difference } from '../api/types';

/** The kinds of differences, the worst first. */
export const KINDS: readonly Difference['kind'][] = ['Missing', 'NotActive', 'WrongVersion', 'Extra'];

/** How many differences of each kind the bases of one name and environment have, and how many bases have any. */
export interface Group {
  env: string;
  base: string;
  bases: number;
  counts: Record<Difference['kind'], number>;
}

/** By environment and name of the bases, those with the most differences first. */
export function groupsOf(items: readonly Difference[]): Group[] {
  const groups = new Map<string, Group & { nodes: Set<string> }>();
  for (const { env, base, node, kind } of items) {
    const key = JSON.stringify([env, base]);
    let group = groups.get(key);
    if (!group) {
      group = { env, base, bases: 0, nodes: new Set(), counts: { Missing: 0, NotActive: 0, WrongVersion: 0, Extra: 0 } };
      groups.set(key, group);
    }
    group.counts[kind] += 1;
    group.nodes.add(node);
  }
  const total = ({ counts }: Group) => KINDS.reduce((sum, kind) => sum + counts[kind], 0);
  return [...groups.values()]
    .map(({ nodes, ...group }) => ({ ...group, bases: nodes.size }))
    .sort((a, b) => total(b) - total(a) || a.env.localeCompare(b.env) || a.base.localeCompare(b.base));
}
