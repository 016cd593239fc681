//! A driver that panics, in whatever function, harms nothing: the call comes to `DRIVER_BUG`, the words go to the daemon's log and not
//! to standard error, and the host goes on with the same driver.

use anyhow::{Context, Result, ensure};
use runsheet::driver::{Connection, Library};
use runsheet_sdk::{Error, Failure, Identity, Mark, Settings};
use rustix::fs::MemfdFlags;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::sync::{Arc, Mutex, PoisonError};

const DATABASE: &str = "panics";

type Call = fn(&mut Connection) -> Result<(), Error>;

/// The functions of a session, each with the call that comes to it.
const CALLS: &[(&str, Call)] = &[
    ("reset", |session| session.reset("again")),
    ("ping", Connection::ping),
    ("identify", |session| session.identify().map(drop)),
    ("execute", |session| session.execute(b"ok", &mut |_| {}).map(drop)),
    ("begin", Connection::begin),
    ("commit", |session| session.commit(&mut |_| {})),
    ("rollback", Connection::rollback),
    ("try-lock", |session| session.try_lock().map(drop)),
    ("unlock", Connection::unlock),
    ("end-holder", |session| session.end_holder(&Identity::default())),
    ("observe", |session| session.observe(b"alone ok", &Mark::default()).map(drop)),
    ("judge", |session| session.judge(b"alone ok", &Mark::default(), "").map(drop)),
    ("judge-execute", |session| {
        session.execute_marked(b"alone ok", &Mark::default(), "", &mut |_| {}).map(drop)
    }),
    ("advise", |session| session.advise(&mut |_| {})),
    ("prepare", Connection::prepare_ledger),
    ("write", |session| session.write_mark(&Mark::default())),
    ("read", |session| session.read_marks("task").map(drop)),
    ("find-version", |session| session.find_version("1").map(drop)),
    ("load-begin", |session| session.begin_load(b"load t", &mut |_| {})),
    ("load-rows", load),
    ("load-end", load),
];

fn load(session: &mut Connection) -> Result<(), Error> {
    session.begin_load(b"load t", &mut |_| {})?;
    session.load_rows(b"1 a\n")?;
    session.end_load(&mut |_| {}).map(drop)
}

fn settings(panic: Option<&str>) -> Settings {
    let mut settings = Settings::new();
    if let Some(place) = panic {
        settings.set("panic", place, false);
    }
    settings
}

fn open(library: Library, panic: Option<&str>) -> Result<Connection, Error> {
    library.open(&settings(panic), DATABASE, "the test", &mut |_| {})
}

fn is_bug<T>(place: &str, ended: Result<T, Error>) -> Result<()> {
    let error = ended.err().with_context(|| format!("`{place}` panicked, and ended well"))?;
    ensure!(error.failure == Failure::DriverBug, "`{place}`: {error:?}");
    ensure!(!error.message.is_empty(), "`{place}` has no message");
    Ok(())
}

/// Makes the driver panic everywhere, and works on beside it.
fn panic_everywhere(library: Library) -> Result<()> {
    let mut beside = open(library, None)?;
    beside.execute(b"create t", &mut |_| {})?;
    for (place, call) in CALLS {
        let mut session = open(library, Some(place))?;
        is_bug(place, call(&mut session))?;
        ensure!(session.is_lost(), "after `{place}` the session is not given up");
        drop(session);
        beside.execute(b"put t 1 x", &mut |_| {}).with_context(|| format!("after `{place}`"))?;
    }
    for place in ["open", "canceler"] {
        is_bug(place, open(library, Some(place)))?;
    }
    let said = library.check(&settings(Some("check")));
    ensure!(said.iter().any(|fault| fault.failure == Failure::DriverBug), "settings are good: {said:?}");
    drop(open(library, Some("close"))?);
    let session = open(library, Some("cancel"))?;
    ensure!(!session.cancel_handle().cancel(), "a cancel that panicked went out");
    drop(session);
    is_bug("split-start", library.split(&settings(Some("split-start"))))?;
    is_bug("split-next", library.split(&settings(Some("split-next")))?.next(b"ok;", true))?;
    drop(library.split(&settings(Some("split-finish")))?);
    let mut session = open(library, None)?;
    is_bug("a statement", session.execute(b"panic 'as it was told'", &mut |_| {}))?;
    drop(session);
    beside.execute(b"ok", &mut |_| {}).context("at last")?;
    Ok(())
}

/// Collects the daemon's log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_panic_in_any_function_is_a_driver_bug_and_the_host_goes_on() -> Result<()> {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
    let library = std::env::current_exe()?.with_file_name("librunsheet_driver_mock.so");
    let library = Library::load(&library)?;

    let error_output = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 3)?;
    let mut written = File::from(rustix::fs::memfd_create("stderr", MemfdFlags::CLOEXEC)?);
    rustix::stdio::dup2_stderr(&written)?;
    let went = panic_everywhere(library);
    rustix::stdio::dup2_stderr(&error_output)?;
    went?;

    let mut text = String::new();
    written.rewind()?;
    written.read_to_string(&mut text)?;
    assert_eq!(text, "", "nothing is written to standard error");
    let log = String::from_utf8(log.0.lock().unwrap_or_else(PoisonError::into_inner).clone())?;
    for words in ["panicked in execute", "panicked in open", "perform.rs", "as it was told"] {
        assert!(log.contains(words), "the log has {words:?}: {log}");
    }
    Ok(())
}
