/** Where cells are and which can be seen: numbers only, so that it can be tried without a browser. */
export interface Size {
  width: number;
  height: number;
}
export interface Point {
  left: number;
  top: number;
}
export interface Cursor {
  row: number;
  column: number;
}

export interface Layout {
  cell: Size;
  /** The fixed column of names and the fixed row of names. */
  head: Size;
}

export const WIDE: Layout = { cell: { width: 104, height: 24 }, head: { width: 230, height: 28 } };
export const NARROW: Layout = { cell: { width: 92, height: 26 }, head: { width: 118, height: 28 } };

export function layoutFor(width: number): Layout {
  return width < 600 ? NARROW : WIDE;
}

export function contentSize({ cell, head }: Layout, rows: number, columns: number): Size {
  return { width: head.width + columns * cell.width, height: head.height + rows * cell.height };
}

/** The first and the one after the last of `count` that can be seen. */
export function visible(scroll: number, room: number, each: number, count: number): [number, number] {
  const first = Math.min(count, Math.max(0, Math.floor(scroll / each)));
  const end = Math.min(count, Math.ceil((scroll + Math.max(0, room)) / each));
  return [first, Math.max(first, end)];
}

/** The cell under a point of the window on the matrix, or null over the names and beside the cells. */
export function cellAt({ cell, head }: Layout, scroll: Point, at: Point, rows: number, columns: number): Cursor | null {
  if (at.left < head.width || at.top < head.height) return null;
  const column = Math.floor((at.left - head.width + scroll.left) / cell.width);
  const row = Math.floor((at.top - head.height + scroll.top) / cell.height);
  return row < rows && column < columns ? { row, column } : null;
}

/** Where a key moves the cursor to, or null where the key is none of the matrix. */
export function moved(
  cursor: Cursor,
  key: string,
  whole: boolean,
  rows: number,
  columns: number,
  page: number,
): Cursor | null {
  let { row, column } = cursor;
  if (key === 'ArrowUp') row -= 1;
  else if (key === 'ArrowDown') row += 1;
  else if (key === 'ArrowLeft') column -= 1;
  else if (key === 'ArrowRight') column += 1;
  else if (key === 'PageUp') row -= page;
  else if (key === 'PageDown') row += page;
  else if (key === 'Home') [row, column] = [whole ? 0 : row, 0];
  else if (key === 'End') [row, column] = [whole ? rows - 1 : row, columns - 1];
  else return null;
  return { row: clamp(row, rows), column: clamp(column, columns) };
}

function clamp(index: number, count: number): number {
  return Math.max(0, Math.min(count - 1, index));
}

function shift(scroll: number, room: number, each: number, index: number): number {
  if (index * each < scroll) return index * each;
  if ((index + 1) * each > scroll + room) return (index + 1) * each - room;
  return scroll;
}

/** How far to scroll so that the cursor's cell is whole in the window, and no further. */
export function scrollTo({ cell, head }: Layout, scroll: Point, room: Size, cursor: Cursor): Point {
  return {
    left: Math.max(0, shift(scroll.left, room.width - head.width, cell.width, cursor.column)),
    top: Math.max(0, shift(scroll.top, room.height - head.height, cell.height, cursor.row)),
  };
}
