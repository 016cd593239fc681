//! Killed right before each single call by which an intake changes a disk: whichever it is, the next daemon comes to the same end.

mod inbox_site;
mod site;

use anyhow::{Context, Result, bail};
use inbox_site::{files, number_sheet, numbers, one_task, site_in_memory};
use site::{Site, plan_of, until};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// The calls that change a disk.
const CALLS: &[&str] =
    &["renameat2", "renameat", "unlinkat", "unlink", "mkdir", "fsync", "syncfs", "pwrite64"];

/// Files of every kind, put into the inbox as one folder at one moment.
fn drop_all(site: &Site) -> Result<()> {
    let target = "instances/main/databases/db";
    let both = plan_of(&[&[("a", target, "1"), ("b", target, "2")]]);
    let waits = plan_of(&[&[("a", target, "2"), ("b", target, "9")]]);
    // SELECT 3;
    let json = serde_json::json!({ "name": "projects/test/sheets/3", "content": "U0VMRUNUIDM7" });
    for (name, text) in [
        ("x.plan.json", both),
        ("y.plan.json", waits),
        ("z.plan.json", one_task("3")),
        ("1.sql", number_sheet(1)),
        ("2.sql", number_sheet(2)),
        ("3.sheet.json", json.to_string()),
        ("bad.plan.json", "[1]".to_owned()),
    ] {
        site.write(&format!("inbox/.all/{name}"), text)?;
    }
    fs::rename(site.path("inbox/.all"), site.path("inbox/test"))?;
    Ok(())
}

/// Lets the system kill the daemon right before the given call of this kind that any of its threads makes.
fn kill_before(site: &Site, call: &str, number: u32) -> Result<Child> {
    let process = site.pid().context("a daemon runs")?;
    let mut tracer = Command::new("strace")
        .args(["-f", "-p", &process.to_string(), "-o", "/dev/null"])
        .args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:signal=KILL:when={number}")])
        .stderr(Stdio::piped())
        .spawn()?;
    let mut told = BufReader::new(tracer.stderr.take().context("a pipe")?).lines();
    let first = told.next().context("it says what it does")??;
    anyhow::ensure!(first.contains("attached"), "strace: {first}");
    // Whatever it says later is read, so that it never waits for us.
    std::thread::spawn(move || told.for_each(drop));
    Ok(tracer)
}

fn is_killed(site: &Site) -> Result<bool> {
    let process = site.pid().context("a daemon runs")?;
    Ok(fs::read_to_string(format!("/proc/{process}/status"))?.contains("State:\tZ"))
}

fn is_at_end(site: &Site) -> Result<bool> {
    let status = |plan: &str, wanted: &str| site.plan(plan).is_ok_and(|plan| plan["status"] == wanted);
    Ok(files(site, "inbox")?.is_empty()
        && status("x", "DONE")
        && status("y", "WAITING_FOR_SHEETS")
        && status("z", "DONE"))
}

/// What must be so after any kill and a restart.
fn judge(site: &Site, kill: &str) -> Result<()> {
    if !is_at_end(site)? {
        bail!(
            "{kill}: {:?} is left, and {}\n{}",
            files(site, "inbox")?,
            site.say(&["status"])?.out,
            site.log()
        );
    }
    let accepted = files(site, "accepted")?;
    let mut names: Vec<&str> = accepted.iter().filter_map(|file| file.rsplit('/').next()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["1.sql", "2.sql", "3.sheet.json", "x.plan.json", "y.plan.json", "z.plan.json"],
        "{kill}: {accepted:?}"
    );
    assert_eq!(
        files(site, "rejected")?,
        inbox_site::names(&[
            "test/bad.plan.json",
            "test/bad.plan.json.error.json",
            "test/bad.plan.json.error.txt"
        ]),
        "{kill}"
    );
    assert_eq!(numbers(site)?, [1, 2], "{kill}: each sheet ran once");
    assert_eq!(files(site, "state/sheets")?.len(), 3, "{kill}");
    assert_eq!(site.plan("y")?["missingSheets"], serde_json::json!(["projects/test/sheets/9"]), "{kill}");
    Ok(())
}

/// Kills one intake before a call. False where there was no such call any more.
fn killed_before(call: &str, number: u32) -> Result<bool> {
    let kill = format!("killed before {call} number {number}");
    let (_memory, mut site) = site_in_memory("settle = \"0s\"\nrescan = \"1h\"")?;
    site.start()?;
    until("it is ready", || Ok(site.log().lines().any(|line| line.ends_with(" ready"))))?;
    let mut tracer = kill_before(&site, call, number)?;
    drop_all(&site)?;
    let mut killed = false;
    until("it is killed or has done all", || {
        killed = is_killed(&site)?;
        Ok(killed || is_at_end(&site)?)
    })?;
    site.kill();
    tracer.wait()?;
    if killed {
        site.start_with(&["--until-idle"])?;
        assert_eq!(site.wait_for_end()?, 0, "{kill}: {}", site.log());
    }
    judge(&site, &kill)?;
    Ok(killed)
}

/// Kills the intake before every call of these kinds. Gives how often it was.
fn killed_before_each(calls: &[&str]) -> Result<()> {
    for call in calls {
        let mut number = 1;
        while killed_before(call, number)? {
            // The store writes very many pages; every fifth stands for its neighbours.
            number += if *call == "pwrite64" { 5 } else { 1 };
        }
        println!("{call}: killed before each of {} calls", number - 1);
    }
    Ok(())
}

#[test]
fn killed_before_any_file_is_moved_or_removed() -> Result<()> {
    killed_before_each(CALLS.get(..5).context("calls")?)
}

#[test]
fn killed_before_anything_is_made_durable() -> Result<()> {
    killed_before_each(CALLS.get(5..).context("calls")?)
}
