//! A driver that panics, loses its sessions and its commits' answers: the daemon goes on, says of each task what is true, and what
//! took effect is there once. The driver is the mock, whose databases live in the daemon.

mod site;

use anyhow::{Context, Result};
use serde_json::Value;
use site::{Site, plan_of, program, task};
use std::fs;

/// A site whose folder of drivers has the mock and nothing else.
fn site_on_mock() -> Result<Site> {
    let site = Site::new("[instances.mock]\ndriver = \"mock\"\nmax_connections = 8\n")?;
    let plugins = site.own_plugins()?;
    let built = program().with_file_name("librunsheet_driver_mock.so");
    fs::copy(built, plugins.join("librunsheet_driver_mock.so")).context("cargo build --workspace")?;
    Ok(site)
}

/// Runs one sheet for each database, all in one stage, and gives the plan when it has come to its end.
fn run(site: &Site, plan: &str, sheets: &[(&str, &str)]) -> Result<Value> {
    let mut specs = Vec::new();
    for (name, text) in sheets {
        site.drop_file(&format!("{plan}-{name}.sql"), text)?;
        specs.push((*name, format!("instances/mock/databases/{name}"), format!("{plan}-{name}")));
    }
    let specs: Vec<(&str, &str, &str)> =
        specs.iter().map(|(name, target, sheet)| (*name, target.as_str(), sheet.as_str())).collect();
    site.drop_file(&format!("{plan}.plan.json"), plan_of(&[&specs]))?;
    site.wait_for(plan, &["DONE", "FAILED", "BLOCKED"])
}

#[test]
fn a_driver_that_panics_or_loses_answers_stops_nobody_and_nothing_is_done_twice() -> Result<()> {
    let mut site = site_on_mock()?;
    site.start()?;
    let first = run(
        &site,
        "first",
        &[
            ("sound", "create t; put t 1 a 2 b;\n"),
            ("panics", "create t; put t 1 a; panic 'as it was told'; put t 2 b;\n"),
            ("committed", "create t; put t 1 a; lose-commit yes;\n"),
            ("dropped", "create t; put t 1 a; lose-commit no;\n"),
            ("alone", "alone create t; alone panic 'as it was told';\n"),
        ],
    )?;
    let ended = [
        ("sound", "DONE"),
        // Its lane goes on where the ledger says that it is in.
        ("committed", "DONE"),
        ("panics", "FAILED"),
        ("dropped", "FAILED"),
        // A panic may come before or after the effect, and this driver cannot judge it.
        ("alone", "IN_DOUBT"),
    ];
    for (spec, status) in ended {
        assert_eq!(task(&first, spec)["status"], status, "{spec}: {first:#}");
    }
    assert!(site.log().contains("as it was told"), "the words of the panic are in the log: {}", site.log());

    let resolved = site.run(&["resolve", "first/alone", "--applied", "--reason", "it was seen"])?;
    assert!(resolved.status.success(), "{resolved:?}");
    let second = run(
        &site,
        "second",
        &[
            ("sound", "count t;\n"),
            ("committed", "count t;\n"),
            // It can be made only where it is not there.
            ("panics", "create t; put t 1 a;\n"),
            ("dropped", "create t; put t 1 a;\n"),
            ("alone", "count t;\n"),
        ],
    )?;
    for (spec, rows) in [("sound", 2), ("committed", 1), ("panics", 1), ("dropped", 1), ("alone", 0)] {
        let run = &task(&second, spec)["runs"][0];
        assert_eq!(
            (&run["status"], &run["affectedRows"]),
            (&"DONE".into(), &rows.into()),
            "{spec}: {second:#}"
        );
    }
    Ok(())
}
