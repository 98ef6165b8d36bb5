/** How lists are filtered, sorted and paged: without the page, so that it can be tried alone. */
export interface Sortable<R> {
  id: string;
  /** What it is sorted and filtered by. */
  value: (row: R) => string | number | null;
}

export interface View {
  filter: string;
  sort: string;
  problems: boolean;
  page: number;
}

export const PAGE = 100;

/** Every word of the filter has to be somewhere in the row. */
export function matches(haystack: string, filter: string): boolean {
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => haystack.includes(word));
}

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

function compare(a: string | number, b: string | number): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b));
}

export function sorted<R>(rows: readonly R[], columns: readonly Sortable<R>[], sort: string): readonly R[] {
  const down = sort.startsWith('-');
  const column = columns.find(({ id }) => id === (down ? sort.slice(1) : sort));
  if (!column) return rows;
  const known: { row: R; value: string | number }[] = [];
  // What is not known comes last, whichever way it is sorted.
  const unknown: R[] = [];
  for (const row of rows) {
    const value = column.value(row);
    if (value === null || value === '') unknown.push(row);
    else known.push({ row, value });
  }
  known.sort((a, b) => (down ? compare(b.value, a.value) : compare(a.value, b.value)));
  return [...known.map(({ row }) => row), ...unknown];
}

/** The text of each row that the filter looks through, made once for an answer and not once a key. */
export function haystacks<R>(rows: readonly R[], columns: readonly Sortable<R>[], more?: (row: R) => string): string[] {
  return rows.map((row) =>
    (columns.map((column) => column.value(row) ?? '').join('\n') + '\n' + (more?.(row) ?? '')).toLowerCase(),
  );
}

export function filtered<R>(
  rows: readonly R[],
  stacks: readonly string[],
  view: Pick<View, 'filter' | 'problems'>,
  isProblem?: (row: R) => boolean,
): readonly R[] {
  const filter = view.filter.trim();
  const only = view.problems && isProblem;
  if (!filter && !only) return rows;
  return rows.filter((row, index) => (!only || isProblem(row)) && (!filter || matches(stacks[index] ?? '', filter)));
}

export function pageOf<R>(
  rows: readonly R[],
  page: number,
  size = PAGE,
): { rows: readonly R[]; page: number; pages: number } {
  const pages = Math.max(1, Math.ceil(rows.length / size));
  const shown = Math.min(Math.max(1, page), pages);
  return { rows: rows.slice((shown - 1) * size, shown * size), page: shown, pages };
}

/** The view that a query asks for; lists beside the main one of a page have a prefix. */
export function viewOf(query: URLSearchParams, prefix: string, sort = ''): View {
  const page = Number(query.get(prefix + 'page'));
  return {
    filter: query.get(prefix + 'q') ?? '',
    sort: query.get(prefix + 'sort') ?? sort,
    problems: query.get(prefix + 'problems') === '1',
    page: Number.isInteger(page) && page > 0 ? page : 1,
  };
}
