//! `standard_conforming_strings`, which decides whether a backslash escapes in a plain string: psql hears of it from the server, and
//! this reads it from the sheet.

/// The longest statement that is looked at.
const STATEMENT_BYTES_MAX: usize = 256;

/// What `SET [SESSION | LOCAL] standard_conforming_strings = …` or `RESET standard_conforming_strings` makes of it; nothing where a
/// statement is about something else.
pub(super) fn setting(statement: &[u8]) -> Option<bool> {
    let head = statement.get(..statement.len().min(STATEMENT_BYTES_MAX)).unwrap_or_default();
    let head = String::from_utf8_lossy(head).to_ascii_lowercase().replace('=', " = ");
    let mut words = head.split_whitespace().skip(1).skip_while(|word| matches!(*word, "session" | "local"));
    if words.next()?.trim_matches('"') != "standard_conforming_strings" {
        return None;
    }
    let value = words.find(|word| !matches!(*word, "to" | "=")).unwrap_or("on");
    let value = value.trim_matches(|sign| matches!(sign, '\'' | '"'));
    Some(!matches!(value, "off" | "of" | "false" | "no" | "0"))
}

#[cfg(test)]
mod tests {
    use super::setting;

    #[test]
    fn the_setting_is_read_in_all_its_forms() {
        for (statement, conforming) in [
            ("SET standard_conforming_strings = off", Some(false)),
            ("set session standard_conforming_strings to 'OFF'", Some(false)),
            ("SET LOCAL standard_conforming_strings=false", Some(false)),
            ("SET standard_conforming_strings TO on", Some(true)),
            ("SET standard_conforming_strings TO DEFAULT", Some(true)),
            ("RESET standard_conforming_strings", Some(true)),
            ("SET escape_string_warning = off", None),
            ("SET", None),
        ] {
            assert_eq!(setting(statement.as_bytes()), conforming, "{statement}");
        }
    }
}
