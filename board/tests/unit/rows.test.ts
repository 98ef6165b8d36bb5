import { describe, expect, it } from 'vitest';
import { filtered, haystacks, pageOf, sorted, viewOf, type Sortable } from '../../src/parts/rows';

interface Row {
  name: string;
  count: number | null;
}
const columns: Sortable<Row>[] = [
  { id: 'name', value: (row) => row.name },
  { id: 'count', value: (row) => row.count },
];
const rows: Row[] = [
  { name: 'Biz10', count: 2 },
  { name: 'biz2', count: null },
  { name: '', count: 10 },
  { name: 'biz1', count: -1 },
];
const names = (found: readonly Row[]) => found.map(({ name }) => name);

describe('lists', () => {
  it('sort numbers in names as numbers, and what is not known last', () => {
    expect(names(sorted(rows, columns, 'name'))).toEqual(['biz1', 'biz2', 'Biz10', '']);
    expect(names(sorted(rows, columns, '-name'))).toEqual(['Biz10', 'biz2', 'biz1', '']);
    expect(names(sorted(rows, columns, 'count'))).toEqual(['biz1', 'Biz10', '', 'biz2']);
    expect(names(sorted(rows, columns, '-count'))).toEqual(['', 'Biz10', 'biz1', 'biz2']);
  });

  it('keep their order where there is no such column', () => {
    expect(sorted(rows, columns, 'constructor')).toBe(rows);
    expect(sorted(rows, columns, '')).toBe(rows);
  });

  it('filter by every word, in any column and beside the columns', () => {
    const stacks = haystacks(rows, columns, (row) => (row.name === 'biz2' ? 'Hidden' : ''));
    const filter = (text: string, problems = false) =>
      names(filtered(rows, stacks, { filter: text, problems }, (row) => (row.count ?? 0) < 0));
    expect(filter('BIZ1')).toEqual(['Biz10', 'biz1']);
    expect(filter(' biz  2 ')).toEqual(['Biz10', 'biz2']);
    expect(filter('hidden')).toEqual(['biz2']);
    expect(filter('', true)).toEqual(['biz1']);
    expect(filter('.*')).toEqual([]);
  });

  it('are paged, and never beyond the last page', () => {
    const many = Array.from({ length: 250 }, (_, index) => index);
    expect(pageOf(many, 1)).toMatchObject({ page: 1, pages: 3 });
    expect(pageOf(many, 3).rows).toHaveLength(50);
    expect(pageOf(many, 99)).toMatchObject({ page: 3 });
    expect(pageOf([], 5)).toEqual({ rows: [], page: 1, pages: 1 });
  });

  it('have their view in the query', () => {
    const query = new URLSearchParams('q=a&problems=1&page=2&events.sort=-at&events.page=x');
    expect(viewOf(query, '', 'name')).toEqual({ filter: 'a', sort: 'name', problems: true, page: 2 });
    expect(viewOf(query, 'events.')).toEqual({ filter: '', sort: '-at', problems: false, page: 1 });
  });

  it('of 50,000 rows are filtered and sorted in no time to speak of', () => {
    const many = Array.from({ length: 50_000 }, (_, index) => ({
      name: `biz${(index * 7919) % 50_000}`,
      count: index,
    }));
    const stacks = haystacks(many, columns);
    const start = performance.now();
    expect(filtered(many, stacks, { filter: 'biz4 9', problems: false })).not.toHaveLength(0);
    expect(performance.now() - start).toBeLessThan(200);
    expect(sorted(many, columns, 'count')).toHaveLength(50_000);
  });
});
