//! A row of the ledger.

use super::{Class, Error};

/// A row of the ledger: a segment of a task that has taken effect.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Mark {
    /// The task: 64 hexadecimal digits.
    pub task: String,
    /// The segment, from 1.
    pub segment: u32,
    /// Its first statement, from 1.
    pub first_statement: u64,
    /// Its last statement.
    pub last_statement: u64,
    /// Whether it is the sheet's last segment.
    pub complete: bool,
    /// The plan's name.
    pub plan: String,
    /// The spec's id.
    pub spec: String,
    /// The sheet's name.
    pub sheet: String,
    /// SHA-256 of the sheet.
    pub sheet_sha256: String,
    /// The schema version that the task brings, or empty.
    pub schema_version: String,
    /// The host that ran it.
    pub host: String,
    /// When, by the server's clock; empty when it is written.
    pub applied_time: String,
}

impl Mark {
    /// A row of the ledger as a server sends it: text, in the order of the columns `task` to `applied_time`.
    ///
    /// # Errors
    /// Where a number cannot be read: taken for another, its segment would be run again.
    pub fn from_row(row: &[Option<String>]) -> Result<Self, Error> {
        let text = |index: usize| row.get(index).cloned().flatten().unwrap_or_default();
        let number = |index: usize| {
            text(index).parse::<u64>().map_err(|_| {
                let message =
                    format!("the ledger has a row that cannot be read: {:?} is no number", text(index));
                Error::new(Class::Other, message)
            })
        };
        let segment = u32::try_from(number(1)?)
            .map_err(|_| Error::new(Class::Other, "the ledger has a segment that no sheet has"))?;
        Ok(Self {
            task: text(0),
            segment,
            first_statement: number(2)?,
            last_statement: number(3)?,
            complete: matches!(text(4).as_str(), "t" | "1"),
            plan: text(5),
            spec: text(6),
            sheet: text(7),
            sheet_sha256: text(8),
            schema_version: text(9),
            host: text(10),
            applied_time: text(11),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_ledger_that_cannot_be_read_is_no_mark() {
        let row = |segment: &str| -> Vec<Option<String>> {
            let cells = ["k", segment, "1", "2", "t", "p", "s", "n", "h", "", "host", "now"];
            cells.iter().map(|cell| Some((*cell).to_owned())).collect()
        };
        let mark = Mark::from_row(&row("3")).expect("it can be read");
        assert_eq!((mark.segment, mark.complete, mark.host.as_str()), (3, true, "host"));
        for bad in ["", "x", "-1", "99999999999"] {
            assert!(Mark::from_row(&row(bad)).is_err(), "{bad}");
        }
        assert!(Mark::from_row(&[]).is_err());
    }
}
