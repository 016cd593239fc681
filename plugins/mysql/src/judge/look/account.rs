//! Users and roles. What identifies them is kept as a hash alone.

use super::{Depth, hidden, text};
use crate::connection::Session;
use crate::judge::object::Object;
use crate::judge::seen::{Definition, Seen, There};
use crate::judge::words::Dialect;
use crate::text::literal;
use runsheet_sdk::Error;

/// No such table, in information_schema and elsewhere.
const NO_TABLE: [i64; 2] = [1109, 1146];

pub(super) fn look(
    session: &mut Session,
    account: &Object,
    depth: Depth,
    dialect: Dialect,
) -> Result<Seen, Error> {
    match is_there(session, account, dialect) {
        Ok(true) => {}
        Ok(false) => return Ok(Seen::Absent),
        Err(error) => return hidden(error),
    }
    let mut there = There { what: "ACCOUNT".to_owned(), ..There::default() };
    let shown = match depth {
        Depth::Presence => return Ok(Seen::There(there)),
        Depth::Definition => session.query(&format!("SHOW CREATE USER {}", account.sql())),
        Depth::Contents => session.query(&format!("SHOW GRANTS FOR {}", account.sql())),
    };
    match shown {
        Ok(rows) => {
            let lines: Vec<String> = rows.iter().map(|row| text(row.first())).collect();
            there.definition = Some(Definition::of_secret(&lines.join("\n")));
            Ok(Seen::There(there))
        }
        Err(error) => hidden(error),
    }
}

fn is_there(session: &mut Session, account: &Object, dialect: Dialect) -> Result<bool, Error> {
    let (user, host) = (literal(&account.name), literal(&account.schema));
    // MySQL shows them to everyone who may make them; MariaDB only to who may read its own tables.
    let tables: &[&str] = if dialect.mariadb {
        &["mysql.global_priv", "mysql.user"]
    } else {
        &["information_schema.USER_ATTRIBUTES", "mysql.user"]
    };
    let mut last = None;
    for table in tables {
        match session.ask(&format!("SELECT 1 FROM {table} WHERE User = {user} AND Host = {host}")) {
            Ok(found) => return Ok(found.is_some()),
            Err(error) if NO_TABLE.contains(&error.code) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    last.map_or(Ok(false), Err)
}
