//! What a driver has to say beside its results goes to the daemon's log, never to standard error.

use crate::abi::rsd_host;
use crate::text::lend;
use std::fmt;
use std::sync::atomic::{AtomicPtr, Ordering};

static HOST: AtomicPtr<rsd_host> = AtomicPtr::new(std::ptr::null_mut());

/// How loud a line is; the numbers are the ABI's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something failed.
    Error = 1,
    /// Something will, or might have.
    Warning = 2,
    /// Worth knowing.
    Info = 3,
    /// For those who look for a fault.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

/// Remembers the host; called once by the entry.
pub(crate) fn attach(host: *const rsd_host) {
    HOST.store(host.cast_mut(), Ordering::Release);
}

/// Writes a line to the daemon's log; lost where the driver runs without a host.
pub fn line(level: Level, message: fmt::Arguments<'_>) {
    let host = HOST.load(Ordering::Acquire);
    if host.is_null() {
        return;
    }
    let text = message.to_string();
    // SAFETY: the host's table lives for ever (rule of `rsd_entry::start`), and `log` may come from any thread.
    unsafe {
        if let Some(log) = (*host).log {
            log((*host).ctx, level as u32, lend(text.as_bytes()));
        }
    }
}
