import type { Grid } from './grid';
import { visible, type Cursor, type Layout, type Point, type Size } from './geometry';

export interface Colours {
  surface: string;
  raised: string;
  border: string;
  text: string;
  muted: string;
  ok: string;
  okGround: string;
  bad: string;
  badGround: string;
  focus: string;
}

export function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  return {
    surface: colour('--surface'),
    raised: colour('--raised'),
    border: colour('--border'),
    text: colour('--text'),
    muted: colour('--muted'),
    ok: colour('--ok'),
    okGround: colour('--ok-ground'),
    bad: colour('--bad'),
    badGround: colour('--bad-ground'),
    focus: colour('--focus'),
  };
}

export interface Scene {
  grid: Grid;
  layout: Layout;
  scroll: Point;
  room: Size;
  cursor: Cursor;
  focused: boolean;
}

const FONT = '12px system-ui, sans-serif';
const PAD = 6;
const cuts = new Map<string, string>();

/** A text as far as it fits. Measuring is what takes the time, so answers are kept. */
function fitting(paint: CanvasRenderingContext2D, text: string, width: number): string {
  const key = `${width} ${text}`;
  const known = cuts.get(key);
  if (known !== undefined) return known;
  if (cuts.size > 20_000) cuts.clear();
  let cut = text.slice(0, 80);
  if (text.length > 80 || paint.measureText(cut).width > width) {
    while (cut && paint.measureText(cut + '…').width > width) cut = cut.slice(0, -1);
    cut += '…';
  }
  cuts.set(key, cut);
  return cut;
}

/** Paints what can be seen of the matrix: cells first, then the names over them. */
export function draw(paint: CanvasRenderingContext2D, scene: Scene, colours: Colours): void {
  const { grid, layout, scroll, room, cursor } = scene;
  const { cell, head } = layout;
  const [top, bottom] = visible(scroll.top, room.height - head.height, cell.height, grid.rows.length);
  const [left, right] = visible(scroll.left, room.width - head.width, cell.width, grid.columns.length);
  const x = (column: number) => head.width + column * cell.width - scroll.left;
  const y = (row: number) => head.height + row * cell.height - scroll.top;
  paint.font = FONT;
  paint.textBaseline = 'middle';
  paint.fillStyle = colours.surface;
  paint.fillRect(0, 0, room.width, room.height);
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      drawCell(paint, scene, colours, row, column, x(column), y(row));
    }
  }
  if (grid.rows.length > 0 && grid.columns.length > 0) {
    paint.strokeStyle = scene.focused ? colours.focus : colours.muted;
    paint.lineWidth = scene.focused ? 3 : 1.5;
    paint.strokeRect(x(cursor.column) + 2, y(cursor.row) + 2, cell.width - 4, cell.height - 4);
  }
  paint.fillStyle = colours.raised;
  paint.fillRect(0, head.height, head.width, room.height);
  for (let row = top; row < bottom; row++) {
    paint.fillStyle = row === cursor.row ? colours.text : colours.muted;
    const name = grid.cells.matrix.nodes[grid.rows[row] ?? -1] ?? '';
    paint.fillText(fitting(paint, name, head.width - 2 * PAD), PAD, y(row) + cell.height / 2);
  }
  paint.fillStyle = colours.raised;
  paint.fillRect(head.width, 0, room.width, head.height);
  for (let column = left; column < right; column++) {
    paint.fillStyle = column === cursor.column ? colours.text : colours.muted;
    const name = grid.cells.matrix.modules[grid.columns[column] ?? -1] ?? '';
    paint.fillText(fitting(paint, name, cell.width - 2 * PAD), x(column) + PAD, head.height / 2);
  }
  paint.fillStyle = colours.raised;
  paint.fillRect(0, 0, head.width, head.height);
  paint.fillStyle = colours.border;
  paint.fillRect(0, head.height - 1, room.width, 1);
  paint.fillRect(head.width - 1, 0, 1, room.height);
}

function drawCell(
  paint: CanvasRenderingContext2D,
  { grid, layout }: Scene,
  colours: Colours,
  row: number,
  column: number,
  left: number,
  top: number,
): void {
  const { width, height } = layout.cell;
  const installed = grid.cells.at(grid.rows[row] ?? -1, grid.columns[column] ?? -1);
  const [first] = installed;
  if (first) {
    const well = installed.every((one) => one.well);
    paint.fillStyle = well ? colours.okGround : colours.badGround;
    paint.fillRect(left + 1, top + 1, width - 2, height - 2);
    paint.fillStyle = well ? colours.ok : colours.bad;
    // A sign besides the colour, and the version that is in trouble before the others.
    const shown = installed.find((one) => !one.well) ?? first;
    const more = installed.length > 1 ? ` +${installed.length - 1}` : '';
    paint.fillText(
      fitting(paint, `${well ? '✓' : '✕'} ${shown.version}`, width - 2 * PAD - 7 * more.length) + more,
      left + PAD,
      top + height / 2,
    );
  } else {
    paint.fillStyle = colours.border;
    paint.fillRect(left, top + height - 1, width, 1);
  }
}
