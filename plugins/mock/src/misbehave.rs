//! What a driver must not do to the process that it lives in, and does here where it is told to.

use crate::fault::Fault;
use crate::settings::Options;
use std::fs::File;

/// What a driver must not leave behind.
pub(crate) fn leak(options: &Options) {
    if options.has(Fault::LeaksDescriptor) {
        leak_descriptor();
    }
    if options.has(Fault::LeaksThread) {
        std::thread::spawn(|| {
            loop {
                std::thread::park();
            }
        });
    }
}

pub(crate) fn leak_descriptor() {
    if let Ok(file) = File::open("/dev/null") {
        std::mem::forget(file);
    }
}

/// What a driver must not do to its process.
pub(crate) fn misbehave(options: &Options) {
    if options.has(Fault::ChangesDirectory) {
        // Where that is not allowed, the fault is not found, and its test says so.
        let _ = std::env::set_current_dir("/");
    }
    if options.has(Fault::ChangesUmask) {
        rustix::process::umask(rustix::fs::Mode::from(0o077));
    }
    if options.has(Fault::WritesToStderr) {
        eprintln!("the mock driver was here");
    }
}
