//! Who a session is. There is no server: it is this process, the session's number in it, and the file.

use runsheet_sdk::Identity;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that no other session of this process has.
pub(crate) fn next_session() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// The identity of session `number` on a file.
pub(crate) fn identity(number: u64, file: &Path, database: &str) -> Identity {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Identity {
        product: "SQLite".to_owned(),
        version: rusqlite::version().to_owned(),
        session: format!("{}.{number}", std::process::id()),
        session_start: process_start(),
        system: format!("{}:{}", host.trim(), file.display()),
        database: database.to_owned(),
        user: format!("uid {}", rustix::process::geteuid().as_raw()),
        ..Identity::default()
    }
}

/// When this process began, in clock ticks since the machine's start: tells it from a later one with the same number.
fn process_start() -> String {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The fields are counted behind the program's name, which may hold anything.
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    behind.split_whitespace().nth(19).unwrap_or("unknown").to_owned()
}
