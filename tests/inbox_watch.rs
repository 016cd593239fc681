//! The file system's word only wakes the inbox: without it, with too much of it, and after the inbox was replaced, the same files
//! are found. A swarm of files is worked off in bounded time with bounded means.

mod inbox_site;
mod site;

use anyhow::{Context, Result};
use inbox_site::{files, number_sheet, numbers, one_task, site, site_in_memory};
use site::{Site, until};
use std::fs::{self, File};
use std::time::{Duration, Instant};

const ENDS: &[&str] = &["DONE", "FAILED", "BLOCKED"];
/// So long that no test would wait for it.
const NO_RESCAN: &str = "settle = \"50ms\"\nrescan = \"1h\"";
const RESCAN: &str = "settle = \"50ms\"\nrescan = \"1s\"";

/// Drops a plan with its sheet into a folder, and waits until it has run.
fn plan_runs(site: &Site, folder: &str, number: u32) -> Result<()> {
    site.drop_file(&format!("{folder}/{number}.sql"), number_sheet(number))?;
    site.drop_file(&format!("{folder}/p{number}.plan.json"), one_task(&number.to_string()))?;
    runs(site, folder, number)
}

fn runs(site: &Site, folder: &str, number: u32) -> Result<()> {
    let plan = site.wait_for(&format!("projects/{folder}/plans/p{number}"), ENDS)?;
    assert_eq!(plan["status"], "DONE", "{plan:#}\n{}", site.log());
    Ok(())
}

fn is_ready(site: &Site) -> Result<()> {
    until("it is ready", || Ok(site.log().lines().any(|line| line.ends_with(" ready"))))
}

#[test]
fn without_any_rescan_the_file_systems_word_is_enough() -> Result<()> {
    let mut site = site(NO_RESCAN)?;
    site.start()?;
    is_ready(&site)?;
    for (number, folder) in (0..).zip(["a", "b", "a"]) {
        plan_runs(&site, folder, number)?;
    }
    assert_eq!(numbers(&site)?, [0, 1, 2]);
    Ok(())
}

#[test]
fn where_more_happens_than_the_system_can_tell_every_file_is_found_all_the_same() -> Result<()> {
    let mut site = site(NO_RESCAN)?;
    site.start()?;
    plan_runs(&site, "before", 1)?;
    let most: u32 = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events")?.trim().parse()?;
    // Nothing reads the queue while the daemon stands still, so that it fills up and the rest is lost.
    site.signal("STOP")?;
    let names = [site.path("inbox/.a"), site.path("inbox/.b")];
    for round in 0..most + 1_000 {
        File::create(&names[round as usize % 2])?;
    }
    site.drop_file("lost/2.sql", number_sheet(2))?;
    site.drop_file("lost/p2.plan.json", one_task("2"))?;
    site.signal("CONT")?;
    runs(&site, "lost", 2)?;
    // What the system had kept is read first, and the plan may have run on its word.
    let told = "more happened in the inbox than the system could tell";
    until("the overflow is told", || Ok(site.log().contains(told)))?;
    // And it is still watched, the folder that came meanwhile too.
    plan_runs(&site, "lost", 3)?;
    assert_eq!(numbers(&site)?, [1, 2, 3]);
    Ok(())
}

/// Starts the daemon where the system gives so many of something, in a user namespace of its own.
fn start_with_only(site: &mut Site, limit: &str, number: u32) -> Result<()> {
    let script = format!("echo {number} > /proc/sys/user/{limit} && exec \"$0\" \"$@\"");
    site.start_by(&["unshare", "--user", "--map-root-user", "sh", "-c", &script], &[])?;
    is_ready(site)
}

#[test]
fn where_the_system_gives_no_watch_a_rescan_finds_the_files() -> Result<()> {
    let mut site = site(RESCAN)?;
    start_with_only(&mut site, "max_inotify_instances", 0)?;
    plan_runs(&site, "test", 1)?;
    plan_runs(&site, "test", 2)?;
    assert!(site.log().contains("cannot be watched"), "{}", site.log());
    assert_eq!(numbers(&site)?, [1, 2]);
    Ok(())
}

#[test]
fn where_the_watches_run_out_on_the_way_a_rescan_finds_the_rest() -> Result<()> {
    let mut site = site(RESCAN)?;
    start_with_only(&mut site, "max_inotify_watches", 1)?;
    // The one watch is the inbox's; a folder in it has none.
    plan_runs(&site, "test", 1)?;
    plan_runs(&site, "test", 2)?;
    assert!(site.log().contains("is not watched wholly"), "{}", site.log());
    // There is none for the folders at all.
    site.kill();
    fs::create_dir_all(site.path("inbox/a/b"))?;
    fs::write(site.path("log"), "")?;
    start_with_only(&mut site, "max_inotify_watches", 1)?;
    plan_runs(&site, "a", 3)?;
    assert!(site.log().contains("cannot be watched"), "{}", site.log());
    assert_eq!(numbers(&site)?, [1, 2, 3]);
    Ok(())
}

#[test]
fn an_inbox_that_was_replaced_is_the_inbox_and_is_watched_again() -> Result<()> {
    let mut site = site(RESCAN)?;
    site.start()?;
    plan_runs(&site, "test", 1)?;
    fs::rename(site.path("inbox"), site.path("old"))?;
    until("it is missed", || Ok(site.log().contains("the inbox cannot be read")))?;
    fs::create_dir(site.path("inbox"))?;
    plan_runs(&site, "test", 2)?;
    // What is in the folder that was the inbox is nobody's business any more.
    site.write("old/test/p3.plan.json", one_task("3"))?;
    plan_runs(&site, "test", 4)?;
    assert!(site.path("old/test/p3.plan.json").is_file());
    assert_eq!(numbers(&site)?, [1, 2, 4]);
    Ok(())
}

/// How many files the daemon holds open.
fn open_files(site: &Site) -> Result<usize> {
    let process = site.pid().context("a daemon runs")?;
    Ok(fs::read_dir(format!("/proc/{process}/fd"))?.count())
}

#[test]
fn ten_thousand_files_at_once_are_taken_in_with_few_files_open() -> Result<()> {
    const PLANS: usize = 2_000;
    const SHEETS: usize = 4;
    let (_memory, mut site) = site_in_memory("settle = \"100ms\"\nrescan = \"1s\"")?;
    site.start()?;
    plan_runs(&site, "before", 1)?;
    let before = open_files(&site)?;
    // They are not run: what they cost to take in is what is looked at.
    let never =
        |text: String| text.replace("\"id\":", "\"earliestAllowedTime\":\"2999-01-01T00:00:00Z\",\"id\":");
    let mut most = 0;
    for plan in 0..PLANS {
        let specs: Vec<(String, String)> =
            (0..SHEETS).map(|sheet| (format!("s{sheet}"), format!("{plan}-{sheet}"))).collect();
        let specs: Vec<(&str, &str, &str)> = specs
            .iter()
            .map(|(id, sheet)| (id.as_str(), "instances/main/databases/db", sheet.as_str()))
            .collect();
        // Plans before, between and after their sheets.
        for sheet in 0..=SHEETS {
            if sheet == plan % (SHEETS + 1) {
                site.write(
                    &format!("inbox/swarm/{}/p{plan}.plan.json", plan % 50),
                    never(site::plan_of(&[&specs])),
                )?;
            }
            if sheet < SHEETS {
                site.write(
                    &format!("inbox/swarm/{}/{plan}-{sheet}.sql", plan % 50),
                    format!("-- {plan} {sheet}\n"),
                )?;
            }
        }
        if plan % 100 == 0 {
            most = most.max(open_files(&site)?);
        }
    }
    let begun = Instant::now();
    until("all are taken in", || {
        most = most.max(open_files(&site)?);
        std::thread::sleep(Duration::from_millis(100));
        Ok(files(&site, "inbox")?.is_empty())
    })?;
    println!(
        "10,000 files: {:?} after the last was dropped; {before} files open before, {most} at most",
        begun.elapsed()
    );
    assert_eq!(files(&site, "accepted")?.len(), PLANS * (SHEETS + 1) + 2);
    assert!(files(&site, "rejected")?.is_empty());
    let listed: serde_json::Value = serde_json::from_str(&site.say(&["status", "--json"])?.out)?;
    let plans = listed.as_array().or_else(|| listed["plans"].as_array()).context("a list")?;
    assert_eq!(plans.iter().filter(|plan| plan["status"] == "RUNNING").count(), PLANS);
    assert!(most < before + 40, "{before} files were open before, and {most} at most");
    Ok(())
}
