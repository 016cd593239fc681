//! Opens and closes many sessions through a driver's library, each with a statement that runs and one that fails, for tools that
//! watch a process from outside: valgrind, or a look at what the process holds. It ends with 0 where the driver did what was
//! asked and has given everything back, and says what it did.
//!
//! open_close LIBRARY COUNT DATABASE STATEMENT WRONG [SETTING=VALUE]...

use anyhow::{Context, Result, bail, ensure};
use runsheet::driver::{Connection, Library, Lock};
use runsheet_sdk::{Settings, Split};
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Kept here, so that what lives as long as the process is not taken for a leak.
static LIBRARY: OnceLock<Library> = OnceLock::new();

/// How long the lock of the session before may stay.
const LOCK_TIME_MAX: Duration = Duration::from_secs(30);

/// The C library's own signals, which it catches from the first thread on.
const SIGNALS_OF_LIBC: u64 = 1 << (32 - 1) | 1 << (33 - 1);

/// What the process holds: its descriptors, and the signals that it catches, its umask and its working directory.
fn holdings() -> Result<Vec<String>> {
    let mut holdings = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        // The folder itself is gone when it has been read.
        if let Ok(target) = fs::read_link(entry?.path()) {
            holdings.push(target.display().to_string());
        }
    }
    holdings.retain(|target| !target.starts_with("/proc/"));
    holdings.sort();
    let status = fs::read_to_string("/proc/self/status")?;
    for line in status.lines() {
        match line.split_once(":\t") {
            Some((name @ ("SigCgt" | "SigIgn" | "SigBlk"), signals)) => {
                let signals = u64::from_str_radix(signals, 16)? & !SIGNALS_OF_LIBC;
                holdings.push(format!("{name} {signals:x}"));
            }
            Some(("Umask", _)) => holdings.push(line.to_owned()),
            _ => {}
        }
    }
    holdings.push(format!("in {}", std::env::current_dir()?.display()));
    Ok(holdings)
}

fn unchanged(before: &[String], when: &str) -> Result<()> {
    let now = holdings()?;
    ensure!(now == before, "{when} the process holds {now:#?} and held {before:#?}");
    Ok(())
}

/// Takes the lock. A server may hear of the end of the session before only after this one has begun.
fn take_lock(session: &mut Connection) -> Result<()> {
    let begun = Instant::now();
    while session.try_lock()? != Lock::Held {
        ensure!(begun.elapsed() < LOCK_TIME_MAX, "the lock is not given");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// One session's whole life, and a sheet that is split beside it.
fn once(library: Library, settings: &Settings, database: &str, statement: &str, wrong: &str) -> Result<()> {
    let mut notices = |_| {};
    let mut session = library.open(settings, database, "open_close", &mut notices)?;
    session.identify()?;
    take_lock(&mut session)?;
    session.execute(statement.as_bytes(), &mut notices)?;
    let failure = session.execute(wrong.as_bytes(), &mut notices).err().context("the wrong statement ran")?;
    ensure!(!failure.message.is_empty(), "the wrong statement failed without a word");
    let mut splitter = library.split(settings)?;
    let piece = splitter.next(statement.as_bytes(), true)?;
    ensure!(matches!(piece, Split::Piece(_)), "the statement is none: {piece:?}");
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, count, database, statement, wrong, given @ ..] = arguments.as_slice() else {
        bail!("open_close LIBRARY COUNT DATABASE STATEMENT WRONG [SETTING=VALUE]...");
    };
    let mut settings = Settings::new();
    for setting in given {
        let (key, value) = setting.split_once('=').context("a setting is NAME=VALUE")?;
        settings.set(key, value, key == "password");
    }
    let count: u32 = count.parse()?;
    let before = holdings()?;
    let library = *LIBRARY.get_or_init(|| match Library::load(Path::new(path)) {
        Ok(library) => library,
        Err(error) => panic!("{error}"),
    });
    unchanged(&before, "with the library loaded,")?;
    // What a driver makes once in a process, it makes with the first session.
    once(library, &settings, database, statement, wrong)?;
    unchanged(&before, "after the first session,")?;
    for _ in 1..count {
        once(library, &settings, database, statement, wrong)?;
    }
    unchanged(&before, "after the last session,")?;
    println!("{count} sessions of {} were opened and closed", library.name());
    Ok(())
}
