//! The server's numbers as classes, and the place that a syntax error names as a byte of the statement.

use runsheet_sdk::{Applied, Class, Error, Failure};

/// An error of the crate's, for a statement.
pub(crate) fn from(error: mysql::Error, sql: &[u8]) -> Error {
    match error {
        mysql::Error::MySqlError(said) => {
            let class = class(said.code);
            let failure = match class {
                Class::Connection => Failure::Lost,
                Class::Canceled => Failure::Canceled,
                _ => Failure::Failed,
            };
            Error {
                failure,
                applied: if failure == Failure::Lost { Applied::Unknown } else { Applied::No },
                sqlstate: said.state,
                code: i64::from(said.code),
                position: position(&said.message, sql),
                hint: advice(said.code).to_owned(),
                ..Error::new(class, said.message)
            }
        }
        mysql::Error::IoError(error) => {
            Error::lost(format!("the connection to the server was lost: {error}"), Applied::Unknown)
        }
        mysql::Error::DriverError(mysql::DriverError::PacketTooLarge) => {
            Error::new(Class::Resource, "the statement is larger than the server's max_allowed_packet")
        }
        // Everything else of the crate's means that it and the server do not understand each other any more.
        other => Error::lost(format!("the connection to the server broke down: {other}"), Applied::Unknown),
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
        1044 | 1142 | 1143 | 1227 | 1370 | 1410 | 1290 => Class::Permission,
        1045 | 1698 | 1251 | 2059 => Class::Authentication,
        1205 | 3572 | 1099 => Class::LockTimeout,
        1213 => Class::Deadlock,
        1317 => Class::Canceled,
        3024 | 1969 => Class::Timeout,
        1040 | 1203 | 1226 | 1114 | 1021 | 1037 | 1038 | 1041 | 1153 | 1206 => Class::Resource,
        1053 | 1077 | 1079 | 1080 | 1152 | 1158 | 1159 | 1160 | 1161 | 1184 | 1927 | 2006 | 2013 | 4031 => {
            Class::Connection
        }
        1235 | 1289 => Class::Unsupported,
        _ => Class::Other,
    }
}

fn advice(code: u16) -> &'static str {
    match code {
        1045 | 1698 => {
            "Look at `user` and `password` of the instance, and at the hosts that the account may come from"
        }
        1049 => "Create the database, or name another one in the plan's target",
        1040 | 1203 => "The server has no connection left; lower `max_connections` of the instance",
        _ => "",
    }
}

/// The byte that `… near 'text' at line N` means: where `text` begins in line N, if that can be only one place.
fn position(message: &str, sql: &[u8]) -> Option<usize> {
    let (_, rest) = message.split_once(" near '")?;
    let (near, line) = rest.rsplit_once("' at line ")?;
    let line: usize = line.trim().parse().ok()?;
    let mut starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', sql).map(|at| at + 1));
    let start = starts.nth(line.checked_sub(1)?)?;
    if near.is_empty() {
        return None;
    }
    let rest = sql.get(start..)?;
    let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    // What is near may go on over further lines; it begins in this one.
    let mut found = memchr::memmem::find_iter(rest, near.as_bytes()).filter(|at| *at <= end);
    let first = found.next()?;
    found.next().is_none().then_some(start + first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_syntax_error_is_found_where_it_is_unique() {
        let message =
            "You have an error in your SQL syntax; check the manual … to use near 'FORM t' at line 2";
        assert_eq!(position(message, b"SELECT a\nFORM t"), Some(9));
        assert_eq!(position("… near 'x' at line 1", b"x x"), None);
    }
}
