//! The PostgreSQL driver keeps the contract on a real server, every rule of it.

mod targets;

#[test]
fn the_postgres_driver_keeps_the_contract() -> anyhow::Result<()> {
    let report = runsheet_conformance::run(targets::postgres::target()?)?;
    println!("{report}");
    assert!(report.failed().is_empty(), "{report}");
    assert!(report.skipped().is_empty(), "{report}");
    Ok(())
}
