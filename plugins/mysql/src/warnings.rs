//! What the server notes beside the outcome: asked for by SHOW WARNINGS, which changes nothing but what ROW_COUNT() says next.

use crate::connection::Session;
use runsheet_sdk::{Class, Error, Notice, Notices};

/// Says what the server has noted about the last statement, but for the error that is told already. `counted` is how many
/// warnings its answer has spoken of.
pub(crate) fn say(
    session: &mut Session,
    counted: u16,
    told: Option<&Error>,
    notices: Notices<'_>,
) -> Result<(), Error> {
    let rows = session.query("SHOW WARNINGS")?;
    let shown = rows.len();
    for row in rows {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || cells.next().unwrap_or_default();
        let (severity, code, message) = (next(), next().parse().unwrap_or_default(), next());
        if told.is_some_and(|error| error.code == code && error.message == message) {
            continue;
        }
        notices(Notice { severity, sqlstate: String::new(), code, message });
    }
    if usize::from(counted) > shown {
        let more = usize::from(counted) - shown;
        let message = format!(
            "{}{more} further warnings were not kept by the server (max_error_count)",
            least(counted)
        );
        notices(warning(message));
    }
    Ok(())
}

/// Says no more than how many there are, which takes no question, and why they are not read.
pub(crate) fn count(counted: u16, why: &str, notices: Notices<'_>) {
    notices(warning(format!("{}{counted} warnings, {why}", least(counted))));
}

fn warning(message: String) -> Notice {
    Notice { severity: "Warning".to_owned(), message, ..Notice::default() }
}

/// The number in the server's answer has no room for more.
fn least(counted: u16) -> &'static str {
    if counted == u16::MAX { "at least " } else { "" }
}

/// Refuses a statement that would be told other counts than the statement before it has left.
pub(crate) fn refuse_counts(sql: &[u8]) -> Result<(), Error> {
    let Some(at) = counts(sql) else { return Ok(()) };
    let message = "ROW_COUNT() and FOUND_ROWS() would not say here what the statement before it did, because the driver has asked the server \
                   something in between";
    Err(Error::new(Class::Unsupported, message).at(at).hint(
        "Put both statements into one block or procedure. Where it was about warnings, warnings = \"counted\" on the instance lets them be",
    ))
}

/// Where a statement calls ROW_COUNT() or FOUND_ROWS(), outside quotes.
fn counts(sql: &[u8]) -> Option<usize> {
    const NAMES: [&[u8]; 2] = [b"row_count", b"found_rows"];
    let calls = |rest: &[u8], name: &[u8]| {
        let Some((head, behind)) = rest.split_at_checked(name.len()) else { return false };
        head.eq_ignore_ascii_case(name)
            && behind.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'(')
    };
    let mut at = 0;
    let mut quote = None;
    while let Some(byte) = sql.get(at).copied() {
        match quote {
            Some(_) if byte == b'\\' => at += 1,
            Some(end) if byte == end => quote = None,
            Some(_) => {}
            None if matches!(byte, b'\'' | b'"' | b'`') => quote = Some(byte),
            None if matches!(byte, b'r' | b'R' | b'f' | b'F') => {
                let rest = sql.get(at..).unwrap_or_default();
                if NAMES.iter().any(|name| calls(rest, name)) {
                    return Some(at);
                }
            }
            None => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_counts_is_seen_outside_quotes() {
        assert_eq!(counts(b"SET @n = ROW_COUNT()"), Some(9));
        assert_eq!(counts(b"SELECT found_rows()"), Some(7));
        assert_eq!(counts(b"SELECT 'it\\'s' , row_count ( )"), Some(17));
        for other in
            ["SELECT 'ROW_COUNT()'", "SELECT row_counts()", "SELECT `row_count()`", "SELECT row_count", "r"]
        {
            assert_eq!(counts(other.as_bytes()), None, "{other}");
        }
    }
}
