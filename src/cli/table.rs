//! Rows in aligned columns.

use super::paint::{self, Colour, paint};

/// A cell: its text, its colour, which takes no room, and whether it stands to the right, as numbers do.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    text: String,
    colour: Option<Colour>,
    right: bool,
}

impl Cell {
    pub fn coloured(text: impl AsRef<str>, colour: Colour) -> Self {
        Self { colour: Some(colour), ..Self::from(text) }
    }

    pub fn right(text: impl AsRef<str>) -> Self {
        Self { right: true, ..Self::from(text) }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: paint::plain(text.as_ref()), ..Self::default() }
    }
}

/// Rows in aligned columns, two blanks apart. The last cell of a row takes the room that it needs.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<Cell>>,
    indent: usize,
}

impl Table {
    pub fn new(indent: usize) -> Self {
        Self { rows: Vec::new(), indent }
    }

    /// The names of the columns, each with a `>` before it where the column stands to the right.
    pub fn heads<'a>(&mut self, heads: impl IntoIterator<Item = &'a str>) {
        self.row(heads.into_iter().map(|head| {
            let name = head.trim_start_matches('>');
            Cell { right: name != head, ..Cell::coloured(name, Colour::Faint) }
        }));
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Each row as a line without its end.
    pub fn lines(&self) -> Vec<String> {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            let (_, filled_up) = row.split_last().unwrap_or((&EMPTY, &[]));
            widths.resize(widths.len().max(filled_up.len()), 0);
            for (width, cell) in widths.iter_mut().zip(filled_up) {
                *width = (*width).max(paint::width(&cell.text));
            }
        }
        self.rows.iter().map(|row| self.line(row, &widths)).collect()
    }

    fn line(&self, row: &[Cell], widths: &[usize]) -> String {
        let mut line = " ".repeat(self.indent);
        for (cell, index) in row.iter().zip(0..) {
            let is_last = index + 1 == row.len();
            let column = widths.get(index).copied().unwrap_or(0);
            let room = " ".repeat(column.saturating_sub(paint::width(&cell.text)));
            let text = match cell.colour {
                Some(colour) if !cell.text.is_empty() => paint(colour, &cell.text),
                Some(_) | None => cell.text.clone(),
            };
            match (cell.right, is_last) {
                (true, true) => line.push_str(&format!("{room}{text}")),
                (true, false) => line.push_str(&format!("{room}{text}  ")),
                (false, true) => line.push_str(&text),
                (false, false) => line.push_str(&format!("{text}{room}  ")),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// Stands for the last cell of a row without any.
const EMPTY: Cell = Cell { text: String::new(), colour: None, right: false };

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.lines().iter().try_for_each(|line| writeln!(f, "{}", paint::fit(line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_a_long_last_cell_widens_none() {
        let mut table = Table::new(1);
        table.row(["数据".into(), Cell::right("7"), "x".into()]);
        table.row(["north".into(), Cell::right("1,000"), "y".into()]);
        table.row(["a".into(), "a sentence that is long".into()]);
        assert_eq!(
            table.lines(),
            [" 数据       7  x", " north  1,000  y", " a      a sentence that is long"]
        );
    }
}
