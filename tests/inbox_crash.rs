//! Killed at any moment while files are taken in: after the restart each plan is there once, and each file in one place.

mod inbox_site;
mod site;

use anyhow::{Context, Result};
use inbox_site::{files, next, number_sheet, numbers, one_task, seed, site, site_in_memory};
use serde_json::Value;
use site::{Site, until};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const QUICK: &str = "settle = \"10ms\"\nrescan = \"1s\"";
/// Where a file must be copied to be moved, eight plans take a while; where it is only renamed, many are needed for that.
const FEW: u32 = 8;
const MANY: u32 = 80;

/// How often the intake is killed; `RUNSHEET_KILLS` for more.
fn kills() -> u32 {
    std::env::var("RUNSHEET_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

fn plans(site: &Site) -> Result<Vec<Value>> {
    let listed: Value = serde_json::from_str(&site.say(&["status", "--json"])?.out)?;
    let plans = listed.as_array().or_else(|| listed["plans"].as_array()).context("a list of plans")?;
    Ok(plans.clone())
}

/// Drops plans, with a time that never comes where they are not to be run.
fn drop_plans(inbox: &Path, numbers: std::ops::Range<u32>, run: bool) -> Result<()> {
    for number in numbers {
        let folder = inbox.join(format!("f{}", number % 7));
        fs::create_dir_all(&folder)?;
        let mut plan = one_task(&number.to_string());
        if !run {
            plan = plan.replace("\"id\":", "\"earliestAllowedTime\":\"2999-01-01T00:00:00Z\",\"id\":");
        }
        fs::write(folder.join(format!("p{number}.plan.json")), plan)?;
        fs::write(folder.join(format!("{number}.sql")), number_sheet(number))?;
    }
    Ok(())
}

/// Waits for the first file that is moved away, and does not sleep over it.
fn first_is_moved(site: &Site, inbox: &Path, dropped: usize) -> Result<()> {
    let begun = Instant::now();
    while files_in(inbox)? == dropped {
        anyhow::ensure!(begun.elapsed() < Duration::from_secs(120), "nothing is moved: {}", site.log());
    }
    Ok(())
}

/// So many plans with a sheet each are taken in at a time while the daemon is killed again and again. `inbox` is where they are
/// dropped.
fn killed_again_and_again(site: &mut Site, inbox: &Path, at_a_time: u32, run: bool) -> Result<()> {
    let seed = seed();
    let mut state = seed;
    let (mut in_the_middle, mut all) = (0, 0);
    for kill in 0..kills() {
        drop_plans(inbox, all..all + at_a_time, run)?;
        all += at_a_time;
        let dropped = files_in(inbox)?;
        site.start()?;
        if kill % 3 < 2 {
            first_is_moved(site, inbox, dropped)?;
            std::thread::sleep(Duration::from_micros(next(&mut state) % 5_000));
        } else {
            std::thread::sleep(Duration::from_micros(next(&mut state) % 200_000));
        }
        site.kill();
        let left = files_in(inbox)?;
        in_the_middle += u32::from(left > 0 && left < dropped);
    }
    site.start()?;
    until("all are taken in", || Ok(files_in(inbox)? == 0))?;
    let end = if run { "DONE" } else { "RUNNING" };
    until("all are where they belong", || Ok(plans(site)?.iter().all(|plan| plan["status"] == end)))?;
    println!("{in_the_middle} of {} kills came in the middle of moving files (seed {seed})", kills());
    assert!(in_the_middle > 0, "no kill came in the middle, so nothing was shown (seed {seed})");

    let names: BTreeSet<String> =
        plans(site)?.iter().filter_map(|plan| plan["plan"].as_str().map(str::to_owned)).collect();
    assert_eq!((plans(site)?.len(), names.len()), (all as usize, all as usize), "seed {seed}");
    let expected: BTreeSet<String> = (0..all)
        .flat_map(|number| {
            let shelf = format!("f{}/p{number}", number % 7);
            [format!("{shelf}/{number}.sql"), format!("{shelf}/p{number}.plan.json")]
        })
        .collect();
    assert_eq!(files(site, "accepted")?, expected, "seed {seed}");
    assert!(files(site, "rejected")?.is_empty(), "seed {seed}");
    if run {
        assert_eq!(numbers(site)?, (0..i64::from(all)).collect::<Vec<_>>(), "seed {seed}");
    }
    assert_eq!(files(site, "state/sheets")?.len(), all as usize, "nothing half copied is left, seed {seed}");
    Ok(())
}

/// How many files there are in the folders of an inbox.
fn files_in(inbox: &Path) -> Result<usize> {
    let mut count = 0;
    for folder in fs::read_dir(inbox)? {
        count += fs::read_dir(folder?.path())?.count();
    }
    Ok(count)
}

#[test]
fn every_plan_is_taken_in_once_however_often_the_daemon_is_killed() -> Result<()> {
    let (_memory, mut site) = site_in_memory(QUICK)?;
    let inbox = site.path("inbox");
    killed_again_and_again(&mut site, &inbox, MANY, false)
}

#[test]
fn from_another_file_system_too_every_plan_is_taken_in_once() -> Result<()> {
    let memory = tempfile::Builder::new().prefix("runsheet-inbox-").tempdir_in("/dev/shm")?;
    let mut site = site(QUICK)?;
    let config = fs::read_to_string(site.path("config.toml"))?;
    let folder = format!("[folders]\ninbox = {:?}\n", memory.path().display().to_string());
    site.write("config.toml", config.replacen("[folders]\n", &folder, 1))?;
    killed_again_and_again(&mut site, memory.path(), FEW, true)
}
