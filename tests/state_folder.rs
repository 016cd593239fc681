//! The state folder: whose it is, what is refused without being touched, and a disk that is full.

mod site;

use anyhow::{Context, Result};
use site::{Engine, Said, Site, plan_of, program, task, until};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

const NORTH: &str = "instances/main/databases/north";

/// A site in whose state there is one plan that is done.
fn used() -> Result<Site> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    let mut sheet = String::from("CREATE TABLE t (id INTEGER);\n");
    (0..500).for_each(|row| sheet.push_str(&format!("INSERT INTO t VALUES ({row});\n")));
    site.drop_file("shop/make.sql", &sheet)?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "make")]]))?;
    site.start_with(&["--until-idle"])?;
    assert_eq!(site.wait_for_end()?, 0);
    Ok(site)
}

/// Every file below a folder with its bytes; the lock is the daemon's own to write.
fn bytes(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            for (inner, bytes) in bytes(&entry.path())? {
                all.insert(format!("{name}/{inner}"), bytes);
            }
        } else if name != "lock" {
            all.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(all)
}

/// A start, and a reader, are refused with these words, and nothing in the folder is another than before.
fn assert_refused(site: &mut Site, what: &str, words: &[&str]) -> Result<()> {
    let before = bytes(&site.path("state"))?;
    fs::write(site.path("log"), "")?;
    site.start()?;
    assert_eq!(site.wait_for_end()?, 65, "{what}: {}", site.log());
    let said = site.say(&["status"])?;
    assert_eq!(said.code, 65, "{what}: {said:?}");
    for word in words {
        assert!(site.log().contains(word), "{what}: {word:?} is not in {}", site.log());
        assert!(said.err.contains(word), "{what}: {word:?} is not in {}", said.err);
    }
    assert!(!said.err.contains("no daemon answers"), "{what}: what is wrong is the state: {said:?}");
    assert!(bytes(&site.path("state"))? == before, "{what}: the state was changed");
    Ok(())
}

fn execute(file: &Path, sql: &str) -> Result<()> {
    let status = Command::new("sqlite3").arg(file).arg(sql).status()?;
    anyhow::ensure!(status.success(), "{sql}");
    Ok(())
}

#[test]
fn a_newer_state_is_refused_and_left_as_it_is() -> Result<()> {
    let mut site = used()?;
    execute(&site.path("state/runsheet.db"), "PRAGMA user_version = 4711")?;
    assert_refused(
        &mut site,
        "newer",
        &["was written by a newer Runsheet", "4711", "nothing was changed", "Install the newer"],
    )
}

#[test]
fn another_programs_database_is_refused_and_left_as_it_is() -> Result<()> {
    let mut site = used()?;
    fs::remove_file(site.path("state/runsheet.db"))?;
    execute(&site.path("state/runsheet.db"), "PRAGMA application_id = 7; CREATE TABLE mine (id INTEGER)")?;
    assert_refused(&mut site, "foreign", &["not one of Runsheet's", "nothing was changed"])
}

#[test]
fn a_damaged_state_is_said_to_be_so_and_left_as_it_is() -> Result<()> {
    // Its beginning, its middle, and its end.
    for damage in ["beginning", "pages", "cut off", "garbage"] {
        let mut site = used()?;
        let file = site.path("state/runsheet.db");
        let database = fs::File::options().read(true).write(true).open(&file)?;
        let size = database.metadata()?.len();
        match damage {
            "beginning" => database.write_all_at(b"what is this?   ", 0)?,
            "pages" => {
                for page in 2..size / 4096 {
                    database.write_all_at(&[0xA5; 200], page * 4096)?;
                }
            }
            "cut off" => database.set_len(size / 2 + 100)?,
            _ => fs::write(&file, [7; 8192])?,
        }
        if damage == "pages" || damage == "cut off" {
            // A reader looks only at what it needs; the daemon looks at everything.
            let before = bytes(&site.path("state"))?;
            fs::write(site.path("log"), "")?;
            site.start()?;
            assert_eq!(site.wait_for_end()?, 65, "{damage}: {}", site.log());
            for words in ["runsheet.db is damaged", "nothing was changed", "runsheet recover"] {
                assert!(site.log().contains(words), "{damage}: {words:?} is not in {}", site.log());
            }
            assert!(bytes(&site.path("state"))? == before, "{damage}: the state was changed");
        } else {
            assert_refused(
                &mut site,
                damage,
                &["runsheet.db is damaged", "nothing was changed", "runsheet recover"],
            )?;
        }
    }
    Ok(())
}

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    site.start()?;
    until("the daemon answers", || Ok(site.say(&["status"])?.err.is_empty()))?;
    let first = format!("process {} on ", site.pid().context("the daemon")?);
    let second = site.say(&["daemon"])?;
    assert_eq!(second.code, 75, "{second:?}");
    for words in ["in use by another Runsheet daemon", &first, "state"] {
        assert!(second.err.contains(words), "{words:?} is not in {}", second.err);
    }
    // One with a state of its own must not take the socket from the first.
    let output = Command::new(program())
        .arg("--config")
        .arg(site.path("config.toml"))
        .arg("daemon")
        .env("RUNSHEET_FOLDERS_STATE", site.path("state-of-its-own"))
        .env("RUNSHEET_FOLDERS_INBOX", site.path("inbox-of-its-own"))
        .stdin(Stdio::null())
        .output()?;
    let third = Said::of(output);
    assert_eq!(third.code, 1, "{third:?}");
    assert!(third.err.contains("another daemon, with another state folder, answers on it"), "{third:?}");

    site.drop_file("shop/make.sql", "CREATE TABLE t (id INTEGER);")?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "make")]]))?;
    site.wait_for("x", &["DONE"])?;
    // A socket that a dead daemon left is in nobody's way.
    site.kill();
    assert!(site.path("socket").exists());
    site.start()?;
    until("the next one answers", || Ok(site.say(&["status"])?.err.is_empty()))?;
    Ok(())
}

/// A command that looks whether a daemon runs holds the lock itself for a moment.
#[test]
fn a_daemon_that_starts_while_somebody_looks_is_not_refused() -> Result<()> {
    let mut site = used()?;
    let lock = fs::File::open(site.path("state/lock"))?;
    lock.try_lock_shared()?;
    site.start_with(&["--until-idle"])?;
    std::thread::sleep(std::time::Duration::from_millis(200));
    drop(lock);
    assert_eq!(site.wait_for_end()?, 0, "{}", site.log());
    Ok(())
}

#[test]
fn the_state_is_the_daemons_alone_and_the_socket_its_groups() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    // A root that is not there yet, as after an installation by hand.
    let config = fs::read_to_string(site.path("config.toml"))?.replace("root = \".\"", "root = \"new/root\"");
    site.write("config.toml", &config)?;
    let mode =
        |below: &str| Ok::<u32, anyhow::Error>(fs::symlink_metadata(site.path(below))?.mode() & 0o7777);
    let mut site_daemon = site_started(&site)?;
    until("the daemon answers", || Ok(site.say(&["status"])?.err.is_empty()))?;
    assert_eq!(
        (mode("new/root/state")?, mode("new/root/state/sheets")?, mode("socket")?),
        (0o700, 0o700, 0o660)
    );
    assert_eq!(mode("new/root")? & 0o055, 0o055, "others drop their plans below it");
    site_daemon.kill()?;
    site_daemon.wait()?;
    // A folder that others may read is closed to them.
    fs::set_permissions(site.path("new/root/state"), fs::Permissions::from_mode(0o755))?;
    site.start()?;
    until("the daemon answers", || Ok(site.say(&["status"])?.err.is_empty()))?;
    assert_eq!(fs::metadata(site.path("new/root/state"))?.mode() & 0o777, 0o700);
    Ok(())
}

/// A daemon under the usual umask, whatever this process has.
fn site_started(site: &Site) -> Result<std::process::Child> {
    let script = format!(
        "umask 022; exec {} --config {} daemon",
        program().display(),
        site.path("config.toml").display()
    );
    Ok(Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

#[test]
fn a_full_disk_ends_the_daemon_and_with_room_everything_runs_exactly_once() -> Result<()> {
    let site = Site::on(&Engine::Sqlite, "")?;
    let plans: u32 = 6;
    let databases: u32 = 5;
    for plan in 0..plans {
        let specs: Vec<(String, String)> = (0..databases)
            .map(|number| (format!("task-{number}"), format!("instances/main/databases/d{number}")))
            .collect();
        let specs: Vec<_> = specs.iter().map(|(id, target)| (id.as_str(), target.as_str(), "fill")).collect();
        site.drop_file(&format!("shop/p{plan}.plan.json"), plan_of(&[&specs]))?;
    }
    // No key, so that a row that came twice is seen; and enough statements to fill a log.
    let mut sheet = String::from("CREATE TABLE IF NOT EXISTS t (id INTEGER);\n");
    let rows: u32 = 400;
    (0..rows).for_each(|row| sheet.push_str(&format!("INSERT INTO t VALUES ({row});\n")));
    site.drop_file("shop/fill.sql", &sheet)?;
    // The state on a disk of its own, in a namespace of its own; its content is copied out before that ends.
    fs::create_dir(site.path("state"))?;
    let script = format!(
        "cd {site}; daemon() {{ {program} --config config.toml daemon --until-idle 2>>log; echo $? >>exits; }}
         mount -t tmpfs -o size=700k,mode=0700 tmpfs state || exit 99
         daemon; df --output=avail state | tail -1 >>exits
         cp -a state full; mount -o remount,size=64m state
         daemon; cp -a state copy",
        site = site.path("").display(),
        program = program().display(),
    );
    let mut namespace = Command::new("unshare");
    let done = namespace.args(["-U", "-r", "-m", "sh", "-c", &script]).stdin(Stdio::null()).status()?;
    let exits = fs::read_to_string(site.path("exits")).unwrap_or_default();
    assert!(done.success(), "{done}: {exits}{}", site.log());
    let exits: Vec<&str> = exits.split_whitespace().collect();
    assert_eq!((exits[0], exits[2]), ("74", "0"), "{exits:?}: {}", site.log());
    assert!(site.log().contains("the state cannot be recorded, so the daemon ends"), "{}", site.log());
    assert!(site.log().contains("disk is full"), "{}", site.log());

    let config = fs::read_to_string(site.path("config.toml"))?;
    let state_of =
        |folder: &str| config.replace("root = \".\"", &format!("root = \".\"\nstate = \"{folder}\""));
    site.write("config.toml", state_of("full"))?;
    let before: Vec<String> = (0..plans)
        .filter_map(|plan| site.plan(&format!("p{plan}")).ok())
        .map(|plan| plan["status"].to_string())
        .collect();
    assert!(
        before.iter().any(|status| status != "\"DONE\"") || before.len() < plans as usize,
        "the disk was full before the end: {before:?}"
    );
    site.write("config.toml", state_of("copy"))?;
    for plan in 0..plans {
        let plan = site.plan(&format!("p{plan}"))?;
        assert_eq!(plan["status"], "DONE", "{plan:#}");
    }
    for number in 0..databases {
        let count = Engine::Sqlite.number(
            &site.path("databases"),
            &format!("d{number}"),
            "SELECT count(*) FROM t",
        )?;
        assert_eq!(count, i64::from(rows * plans), "d{number}");
    }
    Ok(())
}

#[test]
fn without_a_ledger_the_target_gets_no_table_and_the_state_alone_knows() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    let config = fs::read_to_string(site.path("config.toml"))?;
    site.write("config.toml", format!("{config}ledger = \"none\"\n"))?;
    let sheet = "-- txn-mode = off\nCREATE TABLE t (id INTEGER);\nINSERT INTO t VALUES (1);\nINSERT INTO later VALUES (1);\n";
    site.drop_file("shop/steps.sql", sheet)?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "steps")]]))?;
    site.start()?;
    site.wait_for("x", &["FAILED"])?;
    Engine::Sqlite.query(&site.path("databases"), "north", "CREATE TABLE later (id INTEGER)")?;
    // What took effect is known across a restart, and not run again.
    site.kill();
    site.start()?;
    until("the daemon takes the word", || Ok(site.say(&["retry", "x"])?.code == 0))?;
    let plan = site.wait_for("x", &["DONE", "FAILED"])?;
    assert_eq!(task(&plan, "one")["runs"][1]["statementsDone"], 3, "{plan:#}");
    let number = |sql: &str| Engine::Sqlite.number(&site.path("databases"), "north", sql);
    assert_eq!((number("SELECT count(*) FROM t")?, number("SELECT count(*) FROM later")?), (1, 1));
    assert_eq!(number("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'runsheet%'")?, 0);
    assert!(site.say(&["log", "x"])?.out.contains("it is recorded here as applied"));
    Ok(())
}
