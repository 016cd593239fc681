//! Whether a table or a partition has rows, and which one comes first: what TRUNCATE takes away, and what changes places when a
//! partition is exchanged.

use super::{hidden, rows_key, text};
use crate::connection::Session;
use crate::judge::object::Object;
use crate::judge::seen::{Rows, Seen};
use crate::text::{literal, quoted};
use runsheet_sdk::Error;
use std::collections::BTreeMap;

/// Columns whose contents tell a row apart.
const COLUMNS_MAX: usize = 40;
/// Partitions that are looked at.
const PARTITIONS_MAX: usize = 100;

/// The rows of a table, or of each of its partitions that are named; `ALL` names all.
pub(super) fn look(
    session: &mut Session,
    table: &Object,
    partitions: &[String],
) -> Result<BTreeMap<String, Rows>, Error> {
    let columns = match columns(session, table) {
        Ok(columns) => columns,
        Err(error) => return only(table, hidden(error)?),
    };
    if columns.is_empty() {
        return Ok(BTreeMap::new());
    }
    let all = matches!(partitions, [one] if one.eq_ignore_ascii_case("all"));
    let partitions = match if all { every(session, table) } else { Ok(partitions.to_vec()) } {
        Ok(partitions) if partitions.len() > PARTITIONS_MAX => {
            return only(table, Seen::Hidden(format!("it has more than {PARTITIONS_MAX} partitions")));
        }
        Ok(partitions) => partitions,
        Err(error) => return only(table, hidden(error)?),
    };
    let mut seen = BTreeMap::new();
    if partitions.is_empty() {
        seen.insert(rows_key(table, None), first(session, table, &columns, "")?);
    }
    for partition in partitions {
        let from = format!(" PARTITION ({})", quoted(&partition));
        seen.insert(rows_key(table, Some(&partition)), first(session, table, &columns, &from)?);
    }
    Ok(seen)
}

fn only(table: &Object, seen: Seen) -> Result<BTreeMap<String, Rows>, Error> {
    let why = match seen {
        Seen::Hidden(why) => why,
        Seen::Absent | Seen::There(_) => String::new(),
    };
    Ok(BTreeMap::from([(rows_key(table, None), Rows::Hidden(why))]))
}

/// Those whose contents look the same to every session.
fn columns(session: &mut Session, table: &Object) -> Result<Vec<String>, Error> {
    let query = format!(
        "SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} \
         ORDER BY ORDINAL_POSITION LIMIT {COLUMNS_MAX}",
        literal(&table.schema),
        literal(&table.name)
    );
    let rows = session.query(&query)?;
    // A timestamp is shown in the session's time zone; the others have no text of their own.
    let plain = |kind: &str| {
        !["timestamp", "vector", "geom", "point", "linestring", "polygon"]
            .iter()
            .any(|one| kind.contains(one))
    };
    let named = rows.iter().map(|row| {
        let name = quoted(&text(row.first()));
        if plain(&text(row.get(1))) { format!("IFNULL(SHA2({name}, 256), '-')") } else { "'?'".to_owned() }
    });
    Ok(named.collect())
}

fn every(session: &mut Session, table: &Object) -> Result<Vec<String>, Error> {
    let query = format!(
        "SELECT DISTINCT PARTITION_NAME FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} \
         AND PARTITION_NAME IS NOT NULL",
        literal(&table.schema),
        literal(&table.name)
    );
    Ok(session.query(&query)?.iter().map(|row| text(row.first())).collect())
}

fn first(session: &mut Session, table: &Object, columns: &[String], from: &str) -> Result<Rows, Error> {
    let query = format!(
        "SELECT SHA2(CONCAT_WS(',', {}), 256) FROM {}{from} LIMIT 1",
        columns.join(", "),
        table.sql()
    );
    match session.query(&query) {
        Ok(rows) => Ok(match rows.first() {
            None => Rows::None,
            Some(row) => Rows::Some(text(row.first())),
        }),
        Err(error) => match hidden(error)? {
            Seen::Hidden(why) => Ok(Rows::Hidden(why)),
            Seen::Absent | Seen::There(_) => Ok(Rows::None),
        },
    }
}
