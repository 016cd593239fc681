//! What is of the whole server: its variables and its plugins.

use super::{BEYOND, Change, Create, Effect, account};
use crate::judge::kinds::Kind;
use crate::judge::object::{Class, Object};
use crate::judge::reader::Reader;
use crate::judge::words::Token;

const SCOPES: &[&str] = &["global", "session", "local", "persist", "persist_only"];

pub(super) fn set(reader: &mut Reader<'_>) -> Option<Change> {
    if reader.eats("password") {
        return account::password(reader);
    }
    if reader.eats_all(&["default", "role"]) {
        return Some(Change::again(Kind::Grant));
    }
    if reader.eats("resource") {
        return Some(Change::again(Kind::Replacing));
    }
    let mut variables = Vec::new();
    let mut again = true;
    loop {
        let name = variable(reader)?;
        let of_gtids = name.to_lowercase().contains("gtid");
        // A value that the statement says in full may be set twice; but what is known of other servers is added to, or goes on.
        again &= is_literal(reader) && !of_gtids;
        variables.push(Object::new(Class::Variable, "", name));
        if !reader.skip_comma() {
            break;
        }
    }
    let effect = if again { Effect::Again } else { Effect::Set { variables } };
    Some(Change::new(Kind::SetGlobal, effect))
}

/// The name of a variable, and the sign behind it.
fn variable(reader: &mut Reader<'_>) -> Option<String> {
    let system = reader.sign(b'@') && reader.sign(b'@');
    reader.eats_one(SCOPES);
    if system {
        reader.sign(b'.');
    }
    let mut name = reader.name()?;
    while reader.sign(b'.') {
        name = format!("{name}.{}", reader.name()?);
    }
    reader.sign(b':');
    reader.sign(b'=').then_some(name)
}

/// Whether what stands before the next comma is one value.
fn is_literal(reader: &Reader<'_>) -> bool {
    let mut ahead = reader.clone();
    ahead.sign(b'-');
    let one = matches!(ahead.take(), Some(Token::Word(_) | Token::Text(_) | Token::Quoted(_)));
    if ahead.sign(b'.') {
        ahead.take();
    }
    one && matches!(ahead.peek(), None | Some(Token::Sign(b',')))
}

/// RESET PERSIST forgets a variable that is kept; other forms forget more.
pub(super) fn reset(reader: &mut Reader<'_>) -> Option<Change> {
    let forgets = reader.eats("persist") && (reader.peek().is_none() || reader.eats_all(&["if", "exists"]));
    Some(if forgets { Change::again(Kind::SetGlobal) } else { Change::unseen(BEYOND) })
}

pub(super) fn install(reader: &mut Reader<'_>) -> Option<Change> {
    let (class, lenient, name) = plugin(reader, &["if", "not", "exists"])?;
    let Some(class) = class else { return Some(Change::unseen(BEYOND)) };
    let create = Create::of(vec![Object::new(class, "", name)], lenient);
    Some(Change::new(Kind::Plugin, Effect::Create(create)))
}

pub(super) fn uninstall(reader: &mut Reader<'_>) -> Option<Change> {
    let (class, lenient, name) = plugin(reader, &["if", "exists"])?;
    let Some(class) = class else { return Some(Change::unseen(BEYOND)) };
    let objects = vec![Object::new(class, "", name)];
    Some(Change::new(Kind::Plugin, Effect::Drop { objects, lenient }))
}

fn plugin(reader: &mut Reader<'_>, condition: &[&str]) -> Option<(Option<Class>, bool, String)> {
    let class = match reader.eats_one(&["plugin", "soname", "component"])? {
        "plugin" => Some(Class::Plugin),
        "soname" => Some(Class::PluginLibrary),
        _ => None,
    };
    let lenient = reader.eats_all(condition);
    let name = match reader.take()? {
        Token::Word(name) => name.into_owned(),
        Token::Quoted(name) | Token::Text(name) => name,
        Token::Sign(_) => return None,
    };
    Some((class, lenient, name))
}
