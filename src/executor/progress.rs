//! How far a run is, for those who watch: written by the run at every statement, so it costs a few stores to memory; read by
//! `status`, which looks the statement's text up in the sheet. Nothing is decided from it.

use crate::report::ProgressReport;
use crate::sheet::Statement;
use runsheet_sdk::{Flags, Kind};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

/// How much of a statement is read to show its beginning.
const EXCERPT_BYTES: usize = 640;

/// How far a run is.
#[derive(Debug)]
pub struct Progress {
    origin: Instant,
    since_millis: AtomicU64,
    statement: AtomicU64,
    line: AtomicU64,
    offset: AtomicU64,
    length: AtomicU64,
    statements_done: AtomicU64,
    affected_rows: AtomicU64,
    bytes_done: AtomicU64,
    bytes_total: AtomicU64,
    sheet: OnceLock<PathBuf>,
    /// What it waits for instead of a statement.
    waits: Mutex<Option<String>>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            origin: Instant::now(),
            since_millis: AtomicU64::default(),
            statement: AtomicU64::default(),
            line: AtomicU64::default(),
            offset: AtomicU64::default(),
            length: AtomicU64::default(),
            statements_done: AtomicU64::default(),
            affected_rows: AtomicU64::default(),
            bytes_done: AtomicU64::default(),
            bytes_total: AtomicU64::default(),
            sheet: OnceLock::new(),
            waits: Mutex::default(),
        }
    }
}

impl Progress {
    /// What `status` shows, if the run has begun.
    pub fn report(&self) -> Option<ProgressReport> {
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let statement = self.statement.load(Relaxed);
        if statement == 0 && waits.is_none() {
            return None;
        }
        Some(ProgressReport {
            statement,
            line: self.line.load(Relaxed),
            excerpt: waits.unwrap_or_else(|| self.excerpt()),
            statement_millis: self.elapsed().saturating_sub(self.since_millis.load(Relaxed)),
            statements_done: self.statements_done.load(Relaxed),
            affected_rows: self.affected_rows.load(Relaxed),
            bytes_done: self.bytes_done.load(Relaxed),
            bytes_total: self.bytes_total.load(Relaxed),
        })
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The statement's beginning. The sheet never changes; the statement may be the next one already, which does no harm.
    fn excerpt(&self) -> String {
        let Some(sheet) = self.sheet.get() else { return String::new() };
        let length = usize::try_from(self.length.load(Relaxed)).unwrap_or(usize::MAX).min(EXCERPT_BYTES);
        let mut text = vec![0; length];
        let read = File::open(sheet)
            .and_then(|sheet| sheet.read_at(&mut text, self.offset.load(Relaxed)))
            .unwrap_or(0);
        let text = text.get(..read).unwrap_or_default();
        let (kind, flags) = (Kind::Other, Flags::none());
        Statement { number: 0, kind, flags, offset: 0, line: 0, lead: b"", lead_column: 0, text }.excerpt()
    }

    /// The run waits for something before its first statement.
    pub(super) fn waits(&self, text: String) {
        *self.waits.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        self.since_millis.store(self.elapsed(), Relaxed);
    }

    /// The run begins with its sheet.
    pub(super) fn begins(&self, sheet: &Path, bytes_total: u64) {
        // A run that goes on after a lost connection begins again with the same sheet.
        let _ = self.sheet.set(sheet.to_path_buf());
        *self.waits.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.bytes_total.store(bytes_total, Relaxed);
    }

    /// The run is at a statement.
    pub(super) fn at(&self, statement: &Statement<'_>, statements_done: u64, affected_rows: u64) {
        self.statement.store(statement.number, Relaxed);
        self.line.store(statement.line, Relaxed);
        self.offset.store(statement.offset, Relaxed);
        self.length.store(statement.text.len() as u64, Relaxed);
        self.bytes_done.store(statement.offset, Relaxed);
        self.statements_done.store(statements_done, Relaxed);
        self.affected_rows.store(affected_rows, Relaxed);
        self.since_millis.store(self.elapsed(), Relaxed);
    }
}
