import type { Matrix } from '../api/types';
import { matches } from '../parts/rows';

const FIELDS = 5;

export interface Installed {
  version: string;
  state: string;
  well: boolean;
}

/** The cells of an answer by row and column; several versions of a module may be on one base. */
export class Cells {
  private readonly first: Int32Array;
  private readonly next: Int32Array;
  readonly count: number;

  constructor(readonly matrix: Matrix) {
    const { nodes, modules, cells } = matrix;
    this.count = Math.floor(cells.length / FIELDS);
    this.first = new Int32Array(nodes.length * modules.length).fill(-1);
    this.next = new Int32Array(this.count).fill(-1);
    // From the end, so that the versions of a cell keep the order of the answer.
    for (let index = this.count - 1; index >= 0; index--) {
      const node = cells[index * FIELDS] ?? -1;
      const module = cells[index * FIELDS + 1] ?? -1;
      if (node < 0 || node >= nodes.length || module < 0 || module >= modules.length) continue;
      const at = node * modules.length + module;
      this.next[index] = this.first[at] ?? -1;
      this.first[at] = index;
    }
  }

  at(node: number, module: number): Installed[] {
    const found: Installed[] = [];
    let index = this.first[node * this.matrix.modules.length + module] ?? -1;
    while (index >= 0) {
      found.push(this.one(index));
      index = this.next[index] ?? -1;
    }
    return found;
  }

  /** The node, the module and what is installed, of one cell of the answer. */
  all(): (Installed & { node: string; module: string })[] {
    const { nodes, modules, cells } = this.matrix;
    return Array.from({ length: this.count }, (_, index) => ({
      node: nodes[cells[index * FIELDS] ?? -1] ?? '',
      module: modules[cells[index * FIELDS + 1] ?? -1] ?? '',
      ...this.one(index),
    }));
  }

  private one(index: number): Installed {
    const { versions, states, cells } = this.matrix;
    return {
      version: versions[cells[index * FIELDS + 2] ?? -1] ?? '',
      state: states[cells[index * FIELDS + 3] ?? -1] ?? '',
      well: cells[index * FIELDS + 4] === 1,
    };
  }
}

export interface Grid {
  cells: Cells;
  /** Which nodes and modules are shown, in order. */
  rows: number[];
  columns: number[];
}

export function gridOf(cells: Cells, nodeFilter: string, moduleFilter: string, problems: boolean): Grid {
  const { nodes, modules, cells: numbers } = cells.matrix;
  const columns = picked(modules, moduleFilter);
  let rows = picked(nodes, nodeFilter);
  if (problems) {
    const shown = new Set(columns);
    const bad = new Set<number>();
    for (let at = 0; at + 4 < numbers.length; at += FIELDS) {
      if (numbers[at + 4] !== 1 && shown.has(numbers[at + 1] ?? -1)) bad.add(numbers[at] ?? -1);
    }
    rows = rows.filter((row) => bad.has(row));
  }
  return { cells, rows, columns };
}

function picked(names: string[], filter: string): number[] {
  const wanted = filter.trim();
  const all = names.map((_, index) => index);
  return wanted ? all.filter((index) => matches((names[index] ?? '').toLowerCase(), wanted)) : all;
}
