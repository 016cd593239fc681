//! The parts of `sql_mode` that decide how strings are read: the client hears of them from the server, and this reads them from the
//! sheet.

use runsheet_sdk::{Class, Error};

/// The longest statement that is looked at.
const STATEMENT_BYTES_MAX: usize = 4096;

/// Modes that take a double quote for a name's.
const QUOTE_NAMES: &[&str] = &["ANSI", "ANSI_QUOTES", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL"];

/// How strings are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strings {
    /// Whether a backslash escapes.
    pub escapes: bool,
    /// Whether a double quote is a name's, in which nothing escapes.
    pub quotes_are_names: bool,
}

impl Default for Strings {
    fn default() -> Self {
        Self { escapes: true, quotes_are_names: false }
    }
}

impl Strings {
    /// Under a `sql_mode`.
    pub fn of_mode(mode: &str) -> Self {
        let mode = mode.to_ascii_uppercase();
        let has = |name: &str| mode.split(',').any(|part| part.trim() == name);
        Self {
            escapes: !has("NO_BACKSLASH_ESCAPES"),
            quotes_are_names: QUOTE_NAMES.iter().any(|name| has(name)),
        }
    }

    /// Whether a backslash escapes inside of this quote.
    pub(super) fn escape_in(self, quote: u8) -> bool {
        match quote {
            b'`' => false,
            b'"' => self.escapes && !self.quotes_are_names,
            _ => self.escapes,
        }
    }
}

/// How strings are read after a SET statement. A mode that comes from a variable is taken for the one at the beginning, which dumps put
/// back so.
///
/// # Errors
/// Where that cannot be read from it.
pub(super) fn after(statement: &[u8], now: Strings, at_first: Strings) -> Result<Strings, Error> {
    let head = statement.get(..statement.len().min(STATEMENT_BYTES_MAX)).unwrap_or_default();
    let text = String::from_utf8_lossy(head);
    let upper = text.to_ascii_uppercase();
    let mut strings = now;
    let mut from = 0;
    while let Some(ahead) = upper.get(from..).and_then(|rest| rest.find("SQL_MODE")) {
        let before = upper.get(..from + ahead).unwrap_or_default();
        from += ahead + "SQL_MODE".len();
        let rest = text.get(from..).unwrap_or_default().trim_start_matches('`').trim_start();
        let value = rest.strip_prefix(":=").or_else(|| rest.strip_prefix('=')).map(str::trim_start);
        if let Some(value) = value
            && is_of_the_session(before)
        {
            strings = read(value, now, at_first)?;
        }
    }
    Ok(strings)
}

/// Whether the name behind this is the session's own `sql_mode`, and not another variable's or all sessions'.
fn is_of_the_session(before: &str) -> bool {
    let scope = before.trim_end_matches(['`', ' ', '\t', '\n', '\r']);
    let named_longer = before.ends_with(|sign: char| sign.is_alphanumeric() || matches!(sign, '_' | '$'));
    let is_variable = scope.ends_with('@') && !scope.ends_with("@@");
    let for_all = ["GLOBAL", "GLOBAL.", "PERSIST", "PERSIST.", "PERSIST_ONLY", "PERSIST_ONLY."];
    !named_longer && !is_variable && !for_all.iter().any(|all| scope.ends_with(all))
}

fn read(value: &str, now: Strings, at_first: Strings) -> Result<Strings, Error> {
    if let Some(quote) = value.chars().next().filter(|first| matches!(first, '\'' | '"')) {
        let mode = value.get(1..).and_then(|rest| rest.split(quote).next()).unwrap_or_default();
        return Ok(Strings::of_mode(mode));
    }
    let upper = value.to_ascii_uppercase();
    let word = upper.split(|sign: char| !sign.is_alphanumeric() && sign != '_').next().unwrap_or_default();
    let is_call = upper.get(word.len()..).unwrap_or_default().trim_start().starts_with('(');
    match word {
        // From a variable.
        "" if upper.starts_with('@') => Ok(at_first),
        "DEFAULT" => Ok(at_first),
        "0" => Ok(Strings::of_mode("")),
        _ if !word.is_empty() && !is_call && !word.starts_with(|sign: char| sign.is_ascii_digit()) => {
            Ok(Strings::of_mode(word))
        }
        // What is computed from the mode that is, such as CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), keeps what it does not name.
        _ if is_call
            && !QUOTE_NAMES.iter().chain(&["NO_BACKSLASH_ESCAPES"]).any(|name| upper.contains(name)) =>
        {
            Ok(now)
        }
        _ => Err(Error::new(
            Class::Syntax,
            "how strings are to be read after this cannot be told from it; write sql_mode as a string",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{Strings, after};

    const NOW: Strings = Strings { escapes: true, quotes_are_names: true };
    const FIRST: Strings = Strings { escapes: false, quotes_are_names: true };

    #[test]
    fn a_mode_is_read_from_a_set_statement() {
        let plain = Strings::default();
        for (statement, strings) in [
            ("SET sql_mode = ''", plain),
            ("SET SESSION sql_mode='NO_BACKSLASH_ESCAPES,ANSI_QUOTES'", FIRST),
            ("set @@session.sql_mode := \"ansi\"", NOW),
            ("SET `sql_mode` = 'strict_all_tables'", plain),
            ("SET sql_mode = TRADITIONAL", plain),
            ("SET sql_mode = oracle, autocommit = 1", NOW),
            ("SET sql_mode = 0", plain),
            ("SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO'", plain),
            ("SET SQL_MODE=@OLD_SQL_MODE", FIRST),
            ("SET sql_mode = DEFAULT", FIRST),
            ("SET GLOBAL sql_mode = ''", NOW),
            ("SET @@global.sql_mode = ''", NOW),
            ("SET @sql_mode = ''", NOW),
            ("SET my_sql_mode = ''", NOW),
            ("SET sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')", NOW),
            ("SET autocommit = 0", NOW),
        ] {
            assert_eq!(after(statement.as_bytes(), NOW, FIRST), Ok(strings), "{statement}");
        }
        for unclear in ["SET sql_mode = REPLACE(@@sql_mode, 'ANSI_QUOTES', '')", "SET sql_mode = 4"] {
            assert!(after(unclear.as_bytes(), NOW, FIRST).unwrap_err().message.contains("as a string"));
        }
    }
}
