//! A run's log on its way to the store: in groups, bounded for sheets with very many statements, and never waited
//! for, since nothing is decided from it.

use crate::sheet::Statement;
use crate::store::{LogEntry, Millis, Store, append_log};
use runsheet_sdk::Notice;
use std::time::{Duration, Instant};

/// Statements that get an entry of their own; after them an entry stands for a row of them.
const STATEMENTS_SINGLE_MAX: u64 = 100;
/// How many statements such an entry stands for.
const STATEMENTS_TOGETHER: u64 = 1_000;
/// Notices that are kept for one run.
const NOTICES_MAX: u64 = 10_000;
/// How many entries wait at most.
const WAITING_MAX: usize = 256;
/// How long they wait at most, once the next entry comes.
const WAITING_TIME_MAX: Duration = Duration::from_millis(100);

/// The log of one run.
pub(super) struct Journal {
    store: Store,
    run: i64,
    /// Entries as they are stored: the one thread that writes has enough to do.
    waiting: Vec<(Millis, String)>,
    flushed: Instant,
    statements: u64,
    notices: u64,
    together: Option<LogEntry>,
}

/// The wall clock, as it is stored.
pub(super) fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}

impl Journal {
    pub(super) fn new(store: Store, run: i64) -> Self {
        Self {
            store,
            run,
            waiting: Vec::new(),
            flushed: Instant::now(),
            statements: 0,
            notices: 0,
            together: None,
        }
    }

    /// Adds an entry.
    pub(super) fn entry(&mut self, entry: LogEntry) {
        self.close_together();
        self.push(&entry);
    }

    /// Adds a sentence.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.entry(LogEntry::Note { text: text.into() });
    }

    /// Whether the next statement gets an entry of its own, with its own time.
    pub(super) fn tells_each(&self) -> bool {
        self.statements < STATEMENTS_SINGLE_MAX
    }

    /// Adds a statement that ended well.
    pub(super) fn statement(&mut self, statement: &Statement<'_>, affected_rows: u64, took: Duration) {
        self.statements(statement, statement.number, affected_rows, took);
    }

    /// Adds statements that ended well, one behind the other up to the number `last`, and all together in this time.
    pub(super) fn statements(
        &mut self,
        first: &Statement<'_>,
        last: u64,
        affected_rows: u64,
        took: Duration,
    ) {
        let single = self.tells_each();
        self.statements += last + 1 - first.number;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if !single && self.join(first.number, last, affected_rows, micros) {
            return;
        }
        let entry = LogEntry::Statements {
            first: first.number,
            last,
            line: first.line,
            kind: first.kind.word().to_owned(),
            excerpt: first.excerpt(),
            affected_rows,
            micros,
        };
        if single {
            self.push(&entry);
        } else {
            self.close_together();
            self.together = Some(entry);
        }
    }

    /// Puts statements to the row that is being made, if they are the next and the row is not full.
    fn join(&mut self, begin: u64, end: u64, rows: u64, time: u64) -> bool {
        match &mut self.together {
            Some(LogEntry::Statements { first, last, affected_rows, micros, .. })
                if begin == *last + 1 && begin - *first < STATEMENTS_TOGETHER =>
            {
                *last = end;
                *affected_rows += rows;
                *micros += time;
                true
            }
            _ => false,
        }
    }

    /// Adds what the server said.
    pub(super) fn notice(&mut self, statement: u64, notice: Notice) {
        self.notices += 1;
        if self.notices > NOTICES_MAX {
            return;
        }
        let code = match (notice.sqlstate.is_empty(), notice.code) {
            (false, _) => notice.sqlstate,
            (true, 0) => String::new(),
            (true, code) => code.to_string(),
        };
        self.entry(LogEntry::Notice { statement, severity: notice.severity, code, message: notice.message });
    }

    /// Sends what waits to the store.
    pub(super) fn flush(&mut self) {
        self.close_together();
        let dropped = self.notices.saturating_sub(NOTICES_MAX);
        if dropped > 0 {
            self.waiting.push((now(), LogEntry::NoticesDropped { count: dropped }.text()));
            self.notices = NOTICES_MAX;
        }
        self.send();
    }

    fn close_together(&mut self) {
        if let Some(entry) = self.together.take() {
            self.push(&entry);
        }
    }

    fn push(&mut self, entry: &LogEntry) {
        self.waiting.push((now(), entry.text()));
        if self.waiting.len() >= WAITING_MAX || self.flushed.elapsed() >= WAITING_TIME_MAX {
            self.send();
        }
    }

    fn send(&mut self) {
        self.flushed = Instant::now();
        if self.waiting.is_empty() {
            return;
        }
        let (run, entries) = (self.run, std::mem::take(&mut self.waiting));
        self.store.write(
            move |connection| {
                entries.iter().try_for_each(|(time, entry)| append_log(connection, run, *time, entry))
            },
            // A failure stops the store, which the daemon hears of from its own writes.
            |_| {},
        );
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.flush();
    }
}
