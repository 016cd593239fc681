//! Rows in aligned columns.

use super::paint::{Colour, paint};

/// A cell: its text, and its colour, which takes no room.
#[derive(Clone, Debug)]
pub(super) struct Cell(pub String, pub Option<Colour>);

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self(text.into(), None)
    }
}

/// Rows in aligned columns, two blanks apart; the last column is not filled up.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<Cell>>,
    indent: usize,
}

impl Table {
    pub fn new(indent: usize) -> Self {
        Self { rows: Vec::new(), indent }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Each row as a line without its end.
    pub fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.0.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        self.rows.iter().map(|row| self.line(row, &widths)).collect()
    }

    fn line(&self, row: &[Cell], widths: &[usize]) -> String {
        let mut line = " ".repeat(self.indent);
        for (index, (Cell(text, colour), width)) in row.iter().zip(widths).enumerate() {
            let room = width.saturating_sub(text.chars().count());
            match colour {
                Some(colour) => line.push_str(&paint(*colour, text)),
                None => line.push_str(text),
            }
            if index + 1 < row.len() {
                line.push_str(&" ".repeat(room + 2));
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.lines().iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
