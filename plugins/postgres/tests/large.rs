//! What is large is not kept a second time. In a process of its own, since its memory is measured.

mod support;

use anyhow::{Context, Result};
use runsheet_test_servers::shared;
use support::{ask, on, open, run};

/// The memory that this process has at most had, in bytes.
fn peak_memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("the system says it")?;
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    Ok(digits.parse::<u64>()? * 1024)
}

#[test]
fn a_statement_of_a_hundred_megabytes_is_run_and_a_row_as_large_is_passed_over() -> Result<()> {
    let server = shared::postgres();
    let mut session = open(&on(server, &[]), &server.fresh_database()?)?;
    run(&mut session, "CREATE TABLE t (x text)")?;
    let sql = format!("INSERT INTO t VALUES ('{}')", "x".repeat(100_000_000));
    let before = peak_memory()?;
    assert_eq!(run(&mut session, &sql)?.rows_affected, Some(1));
    assert_eq!(ask(&mut session, "SELECT sum(length(x)) FROM t")?, "100000000");
    run(&mut session, "SELECT x FROM t")?;
    run(&mut session, "COPY t TO STDOUT")?;
    let grown = peak_memory()? - before;
    // Neither the statement nor the rows are kept a second time.
    assert!(grown < 60_000_000, "{grown} bytes more");
    Ok(())
}
