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

/// Says no more than how many there are, which takes no question.
pub(crate) fn count(counted: u16, notices: Notices<'_>) {
    notices(warning(format!(
        "{}{counted} warnings, which were not read (`warnings` of the instance)",
        least(counted)
    )));
}

fn warning(message: String) -> Notice {
    Notice { severity: "Warning".to_owned(), message, ..Notice::default() }
}

/// The number in the server's answer has no room for more.
fn least(counted: u16) -> &'static str {
    if counted == u16::MAX { "at least " } else { "" }
}

/// Refuses a statement that would be told another row count than the statement before it has left.
pub(crate) fn refuse_row_count(sql: &[u8]) -> Result<(), Error> {
    match row_count(sql) {
        None => Ok(()),
        Some(at) => Err(Error::new(
            Class::Unsupported,
            "ROW_COUNT() would say -1 here, because the warnings of the statement before were read",
        )
        .at(at)
        .hint(
            "Put both statements into one block or procedure, or set warnings = \"counted\" on the instance",
        )),
    }
}

/// Where a statement calls ROW_COUNT(), outside quotes.
fn row_count(sql: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"row_count";
    let mut at = 0;
    let mut quote = None;
    while let Some(byte) = sql.get(at).copied() {
        match quote {
            Some(_) if byte == b'\\' => at += 1,
            Some(end) if byte == end => quote = None,
            Some(_) => {}
            None if matches!(byte, b'\'' | b'"' | b'`') => quote = Some(byte),
            None if byte.eq_ignore_ascii_case(&b'r') => {
                let (name, behind) = sql.get(at..)?.split_at_checked(NAME.len())?;
                let called = behind.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'(');
                if name.eq_ignore_ascii_case(NAME) && called {
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
    fn a_call_of_row_count_is_seen_outside_quotes() {
        assert_eq!(row_count(b"SET @n = ROW_COUNT()"), Some(9));
        assert_eq!(row_count(b"SELECT 'it\\'s' , row_count ( )"), Some(17));
        for other in
            ["SELECT 'ROW_COUNT()'", "SELECT row_counts()", "SELECT `row_count()`", "SELECT row_count", "r"]
        {
            assert_eq!(row_count(other.as_bytes()), None, "{other}");
        }
    }
}
