//! The server's numbers as classes, and the place that a syntax error names as a byte of the statement.

use crate::client::Fault;
use runsheet_sdk::{Applied, Class, Error, Failure};

/// The server ends the connection after it has refused a request that is too large.
const PACKET_TOO_LARGE: u16 = 1153;

/// An error of the client's, for a statement.
pub(crate) fn from(fault: Fault, sql: &[u8]) -> Error {
    match fault {
        Fault::Said { code, state, message } => {
            let class = class(code);
            let failure = match class {
                Class::Connection => Failure::Lost,
                Class::Canceled => Failure::Canceled,
                _ if code == PACKET_TOO_LARGE => Failure::Lost,
                _ => Failure::Failed,
            };
            Error {
                failure,
                applied: if class == Class::Connection { Applied::Unknown } else { Applied::No },
                sqlstate: state,
                code: i64::from(code),
                position: position(&message, sql).filter(|_| class == Class::Syntax),
                hint: advice(code, &message).to_owned(),
                ..Error::new(class, message)
            }
        }
        Fault::Network(error) => {
            Error::lost(format!("the connection to the server was lost: {error}"), Applied::Unknown)
        }
        Fault::Protocol(why) => Error::lost(why, Applied::Unknown),
        Fault::Login(why) => Error::new(Class::Authentication, why),
    }
}

fn class(code: u16) -> Class {
    match code {
        1064 | 1149 | 1065 => Class::Syntax,
        1146 | 1054 | 1049 | 1051 | 1091 | 1305 | 1360 | 1176 | 1449 => Class::MissingObject,
        1050 | 1060 | 1061 | 1007 | 1304 | 1359 | 1068 | 1396 => Class::AlreadyExists,
        1062 | 1451 | 1452 | 1048 | 1216 | 1217 | 1169 | 3819 | 4025 | 1406 | 1264 | 1366 => {
            Class::Constraint
        }
        1044 | 1142 | 1143 | 1227 | 1370 | 1410 | 1290 | 1836 | 1792 => Class::Permission,
        1045 | 1698 | 1251 | 1524 | 1820 | 1862 | 2059 | 3118 | 3159 | 3878 | 3955 | 4151 => {
            Class::Authentication
        }
        1205 | 3572 | 1099 => Class::LockTimeout,
        1213 => Class::Deadlock,
        1020 => Class::Serialization,
        1317 => Class::Canceled,
        3024 | 1969 => Class::Timeout,
        1040 | 1203 | 1226 | 1114 | 1021 | 1037 | 1038 | 1041 | PACKET_TOO_LARGE | 1206 => Class::Resource,
        1053 | 1077 | 1079 | 1080 | 1129 | 1130 | 1152 | 1158 | 1159 | 1160 | 1161 | 1184 | 1927 | 2006
        | 2013 | 3169 | 4031 => Class::Connection,
        1235 | 1289 => Class::Unsupported,
        _ => Class::Other,
    }
}

fn advice(code: u16, message: &str) -> &'static str {
    match code {
        1045 | 1698 => {
            "Look at `user` and `password` of the instance, and at the hosts that the account may come from"
        }
        1049 => "Create the database, or name another one in the plan's target",
        1040 | 1203 | 1226 => {
            "The server has no connection left for the account; lower `max_connections` of the instance"
        }
        1129 => "The server has had too many failed connections from this host: FLUSH HOSTS on it",
        1130 => "The server takes no connection from this host; give the account a host pattern that fits",
        1524 => "The server does not have the plugin that the account logs in by",
        1820 | 1862 => "The account's password has expired; change it on the server",
        3118 | 4151 => "The account is locked on the server: ALTER USER … ACCOUNT UNLOCK",
        3159 => "The server takes only secret connections; set `tls`",
        1290 if message.contains("read-only") || message.contains("read_only") => READ_ONLY,
        1836 => READ_ONLY,
        1050 if message.contains("/* Partition") => {
            "The server was killed while it made a table of this name, and left partitions of it: DROP TABLE IF EXISTS `#mysql50#TABLE#P#PARTITION` takes one away"
        }
        _ => "",
    }
}

const READ_ONLY: &str = "This server only reads: it may be a replica; name the primary by `host`";

/// The byte that a syntax error means: where the text that it quotes begins in the line that it names; that line's own beginning
/// where this may be more than one place; the statement's end where nothing is left to be quoted. So it is in every language: the
/// text between the first and the last quote, and behind it a number.
fn position(message: &str, sql: &[u8]) -> Option<usize> {
    let (_, rest) = message.split_once('\'')?;
    let (near, behind) = rest.rsplit_once('\'')?;
    let digits = behind.trim_matches(|c: char| !c.is_ascii_digit());
    let line: usize = digits.parse().ok()?;
    if near.is_empty() {
        return Some(sql.len());
    }
    let mut starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', sql).map(|at| at + 1));
    let start = starts.nth(line.checked_sub(1)?)?;
    let rest = sql.get(start..)?;
    let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    // What is near may go on over further lines; it begins in this one.
    let mut found = memchr::memmem::find_iter(rest, near.as_bytes()).take_while(|at| *at <= end);
    match (found.next(), found.next()) {
        (Some(only), None) => Some(start + only),
        (Some(_), Some(_)) | (None, _) => {
            let indent = rest.iter().take(end).position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
            Some(start + indent)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_syntax_error_is_as_near_as_the_server_says() {
        let message =
            "You have an error in your SQL syntax; check the manual … to use near 'FORM t' at line 2";
        assert_eq!(position(message, b"SELECT a\nFORM t"), Some(9));
        assert_eq!(position("… near 'x' at line 2", b"SELECT\n  x x"), Some(9));
        assert_eq!(position("… near '' at line 2", b"SELECT (\n1"), Some(10));
        assert_eq!(position("Fehler … bei 'it''s' in Zeile 1", b"SELECT it''s"), Some(7));
        assert_eq!(position("no quotes and no number", b"SELECT"), None);
    }
}
