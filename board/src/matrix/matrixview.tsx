import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { path } from '../api/client';
import { Cut, Wrapped } from '../parts/text';
import { shownTheme } from '../state/theme';
import { navigate } from '../state/url';
import { t } from '../texts';
import { MatrixCanvas } from './canvas';
import type { Cursor } from './geometry';
import type { Grid } from './grid';

/** The matrix as a picture with a cursor, and what is under the cursor as a text. */
export function MatrixView({ grid }: { grid: Grid }) {
  const id = useId();
  const port = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useRef<MatrixCanvas | null>(null);
  const shown = useRef(grid);
  shown.current = grid;
  const [cursor, setCursor] = useState<Cursor>({ row: 0, column: 0 });

  useEffect(() => {
    if (!port.current || !content.current || !canvas.current) return;
    const open = (at: Cursor) => {
      const { node } = namesAt(shown.current, at);
      if (node !== undefined) navigate('/bases' + path(node));
    };
    view.current = new MatrixCanvas(
      { window: port.current, content: content.current, canvas: canvas.current },
      grid,
      setCursor,
      open,
    );
    return () => view.current?.close();
  }, []);
  useEffect(() => view.current?.show(grid), [grid]);
  const theme = shownTheme.value;
  useEffect(() => view.current?.recolour(), [theme]);

  return (
    <>
      <p id={id} class="muted">
        {t('matrix.help')} {t('matrix.legend')}
      </p>
      <div
        class="matrix"
        ref={port}
        tabIndex={0}
        role="application"
        aria-label={t('matrix.label')}
        aria-describedby={id}
      >
        <div ref={content}>
          <canvas ref={canvas} aria-hidden="true" />
        </div>
      </div>
      <Readout grid={grid} cursor={cursor} />
    </>
  );
}

function namesAt({ rows, columns, cells }: Grid, { row, column }: Cursor) {
  return { node: cells.matrix.nodes[rows[row] ?? -1], module: cells.matrix.modules[columns[column] ?? -1] };
}

/** What a cell holds, in words: `1.0.0 ACTIVATED (well)`. */
export function cellText(grid: Grid, cursor: Cursor): string {
  const installed = grid.cells.at(grid.rows[cursor.row] ?? -1, grid.columns[cursor.column] ?? -1);
  if (installed.length === 0) return t('matrix.empty');
  return installed
    .map(({ version, state, well }) =>
      t('matrix.installed', { version, state, well: t(well ? 'matrix.well' : 'matrix.notWell') }),
    )
    .join(t('matrix.comma'));
}

function Readout({ grid, cursor }: { grid: Grid; cursor: Cursor }) {
  const { node, module } = namesAt(grid, cursor);
  if (node === undefined || module === undefined) return <p class="muted">{t('list.noneMatch')}</p>;
  return (
    <div class="readout">
      <p role="status">
        <Wrapped text={t('matrix.cell', { node, module, what: cellText(grid, cursor) })} />
      </p>
      <p class="links">
        <a href={'/bases' + path(node)}>
          {t('matrix.openBase')} <Cut text={node} />
        </a>
        <a href={'/modules' + path(module)}>
          {t('matrix.openModule')} <Cut text={module} />
        </a>
      </p>
    </div>
  );
}
