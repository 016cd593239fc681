//! The settings are looked at before anything is connected to: every fault at once, by name, and no secret in any.

mod support;

use anyhow::{Context, Result};
use runsheet_driver_postgres::Postgres as PostgresDriver;
use runsheet_sdk::{Class, Driver};
use runsheet_test_servers::{Authority, Request};
use std::path::Path;
use support::settings;

/// A password that is found wherever it should not be.
const PASSWORD: &str = "s3cr3t";

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of a test is text")
}

#[test]
fn check_finds_every_fault_at_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing\n")?;
    let bad = settings(&[
        ("prot", "1"),
        ("port", "70000"),
        ("password", PASSWORD),
        ("tls", "always"),
        ("tls_cert", "/nowhere.crt"),
        ("connect_timeout", "soon"),
        ("keepalive", "1 week"),
        ("charset", "utf 8"),
        ("channel_binding", "maybe"),
        ("statement_timeout", "10 parsecs"),
        ("lock_timeout", "1000h"),
        ("ledger_schema", ""),
    ]);
    let faults = PostgresDriver::check(&bad);
    let names: Vec<&str> = faults.iter().map(|fault| fault.object.as_str()).collect();
    for name in [
        "prot",
        "host",
        "user",
        "port",
        "tls",
        "tls_key",
        "connect_timeout",
        "keepalive",
        "charset",
        "channel_binding",
        "statement_timeout",
        "lock_timeout",
        "ledger_schema",
    ] {
        assert_eq!(names.iter().filter(|found| **found == name).count(), 1, "{name} in {names:?}");
    }
    let unknown = faults.iter().find(|fault| fault.object == "prot").context("it is found")?;
    for known in ["host", "tls_ca", "lock_timeout", "ledger_schema"] {
        assert!(unknown.hint.contains(known), "{unknown}");
    }
    assert!(
        faults.iter().all(|fault| fault.class == Class::Setting && !format!("{fault:?}").contains("s3cr"))
    );

    let files: &[(&[(&str, &str)], &str)] = &[
        (&[("tls", "verify-full"), ("tls_ca", "/nowhere/ca.crt")], "tls_ca"),
        (&[("tls", "verify-full"), ("tls_ca", text(&empty))], "tls_ca"),
        (&[("tls", "verify-ca")], "tls_ca"),
        (&[("tls", "prefer"), ("tls_ca", "/etc/passwd")], "tls_ca"),
        (&[("tls", "disable"), ("tls_cert", "/a"), ("tls_key", "/b")], "tls_cert"),
        (&[("tls", "require"), ("tls_cert", "/nowhere.crt"), ("tls_key", "/nowhere.key")], "tls_cert"),
        (&[("channel_binding", "require"), ("password", "x"), ("tls", "disable")], "channel_binding"),
        (&[("channel_binding", "require")], "channel_binding"),
        (&[("connect_timeout", "0")], "connect_timeout"),
    ];
    for (pairs, name) in files {
        let all = [&[("host", "h"), ("user", "u")], *pairs].concat();
        let faults = PostgresDriver::check(&settings(&all));
        assert!(faults.iter().any(|fault| fault.object == *name), "{pairs:?}: {faults:?}");
    }
    assert_eq!(PostgresDriver::check(&settings(&[("host", "h"), ("user", "u")])), []);
    Ok(())
}

#[test]
fn a_key_that_others_may_read_is_refused() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let authority = Authority::new("a")?;
    let issued = authority.issue(&Request::new("u", &[]))?;
    let with = settings(&[
        ("host", "h"),
        ("user", "u"),
        ("tls", "require"),
        ("tls_cert", text(&issued.certificate)),
        ("tls_key", text(&issued.key)),
    ]);
    assert_eq!(PostgresDriver::check(&with), []);
    std::fs::set_permissions(&issued.key, std::fs::Permissions::from_mode(0o644))?;
    let faults = PostgresDriver::check(&with);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].object == "tls_key" && faults[0].message.contains("chmod 600"), "{faults:?}");
    Ok(())
}
