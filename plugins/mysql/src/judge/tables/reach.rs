//! What a statement reaches besides the tables that it names: what triggers, views and stored functions of their databases do. Looked
//! for by the words in their texts, and only where a database has tables without transactions at all.

use super::Schema;
use crate::connection::Session;
use crate::judge::object::Object;
use crate::judge::words::{Dialect, Token, Words};
use crate::text::literal;
use runsheet_sdk::Error;
use std::collections::{BTreeMap, BTreeSet};

/// The first table without transactions that a statement changes, or may change, with its engine; for people.
pub(super) fn find(
    session: &mut Session,
    sql: &[u8],
    dialect: Dialect,
    current: &str,
    targets: &[Object],
) -> Result<Option<String>, Error> {
    let mut schemas: BTreeSet<&str> = targets.iter().map(|one| one.schema.as_str()).collect();
    schemas.insert(current);
    for schema in &schemas {
        load_texts(session, schema)?;
    }
    let known = &session.judging.tables.schemas;
    for target in targets {
        if let Some(schema) = known.get(&target.schema)
            && let Some(found) = of_name(&target.schema, schema, &target.name.to_lowercase(), dialect)
        {
            return Ok(Some(found));
        }
    }
    // Functions that the statement calls.
    let Some(schema) = known.get(current) else { return Ok(None) };
    if schema.texts.as_ref().is_none_or(BTreeMap::is_empty) {
        return Ok(None);
    }
    let called = called(sql, dialect);
    Ok(called.iter().find_map(|name| of_name(current, schema, name, dialect)))
}

/// Words with a parenthesis behind them.
pub(super) fn called(sql: &[u8], dialect: Dialect) -> BTreeSet<String> {
    let mut words = Words::new(sql, dialect);
    let mut called = BTreeSet::new();
    let mut before = None;
    while let Some(token) = words.next() {
        if let (Token::Sign(b'('), Some(name)) = (&token, before.take()) {
            called.insert(name);
        }
        before = match token {
            Token::Word(word) => Some(word.to_lowercase()),
            Token::Quoted(name) => Some(name.to_lowercase()),
            Token::Text(_) | Token::Sign(_) => None,
        };
    }
    called
}

/// Follows a name through what runs where it stands.
fn of_name(schema_name: &str, schema: &Schema, name: &str, dialect: Dialect) -> Option<String> {
    let mut seen = BTreeSet::from([name.to_owned()]);
    let mut next = vec![name.to_owned()];
    while let Some(name) = next.pop() {
        if let Some(engine) = schema.tables.get(&name) {
            return Some(format!("{schema_name}.{name} ({engine})"));
        }
        let texts = schema.texts.iter().filter_map(|texts| texts.get(&name)).flatten();
        for text in texts {
            let mut words = Words::new(text.as_bytes(), dialect);
            while let Some(token) = words.next() {
                let word = match token {
                    Token::Word(word) => word.to_lowercase(),
                    Token::Quoted(name) => name.to_lowercase(),
                    Token::Text(_) | Token::Sign(_) => continue,
                };
                if seen.insert(word.clone()) {
                    next.push(word);
                }
            }
        }
    }
    None
}

fn load_texts(session: &mut Session, schema: &str) -> Result<(), Error> {
    match session.judging.tables.schemas.get(schema) {
        Some(Schema { tables, texts: None }) if !tables.is_empty() => {}
        _ => return Ok(()),
    }
    let name = literal(schema);
    let query = format!(
        "SELECT EVENT_OBJECT_TABLE, ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = {name} \
         UNION ALL SELECT TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA = {name} \
         UNION ALL SELECT ROUTINE_NAME, ROUTINE_DEFINITION FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {name}"
    );
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in session.query(&query)? {
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        let (of, text) = (row.next().unwrap_or_default(), row.next().unwrap_or_default());
        texts.entry(of.to_lowercase()).or_default().push(text);
    }
    if let Some(known) = session.judging.tables.schemas.get_mut(schema) {
        known.texts = Some(texts);
    }
    Ok(())
}
