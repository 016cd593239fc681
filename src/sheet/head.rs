//! The directives in a sheet's head: `-- name = value` in the comment lines before its first statement. Only names
//! that mean something are looked at; every other comment is a comment.

use super::pieces::Fault;
use std::io::Read;

/// How much of a sheet is looked at for directives.
const HEAD_BYTES_MAX: u64 = 16 * 1024;

/// Whether statements are put together into transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TxnMode {
    /// As many as the engine takes into one.
    #[default]
    On,
    /// Each statement by itself.
    Off,
}

/// What a sheet's head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Head {
    /// `-- txn-mode = on|off`.
    pub txn_mode: TxnMode,
}

impl Head {
    /// Reads the head of a sheet.
    ///
    /// # Errors
    /// A directive with a value that it does not have, or one whose meaning is not built.
    pub fn read(sheet: &mut impl Read) -> std::io::Result<Result<Self, Fault>> {
        let mut text = Vec::new();
        sheet.take(HEAD_BYTES_MAX).read_to_end(&mut text)?;
        Ok(Self::parse(&String::from_utf8_lossy(&text)))
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let mut head = Self::default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let Some(comment) = line.strip_prefix("--") else { break };
            let Some((name, value)) = comment.split_once('=') else { continue };
            let fault = |message: String| Fault::at_line(number, line, message);
            match (name.trim(), value.trim()) {
                ("txn-mode", "on") => head.txn_mode = TxnMode::On,
                ("txn-mode", "off") => head.txn_mode = TxnMode::Off,
                ("txn-mode", other) => {
                    return Err(fault(format!("`txn-mode` is `on` or `off`, not `{other}`")));
                }
                (name @ ("txn-isolation" | "gh-ost"), _) => {
                    return Err(fault(format!(
                        "the directive `{name}` is not built yet; running the sheet without it would not be what it says. Take the line out, or set it by a statement of the sheet"
                    )));
                }
                _ => {}
            }
        }
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_without_directives_runs_in_transactions() {
        assert_eq!(Head::parse("-- hello = world\n\nSELECT 1;").unwrap(), Head { txn_mode: TxnMode::On });
    }

    #[test]
    fn only_comment_lines_before_the_first_statement_count() {
        assert_eq!(Head::parse("\n--txn-mode=off\nSELECT 1").unwrap().txn_mode, TxnMode::Off);
        assert_eq!(Head::parse("SELECT 1;\n-- txn-mode = off").unwrap().txn_mode, TxnMode::On);
    }

    #[test]
    fn a_value_that_it_does_not_have_is_refused_with_its_line() {
        let fault = Head::parse("-- a\n-- txn-mode = maybe").unwrap_err();
        assert_eq!((fault.line, fault.message.contains("maybe")), (2, true));
        assert!(Head::parse("-- gh-ost = {}").unwrap_err().message.contains("not built yet"));
    }
}
