//! A table for people.

use std::fmt::{self, Write as _};

/// Columns as wide as their widest cell; the first two are words, the rest are numbers.
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    /// With a heading for each column.
    pub(crate) fn new(head: &[&str]) -> Self {
        Self(vec![head.iter().map(|&cell| cell.to_owned()).collect()])
    }

    /// One line of it.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.0
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let is_text = |column: usize| {
            let cells = self.0.iter().skip(1).filter_map(|row| row.get(column));
            cells
                .filter(|cell| !cell.is_empty())
                .any(|cell| !cell.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-'))
        };
        for row in &self.0 {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let _ = if is_text(column) {
                    write!(line, "{cell:<width$}  ")
                } else {
                    write!(line, "{cell:>width$}  ")
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
