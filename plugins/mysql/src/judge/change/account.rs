//! Users, roles, and what they may.

use super::{Alter, Change, Create, Effect, Shown};
use crate::judge::kinds::Kind;
use crate::judge::object::Object;
use crate::judge::reader::Reader;
use crate::judge::words::Token;

/// What begins the part of a statement that holds for all its accounts.
const FOR_ALL: &[&str] =
    &["require", "with", "default", "account", "password", "comment", "attribute", "failed_login_attempts"];
/// Words behind which one of those says something of the one account.
const OF_ONE: &[&str] = &["identified", "by", "using", "current"];
/// What makes each run of a statement another one.
const EACH_TIME: &[&str] = &["retain", "random", "replace", "factor", "registration"];

pub(super) fn list(reader: &mut Reader<'_>, host: &str) -> Option<Vec<Object>> {
    let mut accounts = vec![reader.account(host)?];
    while reader.sign(b',') {
        accounts.push(reader.account(host)?);
    }
    Some(accounts)
}

/// Accounts, each with how it is identified behind it.
fn described(reader: &mut Reader<'_>, host: &str) -> Option<Vec<Object>> {
    let mut accounts = vec![reader.account(host)?];
    let mut before = String::new();
    loop {
        match reader.peek() {
            None => return Some(accounts),
            Some(Token::Word(word)) => {
                let word = word.to_lowercase();
                let of_one = OF_ONE.contains(&before.as_str());
                if !of_one && FOR_ALL.contains(&word.as_str()) {
                    return Some(accounts);
                }
                before = word;
                reader.take();
            }
            Some(Token::Sign(b',')) => {
                reader.take();
                accounts.push(reader.account(host)?);
                before.clear();
            }
            Some(_) => {
                before.clear();
                reader.take();
            }
        }
    }
}

pub(super) fn create(reader: &mut Reader<'_>, replaces: bool, host: &str) -> Option<Change> {
    let lenient = reader.eats_all(&["if", "not", "exists"]);
    let objects = described(reader, host)?;
    if replaces {
        return Some(Change::again(Kind::Replacing));
    }
    Some(Change::new(Kind::Account, Effect::Create(Create::of(objects, lenient))))
}

fn is_each_time(reader: &Reader<'_>) -> bool {
    let mut ahead = reader.clone();
    std::iter::from_fn(|| ahead.take()).any(|token| {
        matches!(&token, Token::Word(word) if EACH_TIME.iter().any(|one| word.eq_ignore_ascii_case(one)))
    })
}

/// ALTER USER.
pub(super) fn alter(reader: &mut Reader<'_>) -> Option<Change> {
    let shown = if is_each_time(reader) { Shown::EachTime } else { Shown::NotNeeded };
    let lenient = reader.eats_all(&["if", "exists"]);
    let objects = match shown {
        Shown::NotNeeded => described(reader, "%").unwrap_or_default(),
        _ => described(reader, "%")?,
    };
    let alter = Alter { objects, lenient, renamed: None, shown };
    Some(Change::new(Kind::AlterAccount, Effect::Alter(alter)))
}

/// SET PASSWORD, from behind PASSWORD.
pub(super) fn password(reader: &mut Reader<'_>) -> Option<Change> {
    if !is_each_time(reader) {
        return Some(Change::again(Kind::AlterAccount));
    }
    if !reader.eats("for") {
        return None;
    }
    let objects = vec![reader.account("%")?];
    let alter = Alter { objects, lenient: false, renamed: None, shown: Shown::EachTime };
    Some(Change::new(Kind::AlterAccount, Effect::Alter(alter)))
}

pub(super) fn revoke(reader: &mut Reader<'_>) -> Option<Change> {
    if reader.eats_all(&["if", "exists"]) {
        return Some(Change::again(Kind::Grant));
    }
    // The privileges may have columns in parentheses; `FROM` stands before the accounts.
    if !reader.skip_to(&["from"]) || !reader.eats("from") {
        return None;
    }
    let objects = list(reader, "%")?;
    let alter = Alter { objects, lenient: false, renamed: None, shown: Shown::Yes };
    Some(Change::new(Kind::Revoke, Effect::Alter(alter)))
}
