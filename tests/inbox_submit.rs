//! `check` says beforehand what the inbox would say, and what `submit` puts into the inbox is taken in, also from another user
//! than the daemon.

mod inbox_site;
mod site;

use anyhow::{Context, Result};
use inbox_site::{files, number_sheet, numbers, one_task, site};
use site::{Said, Site, program, until};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const QUICK: &str = "settle = \"50ms\"\nrescan = \"1s\"";

/// Runs a command on a file of the site.
fn say(site: &Site, words: &[&str], file: &str) -> Result<Said> {
    let path = site.path(file);
    let mut arguments = words.to_vec();
    arguments.push(path.to_str().context("a path in UTF-8")?);
    site.say(&arguments)
}

#[test]
fn check_says_what_the_inbox_would_say() -> Result<()> {
    let mut site = site("settle = \"50ms\"\nmax_sheet_bytes = \"1 KiB\"")?;
    site.start()?;
    until("the daemon answers", || Ok(site.say(&["status"])?.err.is_empty()))?;
    site.write("work/7.sql", number_sheet(7))?;
    site.write("work/x.plan.json", one_task("7"))?;
    let before = say(&site, &["check"], "work/x.plan.json")?;
    assert_eq!(before.code, 0, "{before:?}");
    assert_eq!(say(&site, &["submit", "--wait"], "work/x.plan.json")?.code, 0);

    let again = say(&site, &["check"], "work/x.plan.json")?;
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.out.contains("warning: the plan projects/default/plans/x was taken in before, with the same bytes; it would not run again"), "{again:?}");

    site.write("work/x.plan.json", format!("{} ", one_task("7")))?;
    site.write("work/7.sql", number_sheet(8))?;
    let other = say(&site, &["check"], "work/x.plan.json")?;
    assert_eq!(other.code, 1, "{other:?}");
    for told in [
        "error: the plan projects/default/plans/x was taken in before, with other bytes; give this one another name",
        "error: the sheet projects/test/sheets/7 was taken in before, with other bytes; give this one another name",
    ] {
        assert!(other.out.contains(told), "{other:?}");
    }

    for (sheet, text, told) in [
        ("empty", String::new(), "the sheet projects/test/sheets/empty is empty"),
        (
            "big",
            " ".repeat(2000),
            "the sheet projects/test/sheets/big has 2000 bytes, and `inbox.max_sheet_bytes` allows 1024",
        ),
    ] {
        site.write(&format!("work/{sheet}.sql"), text)?;
        site.write("work/y.plan.json", one_task(sheet))?;
        let said = say(&site, &["check"], "work/y.plan.json")?;
        assert!(said.code == 1 && said.out.contains(told), "{said:?}");
    }

    site.write("work/migration.json", one_task("7"))?;
    let named = say(&site, &["check"], "work/migration.json")?;
    assert!(named.out.contains("warning: the inbox does not look at a file of this name"), "{named:?}");
    Ok(())
}

#[test]
fn what_the_inbox_would_never_look_at_is_not_submitted() -> Result<()> {
    let mut site = site(QUICK)?;
    site.start()?;
    until("the daemon answers", || Ok(site.say(&["status"])?.err.is_empty()))?;
    site.write("work/7.sql", number_sheet(7))?;
    for name in ["migration.json", ".x.plan.json", "x.plan.json.tmp"] {
        site.write(&format!("work/{name}"), one_task("7"))?;
        let said = say(&site, &["submit", "--wait"], &format!("work/{name}"))?;
        assert!(said.code != 0 && said.err.contains("is no plan to the inbox"), "{name}: {said:?}");
    }
    site.write("work/.7.sql", number_sheet(7))?;
    site.write("work/x.plan.json", one_task("7"))?;
    let (plan, sheet) = (site.path("work/x.plan.json"), site.path("work/.7.sql"));
    let said = site.say(&["submit", &plan.display().to_string(), &sheet.display().to_string()])?;
    assert!(said.code != 0 && said.err.contains("is no sheet"), "{said:?}");
    assert!(files(&site, "inbox")?.is_empty());
    // A folder that the inbox would not look into does not make the plan disappear either.
    let named = one_task("7").replacen('{', r#"{"name": "projects/test/plans/hidden","#, 1);
    site.write("work/.hidden/plan.json", named)?;
    site.write("work/.hidden/7.sql", number_sheet(7))?;
    let said = say(&site, &["submit", "--wait"], "work/.hidden/plan.json")?;
    assert_eq!(said.code, 0, "{said:?}{}", site.log());
    assert_eq!(numbers(&site)?, [7]);
    Ok(())
}

/// The users of the next test; nobody else has their numbers.
const DAEMON: u32 = 64_101;
const OPERATOR: u32 = 64_102;
/// Both are in this group, and the inbox is the group's.
const GROUP: u32 = 64_100;

/// A daemon that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program as another user runs it, from a folder that he can read.
fn as_user(site: &Site, user: u32, group: u32, groups: &str) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", &user.to_string(), "--regid", &group.to_string(), "--groups", groups])
        .arg(site.path("bin/runsheet"))
        .arg("--config")
        .arg(site.path("config.toml"))
        .env("RUNSHEET_DAEMON_PLUGINS", site.path("bin"))
        .stdin(Stdio::null());
    command
}

#[test]
fn an_operators_plan_is_read_and_moved_by_the_daemon_of_another_user() -> Result<()> {
    if !rustix::process::getuid().is_root() {
        // Only root can be two other users.
        return Ok(());
    }
    let site = site(QUICK)?;
    let driver = Path::new(&program()).with_file_name("librunsheet_driver_sqlite.so");
    fs::create_dir(site.path("bin"))?;
    fs::copy(program(), site.path("bin/runsheet"))?;
    fs::copy(driver, site.path("bin/librunsheet_driver_sqlite.so"))?;
    let open = |path: PathBuf, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    for folder in ["", "databases"] {
        chown(site.path(folder), Some(DAEMON), Some(GROUP))?;
        open(site.path(folder), 0o755)?;
    }
    chown(site.path("inbox"), Some(DAEMON), Some(GROUP))?;
    open(site.path("inbox"), 0o770)?;
    site.write("work/7.sql", number_sheet(7))?;
    site.write("work/x.plan.json", one_task("7"))?;
    open(site.path("work/x.plan.json"), 0o644)?;

    let log = fs::File::create(site.path("log"))?;
    let groups = GROUP.to_string();
    let mut daemon = as_user(&site, DAEMON, GROUP, &groups);
    let running = Running(daemon.arg("daemon").stdout(log.try_clone()?).stderr(log).spawn()?);
    until("the daemon is ready", || Ok(site.log().lines().any(|line| line.ends_with(" ready"))))?;
    let submit = as_user(&site, OPERATOR, OPERATOR, &groups);
    // The strictest mask that operators have.
    let script = "umask 077; exec \"$0\" \"$@\"";
    let mut strict = Command::new("sh");
    strict.args(["-c", script]).arg(submit.get_program()).args(submit.get_args());
    strict.args(["submit", "--wait"]).arg(site.path("work/x.plan.json"));
    submit.get_envs().for_each(|(name, value)| {
        strict.env(name, value.unwrap_or_default());
    });
    let said = Said::of(strict.output()?);
    assert_eq!(said.code, 0, "{said:?}\n{}", site.log());
    until("the inbox has nothing left", || {
        let left = fs::read_dir(site.path("inbox/projects/default"))?.count();
        Ok(left == 0)
    })?;
    assert_eq!(numbers(&site)?, [7]);
    assert!(site.path("accepted/default/x/7.sql").is_file());
    drop(running);
    Ok(())
}
