//! What is large is not kept a second time. In a process of its own, since its memory is measured.

mod support;

use anyhow::{Context, Result};
use runsheet_test_servers::{Family, MySql, MySqlOptions};
use support::{ask, fresh, run};

/// The memory that this process has at most had, in bytes.
fn peak_memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("the system says it")?;
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    Ok(digits.parse::<u64>()? * 1024)
}

#[test]
fn a_statement_of_a_hundred_megabytes_is_run_and_a_row_as_large_is_passed_over() -> Result<()> {
    let arguments = vec!["--max-allowed-packet=256M".to_owned(), "--innodb-log-file-size=512M".to_owned()];
    let server = MySql::start(Family::MariaDb, &MySqlOptions { arguments, ..MySqlOptions::default() })?;
    let (mut session, _) = fresh(&server)?;
    run(&mut session, "CREATE TABLE t (x longtext) ENGINE=Aria")?;
    let sql = format!("INSERT INTO t VALUES ('{}')", "x".repeat(100_000_000));
    let before = peak_memory()?;
    assert_eq!(run(&mut session, &sql)?.rows_affected, Some(1));
    assert_eq!(ask(&mut session, "(SELECT LENGTH(x) FROM t)")?, "100000000");
    run(&mut session, "SELECT x, 'y' FROM t")?;
    let grown = peak_memory()? - before;
    // Neither the statement nor the row is kept a second time.
    assert!(grown < 60_000_000, "{grown} bytes more");
    run(&mut session, "SELECT 1")?;
    Ok(())
}
