//! What may not be taken in is refused with why, or left alone; nothing is followed out of the inbox, and nothing that it holds
//! stops the daemon or the files beside it.

mod inbox_site;
mod site;

use anyhow::{Context, Result};
use inbox_site::{command, files, names, number_sheet, numbers, one_task, site};
use rustix::fs::{CWD, RenameFlags};
use site::{Site, until};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::time::Duration;

const ENDS: &[&str] = &["DONE", "FAILED", "BLOCKED"];
const QUICK: &str = "settle = \"50ms\"\nrescan = \"1s\"";

/// Drops a sound plan with its sheet, and waits until it has run: whatever lay in the inbox before was looked at then.
fn sound_plan_runs(site: &Site, number: u32) -> Result<()> {
    site.drop_file(&format!("sound/{number}.sql"), number_sheet(number))?;
    site.drop_file(&format!("sound/p{number}.plan.json"), one_task(&number.to_string()))?;
    let plan = site.wait_for(&format!("projects/sound/plans/p{number}"), ENDS)?;
    assert_eq!(plan["status"], "DONE", "{plan:#}\n{}", site.log());
    Ok(())
}

/// Why a file was refused, once it was.
fn refusal(site: &Site, place: &str) -> Result<String> {
    let told = site.path(&format!("rejected/{place}.error.txt"));
    until(&format!("{place} is refused"), || {
        Ok(site.path(&format!("rejected/{place}")).symlink_metadata().is_ok() && told.is_file())
    })?;
    Ok(fs::read_to_string(told)?)
}

#[test]
fn links_pipes_and_sockets_are_refused_and_never_followed() -> Result<()> {
    let mut site = site(QUICK)?;
    site.write("secret/7.sql", "CREATE TABLE stolen (n INTEGER);")?;
    site.write("secret/x.plan.json", one_task("7"))?;
    fs::create_dir_all(site.path("inbox/test"))?;
    symlink(site.path("secret/7.sql"), site.path("inbox/test/7.sql"))?;
    symlink(site.path("secret/x.plan.json"), site.path("inbox/test/link.plan.json"))?;
    symlink(site.path("nowhere"), site.path("inbox/test/dangling.sql"))?;
    symlink(site.path("secret"), site.path("inbox/folder"))?;
    command("mkfifo", &[&site.path("inbox/test/pipe.plan.json"), &site.path("inbox/test/pipe.sql")])?;
    let _socket = UnixListener::bind(site.path("inbox/test/socket.sql"))?;
    symlink("/dev/zero", site.path("inbox/test/zero.sheet.json"))?;
    // A real plan asks for what is a link.
    site.drop_file("test/asks.plan.json", one_task("7"))?;
    site.start()?;
    for (place, what) in [
        ("test/7.sql", "a symbolic link"),
        ("test/link.plan.json", "a symbolic link"),
        ("test/dangling.sql", "a symbolic link"),
        ("test/zero.sheet.json", "a symbolic link"),
        ("test/pipe.plan.json", "a pipe"),
        ("test/pipe.sql", "a pipe"),
        ("test/socket.sql", "a socket"),
    ] {
        let told = refusal(&site, place)?;
        assert_eq!(
            told.trim_end(),
            format!("{place}: it is {what}; only plain files are taken in\nDrop the file itself.")
        );
    }
    sound_plan_runs(&site, 1)?;
    assert_eq!(site.plan("asks")?["status"], "WAITING_FOR_SHEETS");
    assert_eq!(files(&site, "inbox")?, names(&["folder"]), "a link to a folder is left alone");
    assert_eq!(fs::read_to_string(site.path("secret/7.sql"))?, "CREATE TABLE stolen (n INTEGER);");
    Ok(())
}

#[test]
fn a_folder_that_is_swapped_for_a_link_gives_nothing_away() -> Result<()> {
    const PLANS: u32 = 40;
    let mut site = site("settle = \"0s\"\nrescan = \"1s\"")?;
    // The same names outside, which a path through the link would mean.
    for number in 0..PLANS {
        site.write(&format!("outside/{number}.sql"), "CREATE TABLE stolen (n INTEGER);")?;
        site.write(&format!("outside/p{number}.plan.json"), "[\"stolen\"]")?;
        site.write(&format!("real/{number}.sql"), number_sheet(number))?;
        site.write(&format!("real/p{number}.plan.json"), one_task(&number.to_string()))?;
    }
    let (place, real, link) = (site.path("inbox/folder"), site.path("real"), site.path("link"));
    symlink(site.path("outside"), &link)?;
    fs::rename(&real, &place)?;
    site.start()?;
    let exchange = || {
        rustix::fs::renameat_with(CWD, &place, CWD, &link, RenameFlags::EXCHANGE)
            .map_err(std::io::Error::from)
    };
    until("all are taken in", || {
        for _ in 0..50 {
            exchange()?;
            std::thread::sleep(Duration::from_micros(300));
        }
        let really = if place.symlink_metadata()?.is_dir() { &place } else { &link };
        Ok(fs::read_dir(really)?.count() == 0)
    })?;
    assert_eq!(files(&site, "outside")?.len(), 2 * PLANS as usize, "{}", site.log());
    assert!(files(&site, "rejected")?.is_empty(), "{}", site.log());
    assert_eq!(files(&site, "accepted")?.len(), 2 * PLANS as usize);
    until("all have run", || Ok(numbers(&site).is_ok_and(|numbers| numbers.len() == PLANS as usize)))?;
    Ok(())
}

#[test]
fn a_link_to_a_folder_is_not_watched_either() -> Result<()> {
    let mut site = site(QUICK)?;
    fs::create_dir_all(site.path("elsewhere/a/b/c"))?;
    symlink(site.path("elsewhere"), site.path("inbox/link"))?;
    symlink(site.path("inbox"), site.path("inbox/circle"))?;
    site.start()?;
    sound_plan_runs(&site, 1)?;
    let process = site.pid().context("a daemon runs")?;
    let mut watches = 0;
    for entry in fs::read_dir(format!("/proc/{process}/fdinfo"))? {
        // One that was just closed has nothing to tell.
        let text = fs::read_to_string(entry?.path()).unwrap_or_default();
        watches += text.lines().filter(|line| line.starts_with("inotify wd:")).count();
    }
    assert_eq!(watches, 2, "the inbox and its folder `sound`");
    Ok(())
}

#[test]
fn names_that_lead_out_of_the_inbox_are_refused() -> Result<()> {
    let mut site = site(QUICK)?;
    site.write("secret.sql", "CREATE TABLE stolen (n INTEGER);")?;
    site.start()?;
    for (name, sheet) in [
        ("up", "../../secret"),
        ("dots", "projects/test/sheets/.."),
        ("project", "projects/../sheets/secret"),
        ("absolute", "/etc/passwd"),
    ] {
        let plan = one_task("7").replace("projects/test/sheets/7", sheet);
        site.drop_file(&format!("test/{name}.plan.json"), plan)?;
        let told = refusal(&site, &format!("test/{name}.plan.json"))?;
        assert!(told.contains("a sheet's name must be `projects/{project}/sheets/{sheet}`"), "{told}");
    }
    let named = one_task("7").replacen('{', r#"{"name": "projects/x/plans/../../../../tmp","#, 1);
    site.drop_file("test/name.plan.json", named)?;
    assert!(refusal(&site, "test/name.plan.json")?.contains("a plan's name must be"));
    // From its place: the folder is no project's name.
    site.drop_file("a b/x.plan.json", one_task("7"))?;
    assert!(refusal(&site, "a b/x.plan.json")?.contains("its file's place gives it none"));
    Ok(())
}

#[test]
fn a_name_that_is_not_utf_8_is_left_alone_and_spoken_of_once() -> Result<()> {
    let mut site = site(QUICK)?;
    let name = std::ffi::OsStr::from_bytes(b"gr\xFCn.plan.json");
    fs::write(site.path("inbox").join(name), one_task("7"))?;
    let folder = site.path("inbox").join(std::ffi::OsStr::from_bytes(b"gr\xFCn"));
    fs::create_dir(&folder)?;
    fs::write(folder.join("x.plan.json"), one_task("7"))?;
    site.start()?;
    sound_plan_runs(&site, 1)?;
    sound_plan_runs(&site, 2)?;
    assert!(site.path("inbox").join(name).is_file() && folder.join("x.plan.json").is_file());
    assert_eq!(site.log().matches("its name is not UTF-8; it is left alone").count(), 2, "{}", site.log());
    Ok(())
}

#[test]
fn a_file_that_cannot_be_read_waits_until_it_can() -> Result<()> {
    let mut site = site(QUICK)?;
    for name in ["test/x.plan.json", "test/7.sql"] {
        let text = if name.ends_with("sql") { number_sheet(7) } else { one_task("7") };
        site.drop_file(name, text)?;
        fs::set_permissions(site.path("inbox").join(name), fs::Permissions::from_mode(0o000))?;
    }
    // Root reads everything, unless these rights are taken from it.
    let without = "-dac_override,-dac_read_search";
    let before = ["setpriv", "--bounding-set", without, "--inh-caps", without];
    site.start_by(if rustix::process::getuid().is_root() { &before } else { &[] }, &[])?;
    until("the plan is spoken of", || {
        Ok(site.log().contains("test/x.plan.json: it cannot be read: Permission denied"))
    })?;
    sound_plan_runs(&site, 1)?;
    fs::set_permissions(site.path("inbox/test/x.plan.json"), fs::Permissions::from_mode(0o600))?;
    site.wait_for("x", &["WAITING_FOR_SHEETS"])?;
    until("the sheet is spoken of", || {
        Ok(site.log().contains("test/7.sql: it cannot be read: Permission denied"))
    })?;
    // Some looks later it is still said once.
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(site.log().matches("it cannot be read").count(), 2, "{}", site.log());
    fs::set_permissions(site.path("inbox/test/7.sql"), fs::Permissions::from_mode(0o600))?;
    assert_eq!(site.wait_for("x", ENDS)?["status"], "DONE");
    assert_eq!(numbers(&site)?, [1, 7]);
    assert!(files(&site, "inbox")?.is_empty() && files(&site, "rejected")?.is_empty());
    Ok(())
}

#[test]
fn a_file_that_cannot_be_read_does_not_keep_until_idle_from_ending() -> Result<()> {
    let mut site = site("settle = \"50ms\"\nrescan = \"30s\"")?;
    site.drop_file("test/x.plan.json", one_task("7"))?;
    fs::set_permissions(site.path("inbox/test/x.plan.json"), fs::Permissions::from_mode(0o000))?;
    let without = "-dac_override,-dac_read_search";
    let before = ["setpriv", "--bounding-set", without, "--inh-caps", without];
    site.start_by(if rustix::process::getuid().is_root() { &before } else { &[] }, &["--until-idle"])?;
    assert_eq!(site.wait_for_end()?, 0);
    assert!(site.path("inbox/test/x.plan.json").is_file());
    Ok(())
}

#[test]
fn files_that_are_deleted_or_replaced_while_they_are_taken_in_do_no_harm() -> Result<()> {
    let mut site = site("settle = \"1ms\"\nrescan = \"1s\"")?;
    site.start()?;
    let sheet = format!("-- {}\n{}", "x".repeat(4 << 20), number_sheet(7));
    for round in 0..60 {
        let (plan, sql) = (format!("round/r{round}.plan.json"), format!("round/r{round}.sql"));
        site.drop_file(&sql, &sheet)?;
        site.drop_file(&plan, one_task(&format!("r{round}")))?;
        // At all moments from before it is seen to after it is gone.
        std::thread::sleep(Duration::from_millis(round % 30));
        // Either may be gone already.
        let _ = fs::remove_file(site.path("inbox").join(&sql));
        if round % 3 == 0 {
            let _ = fs::remove_file(site.path("inbox").join(&plan));
        } else if round % 3 == 1 {
            site.drop_file(&plan, one_task("other"))?;
        }
    }
    // Whatever was known by then runs or waits; whatever was half seen is forgotten.
    sound_plan_runs(&site, 8)?;
    until("the inbox is empty", || Ok(files(&site, "inbox")?.is_empty()))?;
    let plans = site.say(&["status", "--json"])?;
    let plans: serde_json::Value = serde_json::from_str(&plans.out)?;
    let listed = plans.as_array().or_else(|| plans["plans"].as_array()).context("a list of plans")?.clone();
    assert!(listed.len() > 1, "{listed:?}");
    for plan in listed {
        let status = plan["status"].as_str().unwrap_or_default().to_owned();
        assert!(
            ["RUNNING", "DONE", "WAITING_FOR_SHEETS"].contains(&status.as_str()),
            "{plan}\n{}",
            site.log()
        );
    }
    assert!(!site.log().contains("ERROR"), "{}", site.log());
    Ok(())
}

#[test]
fn files_that_are_still_being_written_by_their_names_are_never_touched() -> Result<()> {
    let mut site = site(QUICK)?;
    let hidden = [
        "test/.x.plan.json",
        "test/x.plan.json.tmp",
        "test/x.plan.json.part",
        "test/x.plan.json~",
        "test/.x.plan.json.swp",
        "test/y.sql.swp",
        "test/z.sql.filepart",
        ".hidden/x.plan.json",
        "old~/x.plan.json",
        "new.tmp/x.plan.json",
        "test/README.md",
        "test/data.json",
    ];
    for name in hidden {
        site.write(&format!("inbox/{name}"), "no plan")?;
    }
    site.start()?;
    sound_plan_runs(&site, 1)?;
    assert_eq!(files(&site, "inbox")?, names(&hidden));
    assert!(files(&site, "rejected")?.is_empty());
    Ok(())
}

#[test]
fn files_that_are_too_large_are_refused_with_the_limit() -> Result<()> {
    let mut site = site("settle = \"50ms\"\nmax_plan_bytes = \"10 KiB\"\nmax_sheet_bytes = \"1 KiB\"")?;
    site.start()?;
    let big = format!("{}{}", " ".repeat(11 << 10), one_task("7"));
    site.drop_file("test/big.plan.json", &big)?;
    let told =
        format!("it has {} bytes, and `inbox.max_plan_bytes` allows 10240\nRaise the limit", big.len());
    assert!(refusal(&site, "test/big.plan.json")?.contains(&told));
    site.drop_file("test/x.plan.json", one_task("7"))?;
    site.drop_file("test/7.sql", format!("{}{}", number_sheet(7), " ".repeat(2000)))?;
    assert!(refusal(&site, "test/7.sql")?.contains("`inbox.max_sheet_bytes` allows 1024\nRaise the limit"));
    site.wait_for("x", &["WAITING_FOR_SHEETS"])?;
    let json = serde_json::json!({ "name": "projects/test/sheets/7", "content": "LS0g".repeat(500) });
    site.drop_file("test/7.sheet.json", json.to_string())?;
    assert!(
        refusal(&site, "test/7.sheet.json")?
            .contains("its content has 1500 bytes, and `inbox.max_sheet_bytes` allows 1024")
    );
    site.drop_file("test/7.sql", number_sheet(7))?;
    assert_eq!(site.wait_for("x", ENDS)?["status"], "DONE");
    Ok(())
}

#[test]
fn an_empty_sheet_is_waited_for_and_then_refused() -> Result<()> {
    let mut site = site("settle = \"50ms\"\nsettle_max = \"1s\"\nrescan = \"1s\"")?;
    site.start()?;
    site.drop_file("test/x.plan.json", one_task("7"))?;
    site.drop_file("test/7.sql", "")?;
    site.wait_for("x", &["WAITING_FOR_SHEETS"])?;
    assert!(
        refusal(&site, "test/7.sql")?
            .contains("test/7.sql: it is empty\nA sheet that is to do nothing holds a comment.")
    );
    site.drop_file("test/7.sql", "-- nothing to do\n")?;
    assert_eq!(site.wait_for("x", ENDS)?["status"], "DONE");
    Ok(())
}

#[test]
fn a_mark_in_front_of_a_file_is_no_fault_and_a_nul_is() -> Result<()> {
    let mut site = site(QUICK)?;
    site.start()?;
    site.drop_file("test/x.plan.json", format!("\u{FEFF}{}", one_task("7")))?;
    site.drop_file("test/7.sql", format!("\u{FEFF}{}", number_sheet(7)))?;
    assert_eq!(site.wait_for("x", ENDS)?["status"], "DONE", "{}", site.log());
    assert_eq!(numbers(&site)?, [7]);
    site.drop_file("test/nul.plan.json", one_task("7").replace("only", "on\0ly").replacen('{', "{\0", 1))?;
    assert!(refusal(&site, "test/nul.plan.json")?.contains("error: the plan cannot be read: Unexpected"));
    site.drop_file("test/8.sql", "CREATE TABLE u (n INTEGER);\nINSERT INTO u VALUES ('a\0b');\n")?;
    site.drop_file("test/y.plan.json", one_task("8"))?;
    let plan = site.wait_for("y", &["FAILED", "DONE", "BLOCKED"])?;
    assert_ne!(plan["status"], "DONE", "a NUL in a sheet would cut its statement off: {plan:#}");
    Ok(())
}

#[test]
fn a_very_long_name_is_shortened_where_it_is_refused_and_not_lost() -> Result<()> {
    let mut site = site(QUICK)?;
    site.start()?;
    let names: Vec<String> =
        ["a", "b"].iter().map(|end| format!("{}{end}.plan.json", "x".repeat(244))).collect();
    for name in &names {
        fs::write(site.path("inbox").join(name), "[]")?;
    }
    until("both are refused", || {
        Ok(files(&site, "rejected")?.len() == 6 && files(&site, "inbox")?.is_empty())
    })?;
    let rejected = files(&site, "rejected")?;
    assert_eq!(rejected.iter().filter(|name| name.ends_with(".error.txt")).count(), 2, "{rejected:?}");
    Ok(())
}

#[test]
fn folders_that_lie_too_deep_are_left_alone_and_spoken_of() -> Result<()> {
    let mut site = site(QUICK)?;
    let deep = "d/".repeat(20);
    site.write(&format!("inbox/{deep}x.plan.json"), one_task("7"))?;
    site.start()?;
    sound_plan_runs(&site, 1)?;
    assert!(site.log().contains("it lies more than 16 folders deep; it is left alone"), "{}", site.log());
    Ok(())
}

#[test]
fn more_files_than_are_looked_at_are_spoken_of_and_worked_off() -> Result<()> {
    let mut site = site("settle = \"50ms\"\nrescan = \"1s\"\nmax_files = 10")?;
    for number in 0..25 {
        site.drop_file(&format!("test/p{number}.plan.json"), one_task(&format!("s{number}")))?;
    }
    site.start()?;
    until("all are taken in", || Ok(files(&site, "accepted")?.len() == 25))?;
    assert!(site.log().contains("there are more than 10 files in the inbox; the rest waits"));
    Ok(())
}

#[test]
fn a_pipe_with_a_silent_writer_does_not_block_the_inbox() -> Result<()> {
    let mut site = site(QUICK)?;
    fs::create_dir_all(site.path("inbox/test"))?;
    command("mkfifo", &[&site.path("inbox/test/a.plan.json")])?;
    let held = File::options().read(true).write(true).open(site.path("inbox/test/a.plan.json"))?;
    site.start()?;
    sound_plan_runs(&site, 1)?;
    assert!(refusal(&site, "test/a.plan.json")?.contains("it is a pipe"));
    drop(held);
    Ok(())
}
