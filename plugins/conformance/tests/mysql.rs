//! The driver for MySQL and MariaDB keeps the contract on real servers of both.

mod targets;

use runsheet_test_servers::shared;

#[test]
fn the_mysql_driver_keeps_the_contract_on_both_servers() -> anyhow::Result<()> {
    for server in [shared::mariadb(), shared::mysql()] {
        let report = runsheet_conformance::run(targets::mysql::target(server)?)?;
        println!("{:?}: {report}", server.family());
        assert!(report.failed().is_empty(), "{:?}: {report}", server.family());
        assert_eq!(report.skipped(), ["load", "load-refused", "label"], "{report}");
    }
    Ok(())
}
