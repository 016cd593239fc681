//! Where the server saw an error: it counts characters in a statement, lines in a DO block, and lines in the rows of a load.

use crate::error::Said;

/// The byte of a statement that an error is about. `utf8` says whether the server counts its characters as UTF-8.
pub(crate) fn in_statement(said: &Said, sql: &[u8], utf8: bool) -> Option<usize> {
    match said.position {
        Some(character) => byte_of(sql, character, utf8),
        None => in_block(&said.context, sql),
    }
}

/// The line of a load's rows that an error is about, from 0.
pub(crate) fn in_rows(said: &Said) -> Option<usize> {
    // "COPY name, line 7, column x: …", in any language; the load itself is the outermost.
    let (_, rest) = said.context.lines().rev().find(|line| line.starts_with("COPY "))?.split_once(", ")?;
    first_number(rest)?.checked_sub(1)
}

/// The byte of the character that the server counted from 1. In another encoding it is known only behind plain ASCII.
fn byte_of(sql: &[u8], character: usize, utf8: bool) -> Option<usize> {
    let is_first = |byte: &u8| byte & 0xC0 != 0x80;
    let wanted = character.checked_sub(1)?;
    if !utf8 {
        return sql.get(..wanted).filter(|before| before.is_ascii() && wanted < sql.len()).map(<[u8]>::len);
    }
    sql.iter().enumerate().filter(|(_, byte)| is_first(byte)).nth(wanted).map(|(at, _)| at)
}

/// The line of a DO block that was at work: "PL/pgSQL function inline_code_block line 5 at RAISE", in any language. Its lines are
/// counted from where its body is quoted.
fn in_block(context: &str, sql: &[u8]) -> Option<usize> {
    let at_work = context.lines().rev().find_map(|line| line.split_once(" inline_code_block "))?.1;
    let line = first_number(at_work)?;
    let body = sql.iter().position(|byte| matches!(byte, b'$' | b'\''))?;
    let newlines = memchr::memchr_iter(b'\n', sql.get(body..)?);
    let begins = std::iter::once(body).chain(newlines.map(|at| body + at + 1));
    let begin = begins.clone().nth(line.checked_sub(1)?)?;
    let indent = sql.get(begin..)?.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
    Some(begin + indent)
}

fn first_number(text: &str) -> Option<usize> {
    let text = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_in_characters_becomes_one_in_bytes() {
        assert_eq!(byte_of("äöü x".as_bytes(), 5, true), Some(7));
        assert_eq!(byte_of(b"abc", 1, true), Some(0));
        assert_eq!(byte_of(b"abc", 9, true), None);
    }

    #[test]
    fn in_another_encoding_a_position_is_said_only_where_it_is_certain() {
        assert_eq!(byte_of(b"SELECT x \xE4", 8, false), Some(7));
        assert_eq!(byte_of(b"SELECT '\xE4' x", 12, false), None);
        assert_eq!(byte_of(b"abc", 9, false), None);
    }

    fn said(context: &str) -> Said {
        Said { context: context.to_owned(), ..Said::default() }
    }

    #[test]
    fn the_line_of_a_do_block_is_found_in_its_statement() {
        let sql = b"DO LANGUAGE plpgsql\n$x$\nBEGIN\n  RAISE 'no';\nEND $x$";
        let context = "SQL statement \"SELECT 1\"\nPL/pgSQL function f(integer) line 9 at RETURN\nPL/pgSQL function inline_code_block line 3 at RAISE";
        assert_eq!(in_statement(&said(context), sql, true), Some(32));
        let german = "PL/pgSQL-Funktion inline_code_block Zeile 1 bei RAISE";
        assert_eq!(in_statement(&said(german), b"DO $$BEGIN RAISE 'no'; END$$", true), Some(3));
        assert_eq!(in_statement(&said("PL/pgSQL function f() line 3 at RAISE"), sql, true), None);
        assert_eq!(in_statement(&said("… inline_code_block line 99 at RAISE"), sql, true), None);
    }

    #[test]
    fn the_row_of_a_load_is_counted_from_its_first() {
        assert_eq!(in_rows(&said("COPY t2, line 701, column id: \"7, line 9\"")), Some(700));
        assert_eq!(in_rows(&said("PL/pgSQL function f() line 3 at RAISE\nCOPY t, Zeile 1")), Some(0));
        assert_eq!(in_rows(&said("PL/pgSQL function f() line 3 at RAISE")), None);
    }
}
