//! The SQLite driver keeps the contract; what it has no server for, and says so, is skipped.

mod targets;

#[test]
fn the_sqlite_driver_keeps_the_contract() -> anyhow::Result<()> {
    let folder = targets::folder()?;
    let report = runsheet_conformance::run(targets::sqlite::target(folder.path()))?;
    println!("{report}");
    assert!(report.failed().is_empty(), "{report}");
    let skipped = [
        "wrong-password",
        "notices",
        "batch",
        "batch-failing",
        "batch-notices",
        "load",
        "load-refused",
        "label",
        "judge-before",
        "judge-after",
        "advise",
        "lock-ends-with-session",
        "lock-holder-is-ended",
        "killed-in-statement",
        "killed-in-commit",
        "killed-while-idle",
        "close-after-loss",
    ];
    assert_eq!(report.skipped(), skipped, "{report}");
    Ok(())
}
