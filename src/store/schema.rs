//! The database's layout and its versions, upgraded step by step.

use super::error::Error;
use rusqlite::Connection;

/// Marks the file as ours: "RUNS".
pub(super) const APPLICATION_ID: i64 = 0x5255_4E53;

/// One step a version; the list's length is the version that this program writes.
const STEPS: &[&str] = &[
    "
    CREATE TABLE sheets (
        name        TEXT PRIMARY KEY,
        sha256      TEXT NOT NULL,
        size        INTEGER NOT NULL,
        taken_time  INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE plans (
        id             INTEGER PRIMARY KEY,
        name           TEXT NOT NULL UNIQUE,
        title          TEXT NOT NULL,
        sha256         TEXT NOT NULL,
        text           TEXT NOT NULL,
        folder         TEXT NOT NULL,
        status         TEXT NOT NULL,
        accepted_time  INTEGER NOT NULL,
        start_time     INTEGER,
        end_time       INTEGER
    ) STRICT;
    CREATE INDEX plans_waiting ON plans (id) WHERE status = 'WAITING_FOR_SHEETS';
    CREATE TABLE stages (
        plan_id  INTEGER NOT NULL REFERENCES plans (id),
        idx      INTEGER NOT NULL,
        title    TEXT NOT NULL,
        PRIMARY KEY (plan_id, idx)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tasks (
        id              INTEGER PRIMARY KEY,
        plan_id         INTEGER NOT NULL REFERENCES plans (id),
        stage           INTEGER NOT NULL,
        spec_id         TEXT NOT NULL,
        instance        TEXT NOT NULL,
        database        TEXT NOT NULL,
        sheet           TEXT NOT NULL,
        sheet_sha256    TEXT,
        change_type     TEXT NOT NULL,
        schema_version  TEXT,
        earliest_time   INTEGER,
        status          TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX tasks_of_plan ON tasks (plan_id, spec_id);
    CREATE TABLE dependencies (
        task_id     INTEGER NOT NULL REFERENCES tasks (id),
        depends_on  INTEGER NOT NULL REFERENCES tasks (id),
        PRIMARY KEY (task_id, depends_on)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE runs (
        id                INTEGER PRIMARY KEY,
        task_id           INTEGER NOT NULL REFERENCES tasks (id),
        attempt           INTEGER NOT NULL,
        status            TEXT NOT NULL,
        start_time        INTEGER NOT NULL,
        end_time          INTEGER,
        resumes           INTEGER NOT NULL DEFAULT 0,
        statements_total  INTEGER,
        statements_done   INTEGER NOT NULL DEFAULT 0,
        affected_rows     INTEGER NOT NULL DEFAULT 0,
        detail            TEXT,
        error             TEXT
    ) STRICT;
    CREATE UNIQUE INDEX runs_of_task ON runs (task_id, attempt);
    CREATE TABLE intents (
        id            INTEGER PRIMARY KEY,
        task_id       INTEGER NOT NULL REFERENCES tasks (id),
        run_id        INTEGER NOT NULL REFERENCES runs (id),
        segment       INTEGER NOT NULL,
        statement     INTEGER NOT NULL,
        offset        INTEGER NOT NULL,
        length        INTEGER NOT NULL,
        line          INTEGER NOT NULL,
        sha256        TEXT NOT NULL,
        excerpt       TEXT NOT NULL,
        session       TEXT NOT NULL,
        intent_time   INTEGER NOT NULL,
        outcome       TEXT,
        outcome_time  INTEGER
    ) STRICT;
    CREATE INDEX intents_of_task ON intents (task_id, segment);
    CREATE TABLE log (
        id      INTEGER PRIMARY KEY,
        run_id  INTEGER NOT NULL REFERENCES runs (id),
        time    INTEGER NOT NULL,
        entry   TEXT NOT NULL
    ) STRICT;
    CREATE INDEX log_of_run ON log (run_id, id);
    CREATE TABLE audit (
        id      INTEGER PRIMARY KEY,
        time    INTEGER NOT NULL,
        who     TEXT NOT NULL,
        action  TEXT NOT NULL,
        plan    TEXT NOT NULL,
        spec    TEXT,
        reason  TEXT NOT NULL
    ) STRICT;
    CREATE INDEX audit_of_plan ON audit (plan, id);
",
    // What was seen before a statement, and who held a database last.
    "
    ALTER TABLE intents ADD COLUMN kind TEXT NOT NULL DEFAULT 'STATEMENT';
    ALTER TABLE intents ADD COLUMN settled TEXT NOT NULL DEFAULT 'nobody';
    ALTER TABLE intents ADD COLUMN observation TEXT NOT NULL DEFAULT '';
    ALTER TABLE intents ADD COLUMN summary TEXT NOT NULL DEFAULT '';
    CREATE TABLE sessions (
        instance  TEXT NOT NULL,
        database  TEXT NOT NULL,
        session   TEXT NOT NULL,
        time      INTEGER NOT NULL,
        PRIMARY KEY (instance, database)
    ) STRICT, WITHOUT ROWID;
",
    // Which end of a plan its result file shows: one that was reached right before a crash is not in there.
    "
    ALTER TABLE plans ADD COLUMN shown_end INTEGER;
    UPDATE plans SET shown_end = end_time;
    CREATE INDEX plans_not_shown ON plans (id) WHERE end_time IS NOT NULL AND shown_end IS NOT end_time;
",
    // Plans that were rebuilt from a damaged state, and wait for an operator's word.
    "
    ALTER TABLE plans ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
",
    // The text of a plan of very many tasks is megabytes, and a plan's row is read and written with each of its tasks.
    "
    CREATE TABLE plan_texts (
        plan_id  INTEGER PRIMARY KEY REFERENCES plans (id),
        text     TEXT NOT NULL
    ) STRICT;
    INSERT INTO plan_texts (plan_id, text) SELECT id, text FROM plans;
    ALTER TABLE plans DROP COLUMN text;
",
];

/// The version that this program writes.
pub(super) fn known() -> i64 {
    i64::try_from(STEPS.len()).expect("the list of steps is short")
}

/// Sets up the writing connection, and brings an older layout up to this version, each step in a transaction
/// of its own with its version.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), Error> {
    // WAL with FULL: each commit is on the disk when it returns; NORMAL loses acknowledged commits in a power cut.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (step, version) in STEPS.iter().zip(1..) {
        if version > found {
            let transaction = connection.transaction()?;
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", version)?;
            transaction.commit()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_of_an_older_layout_keeps_its_text() {
        let mut state = Connection::open_in_memory().unwrap();
        for step in &STEPS[..4] {
            state.execute_batch(step).unwrap();
        }
        state.pragma_update(None, "user_version", 4).unwrap();
        state
            .execute_batch(
                "INSERT INTO plans (id, name, title, sha256, text, folder, status, accepted_time)
                 VALUES (7, 'projects/a/plans/b', '', '', 'the text', '', 'DONE', 1);
                 INSERT INTO stages VALUES (7, 0, 'first');",
            )
            .unwrap();
        prepare(&mut state).unwrap();
        let found: (i64, String) = state
            .query_row("SELECT plan_id, text FROM plan_texts", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(found, (7, "the text".to_owned()));
        let name: String = state.query_row("SELECT name FROM plans", [], |row| row.get(0)).unwrap();
        assert_eq!(name, "projects/a/plans/b");
    }
}
