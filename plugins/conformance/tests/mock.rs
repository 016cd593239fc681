//! The mock driver keeps every rule, as long as it is not told to break one.

mod targets;

#[test]
fn the_mock_driver_keeps_the_contract() -> anyhow::Result<()> {
    let report = runsheet_conformance::run(targets::mock::target(None))?;
    println!("{report}");
    assert!(report.failed().is_empty(), "{report}");
    assert!(report.skipped().is_empty(), "{report}");
    Ok(())
}
