//! The suite finds what it is for: each fault that the mock driver can have is found by the case that is meant to find it, and by
//! no other, and a case that finds no fault here is known by name.

mod targets;

use anyhow::Result;
use runsheet_driver_mock::fault::Fault;
use std::collections::BTreeSet;

/// Each fault, and the case that finds it.
const FOUND: &[(&str, &str)] = &[
    ("setting-unnamed", "settings"),
    ("authentication-other", "wrong-password"),
    ("secret-told", "wrong-password"),
    ("secret-logged", "wrong-password"),
    ("split-drops-last", "split"),
    ("split-with-comment", "split"),
    ("split-by-chunk", "split-in-chunks"),
    ("split-forgets-kind", "split-again"),
    ("wrong-count", "counts"),
    ("applied-unknown", "failure"),
    ("first-of-two", "two-statements"),
    ("first-then-refused", "two-statements"),
    ("empty-ends-session", "no-statement"),
    ("comment-refused", "decorated"),
    ("position-in-characters", "error-position"),
    ("position-missing", "error-position"),
    ("notices-unordered", "notices"),
    ("notices-cut", "notices"),
    ("seen-early", "commit"),
    ("commit-forgets", "commit"),
    ("transaction-unsaid", "transaction-state"),
    ("commit-lies", "commit-after-failure"),
    ("rollback-commits", "rollback"),
    ("rollback-keeps-ddl", "rollback-of-ddl"),
    ("close-commits", "close-rolls-back"),
    ("load-miscounts", "load"),
    ("load-keeps-some", "load-refused"),
    ("batch-uncounted", "batch"),
    ("batch-unplaced", "batch-failing"),
    ("batch-notices-late", "batch-notices"),
    ("read-needs-ledger", "ledger-missing"),
    ("prepare-once", "ledger-prepare"),
    ("prepare-takes-foreign", "ledger-foreign"),
    ("mark-at-once", "ledger-mark-rides"),
    ("mark-leaves-own", "ledger-mark-rides-own"),
    ("mark-twice", "ledger-mark-once"),
    ("mark-forgets", "ledger-read"),
    ("marks-unordered", "ledger-read"),
    ("version-incomplete", "ledger-version"),
    ("identity-changes", "identity-stays"),
    ("system-differs", "identity-differs"),
    ("reset-keeps-transaction", "reset-ends-transaction"),
    ("reset-keeps-settings", "reset-takes-settings-back"),
    ("reset-keeps-temporary", "reset-drops-temporary"),
    ("reset-keeps-lock", "reset-lets-go-of-lock"),
    ("reset-keeps-label", "label"),
    ("judge-says-applied", "judge-before"),
    ("judge-runs", "judge-before"),
    ("judge-says-not-applied", "judge-after"),
    ("lock-for-the-asking", "lock-excludes"),
    ("lock-stays", "lock-excludes"),
    ("lock-nameless", "lock-names-its-holder"),
    ("lock-of-all", "lock-of-one-database"),
    ("lock-outlives-kill", "lock-ends-with-session"),
    ("ends-any-holder", "lock-holder-is-ended"),
    ("lock-ends-with-commit", "lock-outlasts"),
    ("lock-outlives-close", "lock-ends-with-close"),
    ("cancel-ignored", "cancel-stops"),
    ("cancel-ends-session", "cancel-stops"),
    ("cancel-lingers", "cancel-hits-nothing-else"),
    ("cancel-hits-ledger", "cancel-spares-waiting"),
    ("lost-says-no", "killed-in-statement"),
    ("lost-only-fails", "killed-in-statement"),
    ("commit-lost-says-no", "killed-in-commit"),
    ("idle-unknown", "killed-while-idle"),
    ("loss-leaks-descriptor", "close-after-loss"),
    ("thread-bound", "any-thread"),
    ("one-at-a-time", "side-by-side"),
    ("loses-beside", "at-once"),
    ("leaks-descriptor", "leaves-nothing"),
    ("leaks-thread", "leaves-nothing"),
    ("changes-directory", "surroundings"),
    ("changes-umask", "surroundings"),
    ("writes-to-stderr", "surroundings"),
];

/// Cases about what no driver over the safe traits can do wrong. `c_driver.rs` shows what they find.
const NOT_FOUND: &[&str] = &["entry", "extensions", "larger-structs", "says-once", "advise"];

#[test]
fn each_fault_is_found_by_its_case_and_by_no_other() -> Result<()> {
    let known: BTreeSet<&str> = Fault::WORDS.iter().copied().collect();
    let tried: BTreeSet<&str> = FOUND.iter().map(|(fault, _)| *fault).collect();
    assert_eq!(tried, known, "every fault is tried");

    let sound = runsheet_conformance::run(targets::mock::target(None))?;
    assert!(sound.failed().is_empty(), "without a fault: {sound}");
    let cases: BTreeSet<&str> = sound.outcomes.iter().map(|outcome| outcome.name).collect();
    let finding: BTreeSet<&str> =
        FOUND.iter().map(|(_, case)| *case).chain(NOT_FOUND.iter().copied()).collect();
    assert_eq!(finding, cases, "every case finds a fault, or is known not to");

    let mut wrong = Vec::new();
    for (fault, case) in FOUND {
        let report = runsheet_conformance::run(targets::mock::target(Some(fault)))?;
        // A cancel that is repeated may come when the statement has just ended, and linger.
        let lingers = *fault == "cancel-lingers" && report.failed() == ["cancel-stops", case];
        if report.failed() != [*case] && !lingers {
            wrong.push(format!("with the fault {fault}: {:?} failed, not {case}: {report}", report.failed()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    Ok(())
}
