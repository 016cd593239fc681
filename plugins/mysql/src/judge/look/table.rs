//! Tables, views and sequences.

use super::{Depth, hidden, seconds, text};
use crate::connection::Session;
use crate::judge::object::Object;
use crate::judge::seen::{Definition, Seen, There};
use crate::text::literal;
use runsheet_sdk::Error;
use std::time::Duration;

/// Tables in one question.
const AT_ONCE: usize = 50;
/// No such table.
const MISSING: i64 = 1146;
/// What is seen of a table that is there and cannot be opened.
const CANNOT_OPEN: &str = "the server lists it and cannot open it";
/// How often tables are looked at until each can be opened, and how long between two looks: a server that was killed and has just
/// started may not be done with what it found half made.
const LOOKS: u32 = 5;
const WAIT: Duration = Duration::from_millis(200);

pub(super) fn look(session: &mut Session, tables: &[(Object, Depth)]) -> Result<Vec<(Object, Seen)>, Error> {
    let mut seen = look_once(session, tables)?;
    for _ in 1..LOOKS {
        if !seen.iter().any(|(_, seen)| matches!(seen, Seen::Hidden(why) if why == CANNOT_OPEN)) {
            break;
        }
        std::thread::sleep(WAIT);
        seen = look_once(session, tables)?;
    }
    Ok(seen)
}

fn look_once(session: &mut Session, tables: &[(Object, Depth)]) -> Result<Vec<(Object, Seen)>, Error> {
    let mut seen = Vec::new();
    for some in tables.chunks(AT_ONCE) {
        // One SELECT for each, since only a constant schema and name are looked up without opening every table there is.
        let each = some.iter().zip(0..).map(|((table, _), index)| {
            format!(
                "SELECT {index}, TABLE_TYPE, ENGINE, UNIX_TIMESTAMP(CREATE_TIME) FROM information_schema.TABLES \
                 WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
                literal(&table.schema),
                literal(&table.name)
            )
        });
        let rows = match session.query(&each.collect::<Vec<_>>().join(" UNION ALL ")) {
            Ok(rows) => rows,
            Err(error) => {
                let why = hidden(error)?;
                seen.extend(some.iter().map(|(table, _)| (table.clone(), why.clone())));
                continue;
            }
        };
        for ((table, depth), index) in some.iter().zip(0..) {
            let row = rows.iter().find(|row| text(row.first()) == i32::to_string(&index));
            let found = match row {
                None => Seen::Absent,
                // All but views have an engine. A server that was killed may leave what it does not know how to open any more.
                Some(row) if text(row.get(2)).is_empty() && !text(row.get(1)).ends_with("VIEW") => {
                    Seen::Hidden(CANNOT_OPEN.to_owned())
                }
                Some(row) => Seen::There(There {
                    what: text(row.get(1)),
                    engine: text(row.get(2)),
                    made: seconds(row.get(3)),
                    ..There::default()
                }),
            };
            seen.push((table.clone(), closer(session, table, *depth, found)?));
        }
    }
    Ok(seen)
}

fn closer(session: &mut Session, table: &Object, depth: Depth, found: Seen) -> Result<Seen, Error> {
    let Seen::There(mut there) = found else { return Ok(found) };
    if depth == Depth::Presence {
        return Ok(Seen::There(there));
    }
    let sequence = there.what == "SEQUENCE";
    let what = if sequence { "SEQUENCE" } else { "TABLE" };
    let shown = match session.query(&format!("SHOW CREATE {what} {}", table.sql())) {
        Ok(rows) => rows.first().map(|row| text(row.get(1))).unwrap_or_default(),
        Err(error) if error.code == MISSING => return Ok(Seen::Absent),
        Err(error) => return hidden(error),
    };
    if shown.starts_with("CREATE TEMPORARY") {
        return Ok(Seen::Hidden("it is a temporary table, which ends with its session".to_owned()));
    }
    let (definition, counter) = without_counter(&shown);
    there.definition = Some(Definition::of(definition.clone(), &shape(&definition)));
    there.value = counter.map(|counter| format!("AUTO_INCREMENT={counter}")).unwrap_or_default();
    if sequence {
        there.value = match session.ask(&format!("SELECT next_not_cached_value FROM {}", table.sql())) {
            Ok(number) => number.unwrap_or_default(),
            Err(error) => return hidden(error),
        };
    }
    Ok(Seen::There(there))
}

/// A definition without the next number of AUTO_INCREMENT, which goes on by itself; and that number.
fn without_counter(shown: &str) -> (String, Option<u64>) {
    const OPTION: &str = " AUTO_INCREMENT=";
    let options = shown.rfind("\n)").unwrap_or(0);
    let (columns, options) = shown.split_at(options);
    // A comment may say the same, but comes later.
    let Some((before, after)) = options.split_once(OPTION) else { return (shown.to_owned(), None) };
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    let (number, after) = after.split_at(digits);
    (format!("{columns}{before}{after}"), number.parse().ok())
}

/// A definition without the names in it that follow from the table's own.
fn shape(definition: &str) -> String {
    let body = definition.find('(').unwrap_or(0);
    let mut rest = definition.get(body..).unwrap_or_default();
    let mut shape = String::new();
    while let Some((before, after)) = rest.split_once("CONSTRAINT `") {
        shape.push_str(before);
        shape.push_str("CONSTRAINT");
        rest = after.split_once('`').map_or("", |(_, behind)| behind);
    }
    shape + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_no_part_of_a_definition() {
        let shown = "CREATE TABLE `t` (\n  `a` int COMMENT 'x AUTO_INCREMENT=5'\n) ENGINE=InnoDB AUTO_INCREMENT=17 DEFAULT CHARSET=utf8mb4 COMMENT='AUTO_INCREMENT=3'";
        let (definition, counter) = without_counter(shown);
        assert_eq!(counter, Some(17));
        assert_eq!(definition, shown.replace(" AUTO_INCREMENT=17", ""));
        assert_eq!(without_counter(&definition), (definition.clone(), None));
    }

    #[test]
    fn a_renamed_table_keeps_its_shape() {
        let one = "CREATE TABLE `a` (\n  `x` int,\n  CONSTRAINT `a_ibfk_1` FOREIGN KEY (`x`) REFERENCES `c` (`d`)\n) ENGINE=InnoDB";
        let other = one.replace("`a`", "`b`").replace("a_ibfk_1", "b_ibfk_1");
        assert_eq!(shape(one), shape(&other));
        assert_ne!(shape(one), shape(&one.replace("`x` int", "`x` bigint")));
    }
}
