//! The settings are looked at before anything is connected to: every fault at once, by name, and no secret in any.

mod support;

use anyhow::{Context, Result};
use runsheet_driver_mysql::MySql as MySqlDriver;
use runsheet_sdk::{Class, Driver};
use support::settings;

#[test]
fn check_finds_every_fault_at_once() -> Result<()> {
    let bad = settings(&[
        ("usr", "u"),
        ("port", "0"),
        ("password", "s3cr3t"),
        ("tls", "allow"),
        ("tls_key", "/nowhere.key"),
        ("server_public_key", "/nowhere.pem"),
        ("connect_timeout", "soon"),
        ("keepalive", "1 week"),
        ("sql_mode", "ANSI'; DROP TABLE t"),
        ("time_zone", "'"),
        ("lock_wait_timeout", "1500ms"),
        ("innodb_lock_wait_timeout", "0"),
        ("warnings", "loud"),
    ]);
    let faults = MySqlDriver::check(&bad);
    let names: Vec<&str> = faults.iter().map(|fault| fault.object.as_str()).collect();
    for name in [
        "usr",
        "host",
        "user",
        "port",
        "tls",
        "tls_cert",
        "server_public_key",
        "connect_timeout",
        "keepalive",
        "sql_mode",
        "time_zone",
        "lock_wait_timeout",
        "innodb_lock_wait_timeout",
        "warnings",
    ] {
        assert_eq!(names.iter().filter(|found| **found == name).count(), 1, "{name} in {names:?}");
    }
    let unknown = faults.iter().find(|fault| fault.object == "usr").context("it is found")?;
    for known in ["host", "socket", "tls_ca", "innodb_lock_wait_timeout"] {
        assert!(unknown.hint.contains(known), "{unknown}");
    }
    assert!(
        faults.iter().all(|fault| fault.class == Class::Setting && !format!("{fault:?}").contains("s3cr"))
    );

    let single: &[(&[(&str, &str)], &str)] = &[
        (&[("socket", "/s")], "socket"),
        (&[("tls", "verify-ca")], "tls_ca"),
        (&[("tls", "prefer"), ("tls_ca", "/etc/passwd")], "tls_ca"),
        (&[("tls", "disable"), ("tls_cert", "/a"), ("tls_key", "/b")], "tls_cert"),
        (&[("connect_timeout", "0")], "connect_timeout"),
    ];
    for (pairs, name) in single {
        let all = [&[("host", "h"), ("user", "u")], *pairs].concat();
        let faults = MySqlDriver::check(&settings(&all));
        assert!(faults.iter().any(|fault| fault.object == *name), "{pairs:?}: {faults:?}");
    }
    assert_eq!(MySqlDriver::check(&settings(&[("host", "h"), ("user", "u")])), []);
    assert_eq!(MySqlDriver::check(&settings(&[("socket", "/s"), ("user", "u")])), []);
    Ok(())
}
