//! What the machine itself does to a daemon: no file descriptors, no memory, a state that becomes read-only under it, and clocks that
//! jump. None is swallowed, nothing runs twice, and with the cause gone it goes on. A full disk is tried in `state_folder.rs` and
//! `inbox_room.rs`.

mod site;

use anyhow::{Context, Result, ensure};
use site::{Engine, Site, plan_of, task, tasks, until};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A sheet whose every statement is a transaction of its own, and has no key: one that ran twice is seen.
fn rows(count: u32) -> Result<String> {
    let mut text = String::from("-- txn-mode = off\nCREATE TABLE IF NOT EXISTS t (id INTEGER);\n");
    for row in 0..count {
        writeln!(text, "INSERT INTO t VALUES ({row});")?;
    }
    Ok(text)
}

fn number(site: &Site, database: &str, sql: &str) -> Result<i64> {
    Engine::Sqlite.number(&site.path("databases"), database, sql)
}

/// Drops a plan with a task on each of these databases.
fn drop_plan(site: &Site, plan: &str, databases: &[&str], sheet: &str) -> Result<()> {
    let targets: Vec<String> =
        databases.iter().map(|database| format!("instances/main/databases/{database}")).collect();
    let specs: Vec<_> =
        databases.iter().zip(&targets).map(|(id, target)| (*id, target.as_str(), sheet)).collect();
    site.drop_file(&format!("test/{plan}.plan.json"), plan_of(&[&specs]))
}

/// Waits until the plan is done; what failed for the fault is retried, as an operator would with the cause gone.
fn bring_to_its_end(site: &Site, plan: &str) -> Result<()> {
    until(&format!("{plan} is done"), || {
        let Ok(state) = site.plan(plan) else { return Ok(false) };
        let settled =
            !tasks(&state).iter().any(|(_, status)| matches!(status.as_str(), "RUNNING" | "PENDING"));
        if settled && tasks(&state).iter().any(|(_, status)| status == "FAILED") {
            site.say(&["retry", plan])?;
        }
        Ok(state["status"] == "DONE")
    })
}

const DATABASES: [&str; 4] = ["a", "b", "c", "d"];

fn limit_files(site: &Site, soft: &str) -> Result<()> {
    let process = site.pid().context("a daemon runs")?.to_string();
    let status = Command::new("prlimit").args(["--pid", &process, &format!("--nofile={soft}:")]).status()?;
    ensure!(status.success(), "prlimit");
    Ok(())
}

#[test]
fn out_of_file_descriptors_it_says_so_and_goes_on_when_there_are_some() -> Result<()> {
    let mut site = Site::with_config("[inbox]\nsettle = \"20ms\"\nrescan = \"1s\"\n", "")?;
    let config = fs::read_to_string(site.path("config.toml"))?;
    site.write(
        "config.toml",
        format!("{config}{}", Engine::Sqlite.instance("main", &site.path("databases"))),
    )?;
    site.drop_file("fill.sql", rows(200)?)?;
    site.start()?;
    until("the daemon answers", || Ok(site.say(&["status"])?.err.is_empty()))?;
    // None is left over, then a few: each step of an intake and of a run is met by the lack.
    let plan_of_spare = |spare: usize| format!("spare-{spare}");
    let (mut ends, spares) = (0, [0, 1, 2, 3, 5, 8, 12]);
    for spare in spares {
        let process = site.pid().context("a daemon runs")?;
        let idle = fs::read_dir(format!("/proc/{process}/fd"))?.count();
        limit_files(&site, &(idle + spare).to_string())?;
        drop_plan(&site, &plan_of_spare(spare), &DATABASES, "fill")?;
        std::thread::sleep(Duration::from_millis(1_500));
        if is_alive(process) {
            limit_files(&site, "1024")?;
        } else {
            // It may end where it cannot record; then it says so.
            ends += 1;
            assert_eq!(site.wait_for_end()?, 74, "spare {spare}: {}", site.log());
            assert!(site.log().contains("so the daemon ends"), "spare {spare}: {}", site.log());
            site.start()?;
            until("the daemon answers", || Ok(site.say(&["status"])?.err.is_empty()))?;
        }
    }
    let said = ["Too many open files", "unable to open"];
    assert!(said.iter().any(|words| site.log().contains(words)), "{}", site.log());
    println!("the daemon ended {ends} times of {}", spares.len());
    for spare in spares {
        bring_to_its_end(&site, &plan_of_spare(spare))?;
    }
    for database in DATABASES {
        let count = i64::try_from(spares.len())?;
        assert_eq!(number(&site, database, "SELECT count(*) FROM t")?, count * 200, "{database}");
    }
    Ok(())
}

fn is_alive(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/status")).is_ok_and(|text| !text.contains("State:\tZ"))
}

#[test]
fn out_of_memory_it_dies_or_says_so_and_the_next_one_goes_on() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    site.drop_file("test/fill.sql", rows(300)?)?;
    // One statement that must be in memory as a whole.
    let large =
        format!("CREATE TABLE large (text TEXT);\nINSERT INTO large VALUES ('{}');\n", "x".repeat(24 << 20));
    site.drop_file("test/large.sql", large)?;
    let target = "instances/main/databases/a";
    let plan =
        plan_of(&[&[("fill", target, "fill")], &[("large", target, "large")], &[("again", target, "fill")]]);
    site.drop_file("test/x.plan.json", plan)?;
    // Arenas of the allocator count, though nothing is in them.
    site.start_by(&["env", "MALLOC_ARENA_MAX=1", "prlimit", "--as=110000000"], &["--until-idle"])?;
    let exit = site.wait_for_end()?;
    let log = site.log();
    println!("it ended with {exit}");
    let state = site.plan("x")?;
    assert_eq!(task(&state, "fill")["status"], "DONE", "{state:#}\n{log}");
    let large = task(&state, "large");
    // Killed by the allocator, or told by a task that FAILED; never taken for done.
    assert!(
        exit == -1 && large["status"] == "RUNNING" || exit == 0 && large["status"] == "FAILED",
        "{exit}: {large:#}\n{log}"
    );
    assert!(log.contains("memory") || large["runs"].to_string().contains("memory"), "{log}{large:#}");
    site.start()?;
    bring_to_its_end(&site, "x")?;
    let found =
        (number(&site, "a", "SELECT count(*) FROM t")?, number(&site, "a", "SELECT count(*) FROM large")?);
    assert_eq!(found, (600, 1));
    Ok(())
}

/// A file system of its own that the kernel makes read-only at its first error, files open for writing or not.
struct Disk {
    image: PathBuf,
    place: PathBuf,
}

impl Disk {
    /// Nothing where this machine lets nobody mount.
    fn mount(site: &Site, place: PathBuf) -> Result<Option<Self>> {
        let image = site.path("disk");
        fs::File::create(&image)?.set_len(32 << 20)?;
        fs::create_dir_all(&place)?;
        let done = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
        let made = done(Command::new("mkfs.ext4").arg("-q").arg(&image))
            && done(Command::new("mount").args(["-o", "loop,errors=remount-ro"]).arg(&image).arg(&place));
        Ok(made.then_some(Self { image, place }))
    }

    fn device(&self) -> Result<String> {
        let mounts = fs::read_to_string("/proc/mounts")?;
        let place = self.place.display().to_string();
        let line =
            mounts.lines().find(|line| line.split(' ').nth(1) == Some(&place)).context("it is mounted")?;
        Ok(line.split(' ').next().unwrap_or_default().trim_start_matches("/dev/").to_owned())
    }

    fn fail(&self) -> Result<()> {
        fs::write(format!("/sys/fs/ext4/{}/trigger_fs_error", self.device()?), "1")?;
        Ok(())
    }

    /// The disk again, whole and writable.
    fn repair(&self) -> Result<()> {
        self.unmount();
        Command::new("e2fsck").args(["-fy"]).arg(&self.image).output()?;
        let status = Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.place).status()?;
        ensure!(status.success(), "mount");
        Ok(())
    }

    fn unmount(&self) {
        let _ = Command::new("umount").arg(&self.place).output();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.unmount();
    }
}

#[test]
fn where_the_state_becomes_read_only_in_the_middle_nothing_more_is_started() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    let Some(disk) = Disk::mount(&site, site.path("state"))? else {
        println!("not tried: this machine lets nobody mount a file system");
        return Ok(());
    };
    if disk
        .device()
        .and_then(|device| Ok(fs::metadata(format!("/sys/fs/ext4/{device}/trigger_fs_error"))?))
        .is_err()
    {
        println!("not tried: this kernel makes no file system fail on demand");
        return Ok(());
    }
    site.drop_file("test/fill.sql", rows(1_000)?)?;
    drop_plan(&site, "x", &DATABASES, "fill")?;
    drop_plan(&site, "y", &DATABASES, "fill")?;
    site.start()?;
    until("it is in the middle", || {
        Ok(number(&site, "a", "SELECT count(*) FROM t").is_ok_and(|count| count > 100))
    })?;
    disk.fail()?;
    assert_eq!(site.wait_for_end()?, 74, "{}", site.log());
    assert!(site.log().contains("the state cannot be recorded, so the daemon ends"), "{}", site.log());
    let count = |database: &str| number(&site, database, "SELECT count(*) FROM t");
    let before: Vec<i64> = DATABASES.iter().map(|database| count(database)).collect::<Result<_>>()?;
    assert!(before.iter().sum::<i64>() < 8_000, "it was in the middle: {before:?}");
    disk.repair()?;
    site.start()?;
    for plan in ["x", "y"] {
        site.wait_for(plan, &["DONE"])?;
    }
    for database in DATABASES {
        assert_eq!(number(&site, database, "SELECT count(*) FROM t")?, 2_000, "{database}");
    }
    // The daemon lies on the disk.
    site.kill();
    Ok(())
}

/// The library that stands between a program and the clock, where it is installed.
fn clock_library() -> Option<PathBuf> {
    let output =
        Command::new("sh").args(["-c", "ls /usr/lib/*/faketime/libfaketimeMT.so.1"]).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?.lines().next().map(PathBuf::from);
    path.filter(|path| path.exists())
}

/// Sets the daemon's wall clock so far from the true one; the clock by which it measures how long something takes goes on as it is.
fn set_clock(site: &Site, offset: &str) -> Result<()> {
    let hidden = site.path(".offset");
    fs::write(&hidden, offset)?;
    Ok(fs::rename(hidden, site.path("offset"))?)
}

fn start_with_clock(site: &mut Site, library: &Path) -> Result<()> {
    let preload = format!("LD_PRELOAD={}", library.display());
    let file = format!("FAKETIME_TIMESTAMP_FILE={}", site.path("offset").display());
    let before =
        ["env", preload.as_str(), file.as_str(), "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"];
    site.start_by(&before, &[])
}

#[test]
fn where_the_clock_is_set_forward_and_back_nothing_runs_twice_and_no_time_is_negative() -> Result<()> {
    let Some(library) = clock_library() else {
        println!("not tried: libfaketime is not installed");
        return Ok(());
    };
    let mut site = Site::on(&Engine::Sqlite, "")?;
    site.drop_file("test/fill.sql", rows(20)?)?;
    set_clock(&site, "+0")?;
    start_with_clock(&mut site, &library)?;
    let in_two_hours = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(2);
    let timed = plan_of(&[&[
        ("late", "instances/main/databases/late", "fill"),
        ("held", "instances/main/databases/held", "fill"),
    ]]);
    let timed = timed.replacen(
        "\"id\":\"late\"",
        &format!("\"id\":\"late\",\"earliestAllowedTime\":\"{in_two_hours}\""),
        1,
    );
    let held = site.hold("held")?;
    site.drop_file("test/x.plan.json", timed)?;
    until("one waits and one runs", || {
        Ok(site.plan("x").is_ok_and(|plan| task(&plan, "held")["status"] == "RUNNING"))
    })?;
    assert_eq!(task(&site.plan("x")?, "late")["waiting"]["cause"], "TIME");
    // Back by two days in the middle of a run.
    set_clock(&site, "-2d")?;
    drop(held);
    until("it has ended", || Ok(task(&site.plan("x")?, "held")["status"] == "DONE"))?;
    assert_eq!(task(&site.plan("x")?, "late")["waiting"]["cause"], "TIME", "its time has not come");
    // Killed, and started where it is earlier than everything that is stored.
    site.kill();
    start_with_clock(&mut site, &library)?;
    drop_plan(&site, "y", &["other"], "fill")?;
    site.wait_for("y", &["DONE"])?;
    // Forward by a day: its time has come, once.
    set_clock(&site, "+1d")?;
    site.wait_for("x", &["DONE"])?;
    set_clock(&site, "-30d")?;
    drop_plan(&site, "z", &["other"], "fill")?;
    site.wait_for("z", &["DONE"])?;
    for (database, count) in [("late", 20), ("held", 20), ("other", 40)] {
        assert_eq!(number(&site, database, "SELECT count(*) FROM t")?, count, "{database}");
    }
    for plan in ["x", "y", "z"] {
        let plan = site.plan(plan)?;
        let time =
            |value: &serde_json::Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let in_order = |thing: &serde_json::Value| time(&thing["startTime"]) <= time(&thing["endTime"]);
        assert!(in_order(&plan), "{plan:#}");
        for (spec, _) in tasks(&plan) {
            let runs = task(&plan, &spec)["runs"].clone();
            assert_eq!(runs.as_array().map(Vec::len), Some(1), "{spec} was started once: {plan:#}");
            assert!(in_order(&runs[0]), "{spec}: {plan:#}");
        }
    }
    for said in [site.say(&["status"])?, site.say(&["status", "x"])?, site.say(&["log", "x"])?] {
        assert_eq!(said.code, 0, "{said:?}");
        assert!(!said.out.contains(" -"), "a negative time: {}", said.out);
    }
    Ok(())
}
