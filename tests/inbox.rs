//! However a file gets into the inbox, and in whatever order, a running daemon takes it in whole, once, and runs it.

mod inbox_site;
mod site;

use anyhow::{Context, Result};
use inbox_site::{command, files, names, number_sheet, numbers, one_task, site};
use site::{Engine, Site, until};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const ENDS: &[&str] = &["DONE", "FAILED", "BLOCKED"];

/// Longer than `settle` is in these tests: whoever pauses so long looks as if he had finished.
const PAUSE: Duration = Duration::from_millis(400);
const SETTLE: &str = "settle = \"100ms\"\nsettle_max = \"60s\"\nrescan = \"1s\"";

/// A sheet of these many rows, some megabytes long.
fn big_sheet(rows: u32) -> Result<String> {
    let mut text = "CREATE TABLE t (n INTEGER, filler TEXT);\n".to_owned();
    for row in 0..rows {
        writeln!(text, "INSERT INTO t VALUES ({row}, '{}');", "x".repeat(200))?;
    }
    Ok(text)
}

fn assert_done(site: &Site, plan: &str) -> Result<()> {
    let plan = site.wait_for(plan, ENDS)?;
    assert_eq!(plan["status"], "DONE", "{plan:#}\n{}", site.log());
    Ok(())
}

#[test]
fn a_big_sheet_that_cp_writes_in_slow_pieces_is_taken_whole() -> Result<()> {
    let mut site = site(SETTLE)?;
    site.start()?;
    site.drop_file("test/x.plan.json", one_task("big"))?;
    site.wait_for("x", &["WAITING_FOR_SHEETS"])?;
    let text = big_sheet(20_000)?;
    let mut copy = Command::new("cp")
        .args(["/dev/stdin".as_ref(), site.path("inbox/test/big.sql").as_os_str()])
        .stdin(Stdio::piped())
        .spawn()?;
    let mut pipe = copy.stdin.take().context("a pipe")?;
    for piece in text.as_bytes().chunks(text.len() / 4 + 1) {
        // Each cut is in the middle of a statement or not; what is there could be taken for a sheet either way.
        pipe.write_all(piece)?;
        pipe.flush()?;
        std::thread::sleep(PAUSE);
        assert_eq!(site.plan("x")?["status"], "WAITING_FOR_SHEETS", "half a sheet was taken");
    }
    drop(pipe);
    assert!(copy.wait()?.success());
    assert_done(&site, "x")?;
    assert_eq!(numbers(&site)?.len(), 20_000);
    assert_eq!(fs::read_to_string(site.path("accepted/test/x/big.sql"))?, text);
    assert!(files(&site, "inbox")?.is_empty());
    Ok(())
}

#[test]
fn a_sheet_that_grows_is_taken_when_it_does_not_grow_any_more() -> Result<()> {
    // Each piece is written by another process, so that the file is closed between any two.
    let mut site = site("settle = \"4s\"")?;
    site.drop_file("test/x.plan.json", one_task("log"))?;
    site.write("inbox/test/log.sql", "CREATE TABLE t (n INTEGER);\n")?;
    site.start()?;
    for row in 0..10 {
        let mut file = File::options().append(true).open(site.path("inbox/test/log.sql"))?;
        writeln!(file, "INSERT INTO t VALUES ({row});")?;
        drop(file);
        std::thread::sleep(PAUSE);
    }
    assert_done(&site, "x")?;
    assert_eq!(numbers(&site)?.len(), 10);
    Ok(())
}

#[test]
fn a_plan_that_stops_in_the_middle_is_waited_for_and_taken_when_it_is_whole() -> Result<()> {
    let mut site = site(SETTLE)?;
    site.start()?;
    site.drop_file("test/7.sql", number_sheet(7))?;
    let text = one_task("7");
    let (first, second) = text.split_at(text.len() / 2);
    site.write("inbox/test/x.plan.json", first)?;
    std::thread::sleep(PAUSE * 2);
    assert!(files(&site, "rejected")?.is_empty(), "{}", site.log());
    File::options().append(true).open(site.path("inbox/test/x.plan.json"))?.write_all(second.as_bytes())?;
    assert_done(&site, "x")?;
    assert_eq!(numbers(&site)?, [7]);
    Ok(())
}

#[test]
fn a_plan_that_never_becomes_whole_is_refused_after_settle_max() -> Result<()> {
    let mut site = site("settle = \"50ms\"\nsettle_max = \"1s\"")?;
    let text = one_task("7");
    site.write("inbox/test/x.plan.json", text.get(..100).context("a part")?)?;
    site.write("inbox/test/empty.plan.json", "")?;
    // In the middle of a letter of two bytes.
    site.write("inbox/test/umlaut.plan.json", b"{\"title\": \"gr\xC3")?;
    site.start()?;
    for (name, why) in
        [("x", "Unterminated"), ("empty", "the plan is empty"), ("umlaut", "the byte 0xc3 is not UTF-8")]
    {
        let told = site.path(&format!("rejected/test/{name}.plan.json.error.txt"));
        until(name, || Ok(told.is_file() && files(&site, "inbox")?.len() < 3))?;
        until(name, || Ok(fs::read_to_string(&told)?.contains(why)))?;
    }
    until("the inbox is empty", || Ok(files(&site, "inbox")?.is_empty()))?;
    Ok(())
}

#[test]
fn a_folder_that_rsync_brings_is_taken_in_and_once_more_changes_nothing() -> Result<()> {
    let mut site = site("settle = \"50ms\"\nrescan = \"1s\"")?;
    site.start()?;
    for number in 0..20 {
        site.write(&format!("release/p{number}.plan.json"), one_task(&number.to_string()))?;
        site.write(&format!("release/{number}.sql"), number_sheet(number))?;
    }
    let rsync = || command("rsync", &["-a".as_ref(), &site.path("release"), &site.path("inbox")]);
    rsync()?;
    for number in 0..20 {
        assert_done(&site, &format!("projects/release/plans/p{number}"))?;
    }
    until("the inbox is empty", || Ok(files(&site, "inbox")?.is_empty()))?;
    let accepted = files(&site, "accepted")?;
    assert_eq!(accepted.len(), 40, "{accepted:?}");
    rsync()?;
    until("the inbox is empty again", || Ok(files(&site, "inbox")?.is_empty()))?;
    until("it says so", || Ok(site.log().matches("is known with the same bytes").count() == 20))?;
    assert_eq!(numbers(&site)?, (0..20).collect::<Vec<i64>>(), "nothing ran twice");
    assert_eq!(files(&site, "accepted")?, accepted);
    assert!(files(&site, "rejected")?.is_empty());
    Ok(())
}

#[test]
fn files_that_are_moved_in_from_this_and_another_file_system_are_taken_in() -> Result<()> {
    let mut site = site("settle = \"50ms\"\nrescan = \"1s\"")?;
    site.start()?;
    let memory = tempfile::Builder::new().prefix("runsheet-test-").tempdir_in("/dev/shm")?;
    let device = |path: &Path| -> Result<u64> { Ok(fs::metadata(path)?.dev()) };
    assert_ne!(device(memory.path())?, device(&site.path("inbox"))?, "/dev/shm is another file system");
    let same = site.path("outside");
    for (number, from) in [(1, same.as_path()), (2, memory.path())] {
        fs::create_dir_all(from)?;
        fs::write(from.join(format!("p{number}.plan.json")), one_task(&number.to_string()))?;
        fs::write(from.join(format!("{number}.sql")), number_sheet(number))?;
        for name in [format!("p{number}.plan.json"), format!("{number}.sql")] {
            command("mv", &[&from.join(name), &site.path("inbox")])?;
        }
        assert_done(&site, &format!("p{number}"))?;
    }
    // A whole folder at once.
    site.write("outside/folder/p3.plan.json", one_task("3"))?;
    site.write("outside/folder/3.sql", number_sheet(3))?;
    command("mv", &[&site.path("outside/folder"), &site.path("inbox")])?;
    assert_done(&site, "projects/folder/plans/p3")?;
    assert_eq!(numbers(&site)?, [1, 2, 3]);
    until("the inbox is empty", || Ok(files(&site, "inbox")?.is_empty()))?;
    Ok(())
}

#[test]
fn a_plan_waits_for_its_sheets_and_says_for_which() -> Result<()> {
    let mut site = site("settle = \"50ms\"")?;
    site.start()?;
    let plan = site::plan_of(&[
        &[("a", "instances/main/databases/db", "1"), ("b", "instances/main/databases/db", "2")],
        &[("c", "instances/main/databases/db", "3")],
    ]);
    site.drop_file("test/2.sql", number_sheet(2))?;
    site.drop_file("test/x.plan.json", plan)?;
    let waits = site.wait_for("x", &["WAITING_FOR_SHEETS"])?;
    assert_eq!(
        waits["missingSheets"],
        serde_json::json!(["projects/test/sheets/1", "projects/test/sheets/3"])
    );
    let shown = site.say(&["status", "x"])?;
    assert!(
        shown.out.contains("projects/test/sheets/1") && shown.out.contains("projects/test/sheets/3"),
        "{shown:?}"
    );
    site.drop_file("test/1.sql", number_sheet(1))?;
    until("only one is missing", || {
        Ok(site.plan("x")?["missingSheets"] == serde_json::json!(["projects/test/sheets/3"]))
    })?;
    site.drop_file("test/3.sql", number_sheet(3))?;
    assert_done(&site, "x")?;
    assert_eq!(numbers(&site)?, [1, 2, 3]);
    Ok(())
}

#[test]
fn a_sheet_may_come_before_its_plan_or_days_after_it() -> Result<()> {
    let mut site = site("settle = \"50ms\"")?;
    site.start()?;
    site.drop_file("test/early.sql", number_sheet(1))?;
    site.drop_file("test/late.plan.json", one_task("late"))?;
    site.wait_for("late", &["WAITING_FOR_SHEETS"])?;
    // Days pass: the config is read anew, and the daemon is started anew, twice.
    let config = fs::read_to_string(site.path("config.toml"))?;
    site.write(
        "config.toml",
        format!("{config}[instances.other]\ndriver = \"sqlite\"\ndirectory = \"other\"\n"),
    )?;
    site.signal("HUP")?;
    until("it was read", || Ok(site.log().contains("the config was reloaded")))?;
    for starts in 1..=2 {
        until("it is ready", || {
            Ok(site.log().lines().filter(|line| line.ends_with(" ready")).count() >= starts)
        })?;
        site.signal("TERM")?;
        assert_eq!(site.wait_for_end()?, 0);
        site.start()?;
        site.wait_for("late", &["WAITING_FOR_SHEETS"])?;
    }
    assert_eq!(files(&site, "inbox")?, names(&["test/early.sql"]), "it is still waited with");
    site.drop_file("test/early.plan.json", one_task("early"))?;
    assert_done(&site, "early")?;
    site.drop_file("test/late.sql", number_sheet(2))?;
    assert_done(&site, "late")?;
    assert_eq!(numbers(&site)?, [1, 2]);
    assert!(files(&site, "inbox")?.is_empty());
    Ok(())
}

#[test]
fn sheets_are_found_beside_the_plan_and_from_the_root_in_any_sub_folder() -> Result<()> {
    let mut site = site("settle = \"50ms\"")?;
    site.start()?;
    for (number, plan, sheet) in [
        (1, "shop/2026/november/x.plan.json", "shop/2026/november/1.sql"),
        (2, "shop/2026-11/plan.jsonc", "shop/2026-11/projects/test/sheets/2.sql"),
        (3, "projects/shop/plans/three.plan.json", "3.sql"),
        (4, "a/b/c/d/e/four.plan.jsonc", "projects/test/sheets/4.sql"),
        (5, "five.plan.json", "5.sql"),
    ] {
        site.drop_file(sheet, number_sheet(number))?;
        site.drop_file(plan, one_task(&number.to_string()))?;
    }
    for plan in [
        "projects/shop/plans/x",
        "projects/shop/plans/2026-11",
        "projects/shop/plans/three",
        "projects/a/plans/four",
        "projects/default/plans/five",
    ] {
        assert_done(&site, plan)?;
    }
    assert_eq!(numbers(&site)?, [1, 2, 3, 4, 5]);
    assert_eq!(
        files(&site, "accepted")?,
        names(&[
            "a/four/4.sql",
            "a/four/four.plan.jsonc",
            "default/five/5.sql",
            "default/five/five.plan.json",
            "shop/2026-11/2.sql",
            "shop/2026-11/plan.jsonc",
            "shop/three/3.sql",
            "shop/three/three.plan.json",
            "shop/x/1.sql",
            "shop/x/x.plan.json",
        ])
    );
    Ok(())
}

#[test]
fn a_sheet_beside_its_plan_comes_before_one_of_the_same_name_in_the_root() -> Result<()> {
    let mut site = site("settle = \"50ms\"")?;
    site.drop_file("7.sql", number_sheet(1))?;
    site.drop_file("test/7.sql", number_sheet(2))?;
    site.drop_file("test/x.plan.json", one_task("7"))?;
    site.start()?;
    assert_done(&site, "x")?;
    assert_eq!(numbers(&site)?, [2]);
    assert_eq!(files(&site, "inbox")?, names(&["7.sql"]), "it is another's");
    Ok(())
}

#[test]
fn a_sheet_of_bytebase_comes_in_as_json() -> Result<()> {
    let mut site = site("settle = \"50ms\"")?;
    site.start()?;
    site.drop_file("test/x.plan.json", one_task("741"))?;
    site.wait_for("x", &["WAITING_FOR_SHEETS"])?;
    // CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (741);
    let content = "Q1JFQVRFIFRBQkxFIHQgKG4gSU5URUdFUik7IElOU0VSVCBJTlRPIHQgVkFMVUVTICg3NDEpOw==";
    let sheet = serde_json::json!({
        "name": "projects/test/sheets/741", "title": "t", "creator": "users/a@example.com",
        "createTime": "2024-07-01T00:00:00Z", "content": content, "contentSize": "55", "engine": "SQLITE"
    });
    site.drop_file("anywhere/741.sheet.json", sheet.to_string())?;
    assert_done(&site, "x")?;
    assert_eq!(numbers(&site)?, [741]);
    assert!(site.path("accepted/test/sheets/741.sheet.json").is_file());
    // The same once more is nothing new; another one of the name is refused.
    site.drop_file("anywhere/741.sheet.json", sheet.to_string())?;
    until("it is taken away", || Ok(files(&site, "inbox")?.is_empty()))?;
    site.drop_file("anywhere/741.sheet.json", sheet.to_string().replace("Q1JF", "Q2JF"))?;
    let why = site.path("rejected/anywhere/741.sheet.json.error.txt");
    until("it is refused", || Ok(why.is_file()))?;
    assert!(fs::read_to_string(why)?.contains("the sheet projects/test/sheets/741 was taken in at"));
    assert_eq!(Engine::Sqlite.number(&site.path("databases"), "db", "SELECT count(*) FROM t")?, 1);
    Ok(())
}
