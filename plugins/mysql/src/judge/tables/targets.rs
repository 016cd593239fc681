//! The tables whose rows a statement changes, from its words. Of a statement over many tables that does not say which it changes, all
//! are taken.

use crate::judge::object::{Class, Object};
use crate::judge::reader::Reader;
use crate::judge::words::{Dialect, Token};

/// What may stand behind a table in a list of tables, and is no other name for it.
const NO_ALIAS: &[&str] = &[
    "cross",
    "for",
    "force",
    "ignore",
    "inner",
    "join",
    "left",
    "limit",
    "natural",
    "on",
    "order",
    "partition",
    "returning",
    "right",
    "set",
    "straight_join",
    "use",
    "using",
    "where",
];

/// A table in a list, and the name that the statement has for it.
struct Reference {
    table: Object,
    alias: String,
}

pub(super) fn targets(sql: &[u8], dialect: Dialect, current: &str) -> Vec<Object> {
    let mut reader = Reader::new(sql, dialect);
    loop {
        match reader.eats_one(&["insert", "replace", "update", "delete", "load", "with", "analyze"]) {
            Some("insert" | "replace") => return insert(&mut reader, current).into_iter().collect(),
            Some("update") => return update(&mut reader, current),
            Some("delete") => return delete(&mut reader, current),
            Some("load") => return load(&mut reader, current).into_iter().collect(),
            // The statement comes behind its common tables, or behind how it is explained.
            Some(_) => {
                if !reader.skip_to(&["insert", "replace", "update", "delete"]) {
                    return Vec::new();
                }
            }
            None => return Vec::new(),
        }
    }
}

fn insert(reader: &mut Reader<'_>, current: &str) -> Option<Object> {
    while reader.eats_one(&["low_priority", "delayed", "high_priority", "ignore", "into"]).is_some() {}
    reader.object(Class::Table, current)
}

fn load(reader: &mut Reader<'_>, current: &str) -> Option<Object> {
    while reader.skip_to(&["into"]) {
        if reader.eats_all(&["into", "table"]) {
            return reader.object(Class::Table, current);
        }
        reader.take();
    }
    None
}

fn update(reader: &mut Reader<'_>, current: &str) -> Vec<Object> {
    while reader.eats_one(&["low_priority", "ignore"]).is_some() {}
    let references = references(reader, current);
    if references.len() < 2 || !reader.skip_to(&["set"]) {
        return references.into_iter().map(|one| one.table).collect();
    }
    reader.eats("set");
    let mut changed = Vec::new();
    loop {
        // `alias.column =` or `schema.table.column =`; a column alone may be of any.
        let mut parts: Vec<String> = reader.name().into_iter().collect();
        while reader.sign(b'.') {
            parts.extend(reader.name());
        }
        match parts.as_slice() {
            [.., of, _] => changed.push(of.clone()),
            _ => return references.into_iter().map(|one| one.table).collect(),
        }
        // To the next assignment; what comes behind the last one has no more of them.
        if !next_assignment(reader) {
            break;
        }
    }
    named(references, &changed, current)
}

fn next_assignment(reader: &mut Reader<'_>) -> bool {
    let mut depth = 0_u32;
    while let Some(token) = reader.take() {
        match token {
            Token::Sign(b'(') => depth += 1,
            Token::Sign(b')') => depth = depth.saturating_sub(1),
            Token::Sign(b',') if depth == 0 => return true,
            Token::Word(word) if depth == 0 && word.eq_ignore_ascii_case("where") => return false,
            _ => {}
        }
    }
    false
}

fn delete(reader: &mut Reader<'_>, current: &str) -> Vec<Object> {
    while reader.eats_one(&["low_priority", "quick", "ignore", "history"]).is_some() {}
    let from_first = reader.eats("from");
    let mut names = Vec::new();
    let mut tables = Vec::new();
    while let Some(table) = reader.object(Class::Table, current) {
        // `table.*`, as the older form has it.
        if reader.sign(b'.') {
            reader.sign(b'*');
        }
        names.push(table.name.clone());
        tables.push(table);
        if !reader.sign(b',') {
            break;
        }
    }
    let many = if from_first { reader.eats("using") } else { reader.eats("from") };
    if !many {
        return tables;
    }
    let references = references(reader, current);
    named(references, &names, current)
}

/// The tables that these names stand for.
fn named(references: Vec<Reference>, names: &[String], current: &str) -> Vec<Object> {
    names
        .iter()
        .map(|name| {
            let found = references.iter().find(|one| one.alias.eq_ignore_ascii_case(name));
            found.map_or_else(|| Object::new(Class::Table, current, name.as_str()), |one| one.table.clone())
        })
        .collect()
}

/// A list of tables with joins, up to what comes behind it.
fn references(reader: &mut Reader<'_>, current: &str) -> Vec<Reference> {
    let mut references = Vec::new();
    let mut expected = true;
    loop {
        match reader.peek() {
            None => return references,
            Some(Token::Sign(b'(')) if expected => {
                reader.take();
                if reader.is("select") || reader.is("with") || reader.is("values") {
                    skip_parenthesis(reader);
                    expected = false;
                }
            }
            Some(Token::Sign(b'(')) => {
                reader.take();
                skip_parenthesis(reader);
            }
            Some(Token::Sign(b',')) => {
                reader.take();
                expected = true;
            }
            Some(Token::Word(_)) if reader.is("set") || reader.is("where") => return references,
            Some(Token::Word(_) | Token::Quoted(_)) if expected && !reader.is("lateral") => {
                let Some(table) = reader.object(Class::Table, current) else { return references };
                references.push(reference(reader, table));
                expected = false;
            }
            Some(Token::Word(_)) => {
                let joins = reader.is("join") || reader.is("straight_join");
                reader.take();
                expected |= joins;
            }
            Some(_) => {
                reader.take();
            }
        }
    }
}

fn reference(reader: &mut Reader<'_>, table: Object) -> Reference {
    if reader.eats("partition") && reader.sign(b'(') {
        skip_parenthesis(reader);
    }
    let said = reader.eats("as");
    let is_name = match reader.peek() {
        Some(Token::Quoted(_)) => true,
        Some(Token::Word(_)) => said || !NO_ALIAS.iter().any(|word| reader.is(word)),
        _ => false,
    };
    let alias = if is_name { reader.name() } else { None };
    Reference { alias: alias.unwrap_or_else(|| table.name.clone()), table }
}

/// Eats everything up to the parenthesis that closes an open one.
fn skip_parenthesis(reader: &mut Reader<'_>) {
    let mut depth = 1_u32;
    while depth > 0 {
        match reader.take() {
            None => return,
            Some(Token::Sign(b'(')) => depth += 1,
            Some(Token::Sign(b')')) => depth -= 1,
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(sql: &str) -> String {
        let dialect = Dialect { mariadb: true, version: 101_119, ansi_quotes: false, escapes: true };
        let found = targets(sql.as_bytes(), dialect, "d");
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_tables_that_a_statement_changes_are_found() {
        let cases = [
            ("INSERT INTO t VALUES (1)", "d.t"),
            ("insert low_priority ignore `a b`.t select * from u", "a b.t"),
            ("REPLACE t SET a = 1", "d.t"),
            ("UPDATE t SET a = 1 WHERE b IN (SELECT c FROM u)", "d.t"),
            ("UPDATE LOW_PRIORITY e.t AS x SET x.a = 1", "e.t"),
            ("UPDATE t JOIN u ON (t.a = u.a), v SET u.b = t.b, v.c = f(1, 2) WHERE t.x = 1", "d.u d.v"),
            ("UPDATE t a, (SELECT 1 AS b) c SET a.x = c.b", "d.t"),
            ("UPDATE t, u SET x = 1", "d.t d.u"),
            ("DELETE FROM t WHERE a = 1", "d.t"),
            ("DELETE FROM t AS x USING t AS x JOIN u ON x.a = u.a", "d.t"),
            ("DELETE QUICK a, e.b.* FROM t AS a JOIN e.b ON a.x = b.x", "d.t e.b"),
            ("DELETE FROM a, b USING t a INNER JOIN u AS b WHERE a.x = b.x", "d.t d.u"),
            ("WITH x AS (SELECT 1) UPDATE t JOIN x SET t.a = 1", "d.t"),
            ("LOAD DATA INFILE 'x' REPLACE INTO TABLE t FIELDS TERMINATED BY ','", "d.t"),
            ("ANALYZE FORMAT=JSON DELETE FROM t", "d.t"),
            ("SELECT 1", ""),
        ];
        for (sql, wanted) in cases {
            assert_eq!(changed(sql), wanted, "{sql}");
        }
    }
}
