//! One runner per database: a lock by name that the session itself holds, so that it ends with the session.

use crate::connection::Session;
use crate::text::literal;
use runsheet_sdk::{Error, Identity, TryLock};

/// The longest name that both servers take, in characters.
const NAME_MAX: usize = 64;
/// What a long name ends with: a colon and the digits of its number.
const DIGITS: usize = 17;

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
    Ok(TryLock::Busy(Some(Box::new(Identity { session: holder, ..session.server_identity() }))))
}

pub(crate) fn unlock(session: &mut Session) -> Result<(), Error> {
    if !session.holds_lock {
        return Ok(());
    }
    session.holds_lock = false;
    let name = literal(&name(session.database()));
    session.run(&format!("DO RELEASE_LOCK({name})"))
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
