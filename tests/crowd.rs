//! A crowd: a hundred plans of twenty tasks over fifty SQLite databases, all dropped at one moment. They all end DONE, each database
//! holds exactly what it should, and the daemon stays small and gives back what it took.

mod site;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use site::{Engine, Site};
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

/// The crowd, and a smaller one after it, which finds everything in use.
const PLANS: [usize; 2] = [100, 20];
const TASKS: usize = 20;
const DATABASES: usize = 50;
/// The most memory that the daemon may ever have had.
const MEMORY_MAX_KIB: u64 = 100 * 1024;
/// The most that it may have while it has nothing to do.
const IDLE_MEMORY_MAX_KIB: u64 = 30 * 1024;
/// Threads that are kept for the next task are no more than tasks may run at once.
const RUNNING_MAX: usize = 16;
const WAIT_MAX: Duration = Duration::from_secs(150);

/// What the system says of the daemon.
#[derive(Debug)]
struct Footprint {
    memory_kib: u64,
    peak_kib: u64,
    threads: usize,
    descriptors: Vec<String>,
}

fn footprint(site: &Site) -> Result<Footprint> {
    let process = format!("/proc/{}", site.pid().context("a daemon runs")?);
    let status = fs::read_to_string(format!("{process}/status"))?;
    let number = |name: &str| -> Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("a line of status")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    };
    let open = fs::read_dir(format!("{process}/fd"))?.filter_map(Result::ok);
    // One that is closed while this looks is gone.
    let mut descriptors: Vec<String> =
        open.filter_map(|entry| Some(fs::read_link(entry.path()).ok()?.display().to_string())).collect();
    descriptors.sort();
    Ok(Footprint {
        memory_kib: number("VmRSS:")?,
        peak_kib: number("VmHWM:")?,
        threads: usize::try_from(number("Threads:")?)?,
        descriptors,
    })
}

/// Waits until the daemon has given back what it took for the databases, and all but the threads that it keeps for the next tasks.
fn wait_until_given_back(site: &Site, before: &Footprint) -> Result<Footprint> {
    let databases = site.path("databases").display().to_string();
    let begun = Instant::now();
    loop {
        // A reload closes connections that wait for a next task, which otherwise happens after a minute.
        site.signal("HUP")?;
        let now = footprint(site)?;
        let fits = now.threads <= before.threads + RUNNING_MAX
            // SQLite keeps a descriptor for each connection to the state that was open at one moment, and uses it again.
            && now.descriptors.len() <= before.descriptors.len() + 2 * RUNNING_MAX
            && !now.descriptors.iter().any(|open| open.starts_with(&databases));
        if fits {
            return Ok(now);
        }
        ensure!(begun.elapsed() < Duration::from_secs(30), "left over: {now:#?}, before: {before:#?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn database(plan: usize, task: usize) -> usize {
    (plan * 7 + task * 3) % DATABASES
}

/// A round's folder, made beside the inbox. What each database should hold in the end is added to `expected`.
fn write_round(site: &Site, round: usize, expected: &mut BTreeMap<usize, Vec<String>>) -> Result<()> {
    for plan in 0..PLANS[round] {
        let folder = format!("prepared/test/round-{round}/plan-{plan}");
        let mut steps = [Vec::new(), Vec::new()];
        for task in 0..TASKS {
            let database = database(plan, task);
            let row = format!("{round}/{plan}/{task}");
            let sheet = format!("{round}-{plan}-{task}");
            site.write(
                &format!("{folder}/{sheet}.sql"),
                format!("CREATE TABLE IF NOT EXISTS done (task TEXT);\nINSERT INTO done VALUES ('{row}');\n"),
            )?;
            expected.entry(database).or_default().push(row);
            steps[task % 2].push(json!({ "id": format!("task-{task}"), "changeDatabaseConfig": {
                "target": format!("instances/main/databases/db{database}"),
                "sheet": format!("projects/test/sheets/{sheet}"), "type": "DATA" } }));
        }
        let steps = steps.map(|specs| json!({ "specs": specs }));
        let name = format!("projects/test/plans/round-{round}-plan-{plan}");
        site.write(&format!("{folder}/it.plan.json"), json!({ "name": name, "steps": steps }).to_string())?;
    }
    Ok(())
}

/// Waits until so many plans are DONE; any other end is an error.
fn wait_for_plans(site: &Site, plans: usize) -> Result<()> {
    let begun = Instant::now();
    loop {
        let output = site.run(&["status", "--json", "--all"])?;
        let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let listed = listed.as_array().cloned().unwrap_or_default();
        let done = listed.iter().filter(|plan| plan["status"] == "DONE").count();
        let ended_otherwise = listed.iter().find(|plan| {
            !["DONE", "RUNNING", "WAITING_FOR_SHEETS"].iter().any(|status| plan["status"] == *status)
        });
        ensure!(ended_otherwise.is_none(), "{ended_otherwise:#?}\n{}", site.log());
        if done == plans {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < WAIT_MAX,
            "{done} of {plans} are DONE, {} are known: {}",
            listed.len(),
            site.log()
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_hundred_plans_at_once_all_end_done_in_little_memory_and_leave_nothing_behind() -> Result<()> {
    let mut site = Site::new("")?;
    let databases = site.path("databases");
    let config = fs::read_to_string(site.path("config.toml"))?;
    let instance = Engine::Sqlite.instance("main", &databases);
    // A connection for each database, all of them kept: the most that this crowd can take.
    site.write("config.toml", format!("{config}{instance}max_connections = {DATABASES}\n"))?;
    site.start()?;
    let begun = Instant::now();
    // Ready, and listening to its inbox.
    let listens = |now: &Footprint| now.descriptors.iter().any(|open| open.contains("inotify"));
    let mut idle = footprint(&site)?;
    while !listens(&idle) {
        ensure!(begun.elapsed() < WAIT_MAX, "the daemon does not listen: {}", site.log());
        std::thread::sleep(Duration::from_millis(20));
        idle = footprint(&site)?;
    }
    let mut expected = BTreeMap::new();
    let mut peaks = Vec::new();
    for (round, plans) in PLANS.into_iter().enumerate() {
        write_round(&site, round, &mut expected)?;
        let begun = Instant::now();
        let prepared = site.path("prepared/test").join(format!("round-{round}"));
        fs::rename(prepared, site.path("inbox").join(format!("round-{round}")))?;
        wait_for_plans(&site, PLANS[..=round].iter().sum())?;
        println!("round {round}: {plans} plans of {TASKS} tasks in {:.1?}", begun.elapsed());
        peaks.push(footprint(&site)?.peak_kib);
    }
    for (database, mut rows) in expected {
        let held = Engine::Sqlite.query(&databases, &format!("db{database}"), "SELECT task FROM done")?;
        let mut held = held.concat();
        held.sort();
        rows.sort();
        assert_eq!(held, rows, "database {database}");
    }
    let after = wait_until_given_back(&site, &idle)?;
    println!(
        "memory: {} KiB idle, at most {peaks:?} KiB after each round, {} KiB in the end; threads: {} and {}; descriptors: {} and {}",
        idle.memory_kib,
        after.memory_kib,
        idle.threads,
        after.threads,
        idle.descriptors.len(),
        after.descriptors.len()
    );
    assert!(after.peak_kib < MEMORY_MAX_KIB, "{} KiB", after.peak_kib);
    assert!(idle.memory_kib < IDLE_MEMORY_MAX_KIB, "{} KiB", idle.memory_kib);
    Ok(())
}
