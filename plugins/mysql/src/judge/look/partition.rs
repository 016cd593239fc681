//! Partitions as their engine knows them, which may be there without their table: MariaDB that is killed while it makes a partitioned
//! table leaves those that it has made, in the way of whoever makes the table again.

use super::text;
use crate::connection::Session;
use crate::judge::object::Object;
use crate::text::literal;
use runsheet_sdk::{Error, Failure};

/// The names of their files; nothing where they cannot be seen.
pub(super) fn look(session: &mut Session, table: &Object) -> Result<Option<Vec<String>>, Error> {
    // Others stand in the files' names as numbers.
    let is_plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !session.is_mariadb() || !is_plain(&table.schema) || !is_plain(&table.name) {
        return Ok(None);
    }
    let begin = format!("{}/{}#P#", table.schema, table.name);
    let query = format!(
        "SELECT SUBSTR(NAME, {}) FROM information_schema.INNODB_SYS_TABLES WHERE LEFT(NAME, {}) = {} ORDER BY NAME",
        table.schema.len() + 2,
        begin.len(),
        literal(&begin)
    );
    match session.query(&query) {
        Ok(rows) => Ok(Some(rows.iter().map(|row| text(row.first())).collect())),
        // Who may not ask finds them in his way, and is told so by the server.
        Err(error) if error.failure != Failure::Lost => Ok(None),
        Err(error) => Err(error),
    }
}
