import type { ComponentChildren } from 'preact';
import { path } from '../api/client';
import { t } from '../texts';
import type { Column } from './list';
import { Ago, Cut } from './text';

/** Columns that many lists have. */
export function textColumn<R>(id: string, head: string, value: (row: R) => string): Column<R> {
  return { id, head, value, cell: (row) => <Cut text={value(row)} /> };
}

export function timeColumn<R>(id: string, head: string, value: (row: R) => string | null): Column<R> {
  return { id, head, value, cell: (row) => <Ago at={value(row)} /> };
}

export function linkColumn<R>(id: string, head: string, value: (row: R) => string, to: (row: R) => string): Column<R> {
  return {
    id,
    head,
    value,
    cell: (row) =>
      value(row) && (
        <a href={to(row)}>
          <Cut text={value(row)} />
        </a>
      ),
  };
}

export function baseColumn<R>(value: (row: R) => string): Column<R> {
  return linkColumn('node', t('col.base'), value, (row) => '/bases' + path(value(row)));
}

export function moduleColumn<R>(value: (row: R) => string): Column<R> {
  return linkColumn('module', t('col.module'), value, (row) => '/modules' + path(value(row)));
}

export function figureColumn<R>(
  id: string,
  head: string,
  value: (row: R) => number | null,
  cell: (row: R) => ComponentChildren,
): Column<R> {
  return { id, head, figure: true, value, cell };
}
