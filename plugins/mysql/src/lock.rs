//! One runner per database: a lock by name that the session itself holds, so that it ends with the session.

use crate::connection::Session;
use crate::judge;
use crate::text::literal;
use runsheet_sdk::{Class, Error, Identity, TryLock};

/// The longest name that both servers take, in characters.
const NAME_MAX: usize = 64;
/// What a long name ends with: a colon and the digits of its number.
const DIGITS: usize = 17;
/// How much of a statement is shown of a session that is waited for.
const EXCERPT_MAX: usize = 100;
/// Errors of KILL.
const NO_SUCH_SESSION: i64 = 1094;
const NOT_OURS: i64 = 1095;

/// The lock's name: the same for every Runsheet and this database, however long its name is, and for every build. Names of
/// locks do not know capitals, and neither do those of databases on some systems.
pub(crate) fn name(database: &str) -> String {
    let name = format!("runsheet:{}", database.to_lowercase());
    if name.chars().count() <= NAME_MAX {
        return name;
    }
    // FNV-1a.
    let number = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |number, byte| {
        (number ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    let start: String = name.chars().take(NAME_MAX - DIGITS).collect();
    format!("{start}:{number:016x}")
}

pub(crate) fn try_lock(session: &mut Session) -> Result<TryLock, Error> {
    if session.holds_lock {
        session.ask("SELECT 1")?;
        return Ok(TryLock::Held);
    }
    let name = literal(&name(session.database()));
    if session.ask(&format!("SELECT GET_LOCK({name}, 0)"))?.as_deref() == Some("1") {
        session.holds_lock = true;
        return Ok(TryLock::Held);
    }
    let holder = session.ask(&format!("SELECT IS_USED_LOCK({name})"))?;
    let Some(holder) = holder else { return Ok(TryLock::Busy(None)) };
    Ok(TryLock::Busy(Some(Box::new(seen(session, holder)))))
}

pub(crate) fn unlock(session: &mut Session) -> Result<(), Error> {
    judge::unlock_domain(session)?;
    if !session.holds_lock {
        return Ok(());
    }
    session.holds_lock = false;
    let name = literal(&name(session.database()));
    session.run(&format!("DO RELEASE_LOCK({name})"))
}

/// Ends the session that holds the lock, if it is the one that is meant. Its number is given to no other session of the same server
/// process, so that number and process together name it.
pub(crate) fn end_holder(session: &mut Session, holder: &Identity) -> Result<(), Error> {
    let number: u64 = holder
        .session
        .parse()
        .map_err(|_| Error::new(Class::Other, format!("`{}` is no session's number", holder.session)))?;
    if holder.system != session.server().system {
        let message = format!(
            "the session was on the server {}, and this is {}",
            holder.system,
            session.server().system
        );
        return Err(Error::new(Class::Other, message));
    }
    let name = literal(&name(session.database()));
    match session.ask(&format!("SELECT IS_USED_LOCK({name})"))? {
        None => return Ok(()),
        Some(now) if now == holder.session => {}
        Some(now) => {
            return Err(Error::new(Class::Other, format!("the lock is held by session {now} now")));
        }
    }
    match session.run(&format!("KILL {number}")) {
        // It has ended by itself.
        Err(error) if error.code == NO_SUCH_SESSION => Ok(()),
        Err(error) if error.code == NOT_OURS => {
            let privilege = if session.is_mariadb() { "CONNECTION ADMIN" } else { "CONNECTION_ADMIN" };
            Err(error
                .hint(format!("It is of another account; GRANT {privilege} ON *.* TO {}", session.account())))
        }
        other => other,
    }
}

/// A session as the server shows it to others of the same account. When it began, it tells nobody.
fn seen(session: &mut Session, number: String) -> Identity {
    let mut holder = Identity {
        version: session.server().version.clone(),
        database: session.database().to_owned(),
        ..session.server_identity()
    };
    let progress = if session.is_mariadb() { "STAGE, MAX_STAGE, PROGRESS" } else { "0, 0, 0" };
    let query = format!(
        "SELECT USER, COMMAND, TIME, STATE, LEFT(INFO, {EXCERPT_MAX}), {progress} FROM information_schema.PROCESSLIST WHERE ID = {}",
        literal(&number)
    );
    holder.session = number;
    let Ok(rows) = session.query(&query) else { return holder };
    let Some(row) = rows.into_iter().next() else { return holder };
    let mut row = row.into_iter().map(Option::unwrap_or_default);
    let mut next = || row.next().unwrap_or_default();
    holder.user = next();
    let (command, time, state, info) = (next(), next(), next(), next());
    let (stage, stages, progress) = (next(), next(), next());
    let mut text = format!("{command} for {time} s");
    if !state.is_empty() {
        text.push_str(&format!(", {state}"));
    }
    if stages != "0" {
        text.push_str(&format!(", stage {stage} of {stages}, {progress} %"));
    }
    if !info.is_empty() {
        text.push_str(&format!(": {}", info.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    holder.doing = text;
    holder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_tell_long_databases_apart() {
        assert_eq!(name("shop"), "runsheet:shop");
        assert_eq!(name("Shop"), "runsheet:shop");
        let (one, two) = (name(&format!("{}1", "d".repeat(63))), name(&format!("{}2", "d".repeat(63))));
        assert_ne!(one, two);
        for database in ["d".repeat(64), "ü".repeat(64), "語".repeat(55), "語".repeat(64)] {
            assert!(name(&database).chars().count() <= NAME_MAX, "{}", name(&database));
        }
        // The same for ever: another build, or another Runsheet, must not take another one.
        assert_eq!(one, "runsheet:dddddddddddddddddddddddddddddddddddddd:8bb4fdfe42d32c7e");
    }
}
