//! What a sheet may not reach: other files, settings that belong to the whole process, and journal modes under which a crash leaves half a
//! transaction. SQLite asks while it prepares a statement, so nothing of a refused one has run.

use crate::place;
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

/// The authorizer of a session; `attach` says whether other files may be opened.
pub(crate) fn authorizer(
    attach: bool,
    refusal: Refusal,
) -> impl for<'c> FnMut(AuthContext<'c>) -> Authorization + Send + 'static {
    move |asked| match judge(&asked.action, attach) {
        Ok(()) => Authorization::Allow,
        Err(words) => {
            refusal.set(words);
            Authorization::Deny
        }
    }
}

fn judge(action: &AuthAction<'_>, attach: bool) -> Result<(), String> {
    match action {
        AuthAction::Attach { filename } => file(filename, attach),
        // A file that is an expression comes without its name.
        AuthAction::Unknown { code: rusqlite::ffi::SQLITE_ATTACH, .. } => {
            Err("the file of an ATTACH must be written as a plain string".to_owned())
        }
        AuthAction::Pragma { pragma_name, pragma_value: Some(value) } => setting(pragma_name, value),
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

fn setting(name: &str, value: &str) -> Result<(), String> {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "journal_mode" if value.eq_ignore_ascii_case("off") || value.eq_ignore_ascii_case("memory") => {
            Err(format!(
                "under journal_mode {value} a crash leaves half a transaction in the file, so that it could not be told what took effect; use WAL or DELETE, or run this by hand"
            ))
        }
        "soft_heap_limit" | "hard_heap_limit" | "temp_store_directory" | "data_store_directory" => {
            Err(format!("PRAGMA {name} changes every session of this process, other tasks' too"))
        }
        _ => Ok(()),
    }
}
