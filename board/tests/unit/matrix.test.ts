import { describe, expect, it } from 'vitest';
import { cellAt, contentSize, layoutFor, moved, NARROW, scrollTo, visible, WIDE } from '../../src/matrix/geometry';
import { Cells, gridOf } from '../../src/matrix/grid';
import type { Matrix } from '../../src/api/types';

const matrix: Matrix = {
  asOf: '',
  staleSince: null,
  notShown: [],
  nodes: ['node-a', 'node-b', 'other'],
  modules: ['biz1', 'biz2'],
  versions: ['1', '2'],
  states: ['ACTIVATED', 'BROKEN'],
  // Two versions in one cell; one cell names a node that is not there.
  cells: [0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 0, 1, 9, 0, 0, 0, 1],
};

describe('geometry', () => {
  it('draws only what can be seen', () => {
    expect(visible(0, 240, 24, 1000)).toEqual([0, 10]);
    expect(visible(12, 240, 24, 1000)).toEqual([0, 11]);
    expect(visible(23_900, 240, 24, 1000)).toEqual([995, 1000]);
    expect(visible(0, -5, 24, 1000)).toEqual([0, 0]);
    expect(visible(500, 240, 24, 0)).toEqual([0, 0]);
  });

  it('is as large as all cells', () => {
    expect(contentSize(WIDE, 1000, 50)).toEqual({ width: 230 + 50 * 104, height: 28 + 1000 * 24 });
    expect(layoutFor(390)).toBe(NARROW);
  });

  it('finds the cell under a point', () => {
    const scroll = { left: 104, top: 48 };
    expect(cellAt(WIDE, scroll, { left: 231, top: 29 }, 10, 10)).toEqual({ row: 2, column: 1 });
    expect(cellAt(WIDE, scroll, { left: 10, top: 100 }, 10, 10)).toBeNull();
    expect(cellAt(WIDE, scroll, { left: 300, top: 10 }, 10, 10)).toBeNull();
    expect(cellAt(WIDE, scroll, { left: 300, top: 600 }, 3, 3)).toBeNull();
  });

  it('moves the cursor and stays inside', () => {
    const at = { row: 5, column: 5 };
    const go = (key: string, whole = false) => moved(at, key, whole, 10, 10, 4);
    expect(go('ArrowUp')).toEqual({ row: 4, column: 5 });
    expect(go('ArrowRight')).toEqual({ row: 5, column: 6 });
    expect(go('PageDown')).toEqual({ row: 9, column: 5 });
    expect(go('PageUp')).toEqual({ row: 1, column: 5 });
    expect(go('Home')).toEqual({ row: 5, column: 0 });
    expect(go('End', true)).toEqual({ row: 9, column: 9 });
    expect(go('x')).toBeNull();
    expect(moved({ row: 0, column: 0 }, 'ArrowLeft', false, 10, 10, 4)).toEqual({ row: 0, column: 0 });
  });

  it('scrolls only as far as it must', () => {
    const room = { width: 230 + 1040, height: 28 + 240 };
    const scroll = { left: 0, top: 240 };
    expect(scrollTo(WIDE, scroll, room, { row: 12, column: 3 })).toEqual(scroll);
    expect(scrollTo(WIDE, scroll, room, { row: 20, column: 10 })).toEqual({ left: 104, top: 264 });
    expect(scrollTo(WIDE, scroll, room, { row: 2, column: 0 })).toEqual({ left: 0, top: 48 });
  });
});

describe('the grid', () => {
  const cells = new Cells(matrix);

  it('has the versions of a cell in the order of the answer', () => {
    expect(cells.at(0, 0).map(({ version }) => version)).toEqual(['1', '2']);
    expect(cells.at(0, 0)[1]).toEqual({ version: '2', state: 'BROKEN', well: false });
    expect(cells.at(2, 1)).toEqual([]);
  });

  it('lists all cells for the table', () => {
    expect(cells.all()[2]).toEqual({ node: 'node-b', module: 'biz2', version: '1', state: 'ACTIVATED', well: true });
  });

  it('is filtered by bases, modules and problems', () => {
    expect(gridOf(cells, 'NODE', '', false).rows).toEqual([0, 1]);
    expect(gridOf(cells, '', 'biz2', false).columns).toEqual([1]);
    expect(gridOf(cells, '', '', true).rows).toEqual([0]);
    expect(gridOf(cells, '', 'biz2', true).rows).toEqual([]);
  });
});
