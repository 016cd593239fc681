//! What is on disk about statements that commit by themselves: read before a run, written around each of them.

use super::job::Job;
use super::journal::now;
use crate::sheet::Statement;
use crate::store::{self, Intent, IntentEnd, IntentKind, NewIntent, Store};
use runsheet_sdk::{Identity, Observation};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What earlier runs of a task have recorded, by segment.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// Statements that are known to have taken effect.
    pub applied: BTreeMap<u32, Intent>,
    /// Statements of which nobody knows.
    pub open: BTreeMap<u32, Intent>,
}

impl Recorded {
    pub(super) fn read(store: &Store, task: i64) -> Result<Self, store::Error> {
        store.reader()?.read(|connection| {
            let by_segment =
                |intents: Vec<Intent>| intents.into_iter().map(|one| (one.of.segment, one)).collect();
            Ok(Self {
                applied: by_segment(store::ended_intents(connection, task)?),
                open: by_segment(store::open_intents(connection, task)?),
            })
        })
    }
}

/// Who a session is, as it is stored and shown. What is not known is left out.
pub(super) fn session_text(identity: &Identity) -> String {
    let part = |before: &str, text: &str, behind: &str| {
        if text.is_empty() { String::new() } else { format!("{before}{text}{behind}") }
    };
    format!(
        "{}{}{}{}{}{}{}",
        identity.product,
        part(" ", &identity.version, ""),
        part(", session ", &identity.session, ""),
        part(" (since ", &identity.session_start, ")"),
        part(", server ", &identity.system, ""),
        part(", database ", &identity.database, ""),
        part(", user ", &identity.user, "")
    )
}

/// Records that a statement is about to be sent and what was seen before it, and waits until that is on the disk.
pub(super) fn begin(
    store: &Store,
    job: &Job,
    segment: u32,
    kind: IntentKind,
    statement: &Statement<'_>,
    session: &str,
    seen: Observation,
) -> Result<i64, store::Error> {
    let intent = NewIntent {
        task_id: job.task_id,
        run_id: job.run_id,
        segment,
        kind,
        statement: statement.number,
        offset: statement.offset,
        length: statement.text.len() as u64,
        line: statement.line,
        sha256: sha256(statement.text),
        excerpt: statement.excerpt(),
        session: session.to_owned(),
        settled: seen.settled.word().to_owned(),
        observation: seen.text,
        summary: seen.summary,
        intent_time: now(),
    };
    store.write_and_wait(move |connection| store::insert_intent(connection, &intent))
}

/// Records how it ended, and waits until that is on the disk.
pub(super) fn end(store: &Store, intent: i64, outcome: IntentEnd) -> Result<(), store::Error> {
    store.write_and_wait(move |connection| store::end_intent(connection, intent, outcome, now()))
}

/// SHA-256 of a statement, in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
