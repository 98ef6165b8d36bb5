import { cellAt, contentSize, layoutFor, moved, scrollTo, type Cursor, type Layout, type Size } from './geometry';
import { coloursOf, draw, type Colours } from './draw';
import type { Grid } from './grid';

export interface Parts {
  /** Scrolls; has the focus. */
  window: HTMLElement;
  /** As large as the whole matrix, so that the scroll bars are right. */
  content: HTMLElement;
  canvas: HTMLCanvasElement;
}

/** Keeps a canvas, which is as large as the window on the matrix, painted with what can be seen. */
export class MatrixCanvas {
  private layout: Layout = layoutFor(1000);
  private room: Size = { width: 0, height: 0 };
  private colours: Colours;
  private cursor: Cursor = { row: 0, column: 0 };
  private frame = 0;
  private readonly paint: CanvasRenderingContext2D | null;
  private readonly observer: ResizeObserver;

  constructor(
    private readonly parts: Parts,
    private grid: Grid,
    private readonly onCursor: (cursor: Cursor) => void,
    private readonly onOpen: (cursor: Cursor) => void,
  ) {
    this.paint = parts.canvas.getContext('2d', { alpha: false });
    this.colours = coloursOf(parts.window);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(parts.window);
    parts.window.addEventListener('scroll', this.soon, { passive: true });
    parts.window.addEventListener('focus', this.soon);
    parts.window.addEventListener('blur', this.soon);
    parts.window.addEventListener('keydown', this.key);
    parts.canvas.addEventListener('click', this.click);
    this.resize();
  }

  /** Takes a new answer or filter; the cursor stays on its base and module where they are still there. */
  show(grid: Grid): void {
    const before = this.names();
    this.grid = grid;
    const { nodes, modules } = grid.cells.matrix;
    const row = grid.rows.findIndex((node) => nodes[node] === before.node);
    const column = grid.columns.findIndex((module) => modules[module] === before.module);
    this.cursor = { row: Math.max(0, row), column: Math.max(0, column) };
    this.resize();
    this.onCursor(this.cursor);
  }

  recolour(): void {
    this.colours = coloursOf(this.parts.window);
    this.soon();
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    this.parts.window.removeEventListener('scroll', this.soon);
    this.parts.window.removeEventListener('focus', this.soon);
    this.parts.window.removeEventListener('blur', this.soon);
    this.parts.window.removeEventListener('keydown', this.key);
    this.parts.canvas.removeEventListener('click', this.click);
  }

  private names(): { node: string | undefined; module: string | undefined } {
    const { rows, columns, cells } = this.grid;
    return {
      node: cells.matrix.nodes[rows[this.cursor.row] ?? -1],
      module: cells.matrix.modules[columns[this.cursor.column] ?? -1],
    };
  }

  private resize(): void {
    const { window: port, content, canvas } = this.parts;
    this.room = { width: port.clientWidth, height: port.clientHeight };
    this.layout = layoutFor(this.room.width);
    const size = contentSize(this.layout, this.grid.rows.length, this.grid.columns.length);
    content.style.width = `${Math.max(size.width, this.room.width)}px`;
    content.style.height = `${Math.max(size.height, this.room.height)}px`;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(this.room.width * ratio), Math.round(this.room.height * ratio)];
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      canvas.style.width = `${this.room.width}px`;
      canvas.style.height = `${this.room.height}px`;
    }
    this.render();
  }

  private readonly soon = (): void => {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => this.render());
  };

  private render(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!this.paint) return;
    const ratio = window.devicePixelRatio || 1;
    this.paint.setTransform(ratio, 0, 0, ratio, 0, 0);
    const port = this.parts.window;
    const scroll = { left: port.scrollLeft, top: port.scrollTop };
    const focused = document.activeElement === port;
    draw(
      this.paint,
      { grid: this.grid, layout: this.layout, scroll, room: this.room, cursor: this.cursor, focused },
      this.colours,
    );
  }

  private readonly key = (event: KeyboardEvent): void => {
    if (event.altKey || event.metaKey) return;
    const { rows, columns } = this.grid;
    if (rows.length === 0 || columns.length === 0) return;
    if (event.key === 'Enter') {
      event.preventDefault();
      return this.onOpen(this.cursor);
    }
    const page = Math.max(1, Math.floor(this.room.height / this.layout.cell.height) - 2);
    const next = moved(this.cursor, event.key, event.ctrlKey, rows.length, columns.length, page);
    if (!next) return;
    event.preventDefault();
    this.set(next);
    const port = this.parts.window;
    const to = scrollTo(this.layout, { left: port.scrollLeft, top: port.scrollTop }, this.room, next);
    port.scrollTo(to.left, to.top);
  };

  private readonly click = (event: MouseEvent): void => {
    const port = this.parts.window;
    const at = { left: event.offsetX, top: event.offsetY };
    const cell = cellAt(
      this.layout,
      { left: port.scrollLeft, top: port.scrollTop },
      at,
      this.grid.rows.length,
      this.grid.columns.length,
    );
    if (cell) this.set(cell);
  };

  private set(cursor: Cursor): void {
    this.cursor = cursor;
    this.onCursor(cursor);
    this.soon();
  }
}
