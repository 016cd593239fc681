//! What a sheet may not reach: other files, settings that belong to the whole process, and those under which a crash leaves half a
//! transaction or takes back a whole one. SQLite asks while it prepares a statement, so nothing of a refused one has run.

use crate::place;
use crate::settings::Options;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Why the last statement was refused; the engine itself only says "not authorized".
#[derive(Clone, Default)]
pub(crate) struct Refusal(Arc<Mutex<Option<String>>>);

impl Refusal {
    /// Takes the words out.
    pub fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, words: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
    }
}

/// The authorizer of a session on an instance with these settings.
pub(crate) fn authorizer(
    options: &Options,
    refusal: Refusal,
) -> impl for<'c> FnMut(AuthContext<'c>) -> Authorization + Send + use<> + 'static {
    let (attach, synchronous) = (options.attach, options.synchronous.clone());
    move |asked| match judge(&asked.action, attach, &synchronous) {
        Ok(()) => Authorization::Allow,
        Err(words) => {
            refusal.set(words);
            Authorization::Deny
        }
    }
}

fn judge(action: &AuthAction<'_>, attach: bool, synchronous: &str) -> Result<(), String> {
    match action {
        AuthAction::Attach { filename } => file(filename, attach),
        // A file that is an expression comes without its name.
        AuthAction::Unknown { code: rusqlite::ffi::SQLITE_ATTACH, .. } => {
            Err("the file of an ATTACH must be written as a plain string".to_owned())
        }
        AuthAction::Pragma { pragma_name, pragma_value: Some(value) } => {
            setting(pragma_name, value, synchronous)
        }
        _ => Ok(()),
    }
}

/// VACUUM attaches a temporary database, whose name is empty; VACUUM INTO attaches the file that it makes.
fn file(name: &str, attach: bool) -> Result<(), String> {
    if name.is_empty() || name == ":memory:" {
        return Ok(());
    }
    if !attach {
        return Err(format!(
            "the statement opens another file, {name:?}, which neither this task's lock nor its ledger covers; set `attach = true` on the instance to allow ATTACH and VACUUM INTO"
        ));
    }
    if name.starts_with("file:") {
        return Err("a file is attached by its path, not by a file: URI".to_owned());
    }
    if !Path::new(name).is_absolute() {
        return Err(format!(
            "{name:?} is not an absolute path, and a service has no folder of its own to begin from"
        ));
    }
    if place::is_state_file(Path::new(name)) {
        return Err(format!(
            "{name:?} is a Runsheet daemon's own state, which is never opened as a database"
        ));
    }
    Ok(())
}

fn setting(name: &str, value: &str, synchronous: &str) -> Result<(), String> {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "journal_mode" if value.eq_ignore_ascii_case("off") || value.eq_ignore_ascii_case("memory") => {
            Err(format!(
                "under journal_mode {value} a crash leaves half a transaction in the file, so that it could not be told what took effect; use WAL or DELETE, or run this by hand"
            ))
        }
        "synchronous" if level(value) < level(synchronous) => Err(format!(
            "under synchronous {value} a power cut may take back what is reported as done, together with its mark; the instance has {synchronous:?}: leave the line out, or set `synchronous` of the instance in the config"
        )),
        "soft_heap_limit" | "hard_heap_limit" | "temp_store_directory" | "data_store_directory" => {
            Err(format!("PRAGMA {name} changes every session of this process, other tasks' too"))
        }
        _ => Ok(()),
    }
}

/// How much a commit waits for, by a word or a number as SQLite knows them.
fn level(synchronous: &str) -> u8 {
    match synchronous.to_ascii_lowercase().as_str() {
        "extra" | "3" => 3,
        "full" | "2" => 2,
        "normal" | "on" | "yes" | "true" | "1" => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_may_not_wait_for_the_disk_less_than_its_instance() {
        for (wanted, instance, is_fine) in [
            ("EXTRA", "extra", true),
            ("full", "extra", false),
            ("2", "full", true),
            ("NORMAL", "full", false),
            ("1", "normal", true),
            ("OFF", "normal", false),
            ("7", "normal", false),
        ] {
            let judged = setting("Synchronous", wanted, instance);
            assert_eq!(judged.is_ok(), is_fine, "{wanted} under {instance}: {judged:?}");
        }
    }
}
