import type { ComponentChildren } from 'preact';
import { useId, useMemo } from 'preact/hooks';
import { place, setQuery } from '../state/url';
import { number, t } from '../texts';
import { filtered, haystacks, PAGE, pageOf, sorted, viewOf, type Sortable } from './rows';

export interface Column<R> extends Sortable<R> {
  head: string;
  cell: (row: R) => ComponentChildren;
  /** A number: aligned to the right. */
  figure?: boolean;
}

interface Props<R> {
  name: string;
  rows: readonly R[];
  columns: readonly Column<R>[];
  rowKey: (row: R) => string;
  rowId?: (row: R) => string | undefined;
  isProblem?: (row: R) => boolean;
  more?: (row: R) => string;
  prefix?: string;
  sort?: string;
  size?: number;
  marked?: (row: R) => boolean;
}

// A handful of rows is seen at a glance: tools for it would only be in the way.
const FEW = 8;

/** A table with filter, sort, only-problems and pages. Its view is in the query of the URL. */
export function List<R>(props: Props<R>) {
  const { name, rows, columns, rowKey, isProblem, prefix = '', size = PAGE } = props;
  const { filter, sort, problems, page } = viewOf(place.value.query, prefix, props.sort);
  const language = columns.map(({ head }) => head).join();
  const stacks = useMemo(() => (filter ? haystacks(rows, columns, props.more) : []), [rows, language, filter !== '']);
  const found = useMemo(
    () => filtered(rows, stacks, { filter, problems }, isProblem),
    [rows, stacks, filter, problems],
  );
  const ordered = useMemo(() => sorted(found, columns, sort), [found, sort, language]);
  const shown = pageOf(ordered, page, size);
  const keys = unique(shown.rows.map(rowKey));
  const set = (values: Record<string, string>) =>
    setQuery(Object.fromEntries(Object.entries({ page: '', ...values }).map(([key, value]) => [prefix + key, value])));
  const tools = rows.length > FEW || filter !== '' || problems || prefix === '';
  return (
    <div class="list">
      {tools && (
        <Tools
          name={name}
          filter={filter}
          problems={problems}
          hasProblems={isProblem !== undefined}
          found={found.length}
          all={rows.length}
          set={set}
        />
      )}
      {found.length === 0 ? (
        <p class="muted">{t(rows.length === 0 ? 'list.none' : 'list.noneMatch')}</p>
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-label={t('list.scroll', { name })}>
          <table>
            <caption class="offscreen">{name}</caption>
            <thead>
              <tr>
                {columns.map((column) => (
                  <Head key={column.id} column={column} sort={sort} set={set} />
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.rows.map((row, index) => (
                <tr key={keys[index]} id={props.rowId?.(row)} class={props.marked?.(row) ? 'marked' : undefined}>
                  {columns.map((column) => (
                    <td key={column.id} class={column.figure ? 'figure' : undefined}>
                      {column.cell(row)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {shown.pages > 1 && <Pages name={name} page={shown.page} pages={shown.pages} set={set} />}
    </div>
  );
}

/** What the cluster calls the same must still be two rows. */
function unique(keys: string[]): string[] {
  const seen = new Map<string, number>();
  return keys.map((key) => {
    const times = seen.get(key) ?? 0;
    seen.set(key, times + 1);
    return times === 0 ? key : `${key} ${times}`;
  });
}

type Change = (values: Record<string, string>) => void;

function Head<R>({ column, sort, set }: { column: Column<R>; sort: string; set: Change }) {
  const up = sort === column.id;
  const down = sort === '-' + column.id;
  return (
    <th
      scope="col"
      class={column.figure ? 'figure' : undefined}
      aria-sort={up ? 'ascending' : down ? 'descending' : 'none'}
    >
      <button type="button" class="sort" onClick={() => set({ sort: up ? '-' + column.id : column.id })}>
        {column.head}
        <span aria-hidden="true" class="arrow">
          {up ? '▲' : down ? '▼' : ''}
        </span>
      </button>
    </th>
  );
}

interface ToolsProps {
  name: string;
  filter: string;
  problems: boolean;
  hasProblems: boolean;
  found: number;
  all: number;
  set: Change;
}

function Tools({ name, filter, problems, hasProblems, found, all, set }: ToolsProps) {
  const id = useId();
  return (
    <div class="tools" role="search" aria-label={`${t('list.filter')}${t('app.colon')}${name}`}>
      <label for={id}>{t('list.filter')}</label>
      <input id={id} type="search" value={filter} onInput={(event) => set({ q: event.currentTarget.value })} />
      {hasProblems && (
        <label class="check">
          <input
            type="checkbox"
            checked={problems}
            onChange={(event) => set({ problems: event.currentTarget.checked ? '1' : '' })}
          />
          {t('list.problems')}
        </label>
      )}
      <span role="status" class="muted">
        {found === all
          ? t('list.count', { n: number(all) })
          : t('list.countOf', { n: number(found), all: number(all) })}
      </span>
    </div>
  );
}

function Pages({ name, page, pages, set }: { name: string; page: number; pages: number; set: Change }) {
  const turn = (to: number) => set({ page: to === 1 ? '' : String(to) });
  return (
    <nav class="tools" aria-label={`${t('list.pages')}${t('app.colon')}${name}`}>
      <button type="button" aria-disabled={page === 1} onClick={() => page > 1 && turn(page - 1)}>
        {t('list.previous')}
      </button>
      <span role="status">{t('list.page', { n: number(page), all: number(pages) })}</span>
      <button type="button" aria-disabled={page === pages} onClick={() => page < pages && turn(page + 1)}>
        {t('list.next')}
      </button>
    </nav>
  );
}
