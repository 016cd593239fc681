//! `submit`: a plan and its sheets come into the inbox as one, whoever puts them there, and `--wait` ends as the plan does.

mod site;

use anyhow::{Context, Result};
use serde_json::json;
use site::{Engine, Said, Site, plan_of, program, task, until};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const NORTH: &str = "instances/main/databases/north";

/// A site with a folder of plans that are submitted from there.
fn site() -> Result<Site> {
    let site = Site::on(&Engine::Sqlite, "")?;
    site.write("work/make.sql", "CREATE TABLE IF NOT EXISTS t (id INTEGER);\n")?;
    site.write("work/fail.sql", "INSERT INTO nowhere VALUES (1);\n")?;
    site.write("work/good.plan.json", plan_of(&[&[("one", NORTH, "make")]]))?;
    site.write("work/bad.plan.json", plan_of(&[&[("one", NORTH, "fail")]]))?;
    site.write("work/stuck.plan.json", plan_of(&[&[("one", NORTH, "fail")], &[("two", NORTH, "make")]]))?;
    Ok(site)
}

/// Starts the daemon, and waits until it answers.
fn started(site: &mut Site) -> Result<()> {
    site.start()?;
    until("the daemon answers", || Ok(site.say(&["status"])?.err.is_empty()))
}

fn submit(site: &Site, plan: &str, more: &[&str]) -> Result<Said> {
    let plan = site.path("work").join(plan).display().to_string();
    site.say(&[&["submit", &plan], more].concat())
}

#[test]
fn waiting_follows_a_plan_to_its_end_and_ends_as_it_does() -> Result<()> {
    let mut site = site()?;
    started(&mut site)?;
    for (plan, code, words) in [
        ("good", 0, "projects/default/plans/good  DONE"),
        ("bad", 1, "projects/default/plans/bad  FAILED"),
        ("stuck", 1, "projects/default/plans/stuck  BLOCKED"),
    ] {
        let said = submit(&site, &format!("{plan}.plan.json"), &["--wait"])?;
        assert_eq!((said.code, said.err.as_str()), (code, ""), "{said:?}");
        assert!(said.out.starts_with(&format!("submitted projects/default/plans/{plan}\n")), "{}", said.out);
        assert!(said.out.contains(words), "{words:?} is not in {}", said.out);
    }
    // Nothing is left where it was put.
    until("the inbox is empty again", || {
        let left = Command::new("find").arg(site.path("inbox")).args(["-type", "f"]).output()?;
        Ok(left.stdout.is_empty())
    })?;
    // The same plan again is known; it is shown where it stands.
    let again = submit(&site, "good.plan.json", &["--wait"])?;
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(site.plan("good")?["stages"][0]["tasks"][0]["runs"].as_array().map(Vec::len), Some(1));
    // Another plan under its name is refused, and the first stays.
    site.write("work/good.plan.json", plan_of(&[&[("two", NORTH, "make")]]))?;
    let other = submit(&site, "good.plan.json", &["--wait"])?;
    assert_eq!(other.code, 1, "{other:?}");
    assert!(
        other.err.contains("the plan was refused") && other.err.contains("with other bytes"),
        "{other:?}"
    );
    assert_eq!(task(&site.plan("good")?, "one")["status"], "DONE");
    Ok(())
}

#[test]
fn sheets_that_are_named_go_along_with_the_plan() -> Result<()> {
    let mut site = site()?;
    site.write("elsewhere/far.sql", "CREATE TABLE far (id INTEGER);\n")?;
    site.write("work/far.plan.json", plan_of(&[&[("one", NORTH, "far"), ("two", NORTH, "make")]]))?;
    started(&mut site)?;
    let far = site.path("elsewhere/far.sql").display().to_string();
    let said = submit(&site, "far.plan.json", &[&far, "--wait"])?;
    assert_eq!(said.code, 0, "{said:?}");
    let no_sheet = submit(&site, "far.plan.json", &[&site.path("work/far.plan.json").display().to_string()])?;
    assert!(no_sheet.code != 0 && no_sheet.err.contains("is no sheet"), "{no_sheet:?}");
    Ok(())
}

#[test]
fn a_plan_with_faults_is_not_put_anywhere() -> Result<()> {
    let mut site = site()?;
    site.start()?;
    site.write("work/wrong.plan.json", "{ \"steps\": [ { \"specz\": [] } ] }")?;
    let said = submit(&site, "wrong.plan.json", &["--wait"])?;
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
    assert!(said.err.contains("wrong.plan.json:1:16") && said.err.contains("specz"), "{said:?}");
    assert!(!site.path("rejected/wrong.plan.json.error.txt").exists());
    Ok(())
}

#[test]
fn without_a_daemon_a_plan_waits_in_the_inbox_and_nobody_waits_for_it() -> Result<()> {
    let mut site = site()?;
    let said = submit(&site, "good.plan.json", &[])?;
    assert_eq!((said.code, said.out.as_str()), (0, "submitted projects/default/plans/good\n"), "{said:?}");
    assert!(
        said.err.contains("no daemon answers") && said.err.contains("is taken in when one starts"),
        "{said:?}"
    );
    let said = submit(&site, "stuck.plan.json", &["--wait"])?;
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("is taken in when one starts"), "{said:?}");
    site.start()?;
    site.wait_for("good", &["DONE"])?;
    site.wait_for("stuck", &["BLOCKED"])?;
    Ok(())
}

/// A command as another user of the machine, where this one may become another.
fn as_user(user: &str, groups: &str, program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--groups", groups, "--"]).arg(program);
    command
}

/// The end of the daemon, whatever a test comes to.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn whoever_is_of_the_daemons_group_may_submit_under_any_umask() -> Result<()> {
    let site = site()?;
    // The daemon is `mysql`, and `postgres` is of its group: two users whom the servers of the tests bring along.
    let bin = site.path("bin");
    fs::create_dir(&bin)?;
    for name in ["runsheet", "librunsheet_driver_sqlite.so"] {
        fs::copy(program().with_file_name(name), bin.join(name))?;
    }
    let run = |command: &str| {
        let script = format!("cd {} && {command}", site.path("").display());
        let said = Said::of(Command::new("sh").args(["-c", &script]).output()?);
        anyhow::ensure!(said.code == 0, "{command}: {said:?}");
        Ok(())
    };
    if rustix::process::geteuid().is_root() {
        run("chown mysql:mysql . && chown -R mysql:mysql inbox databases")?;
    }
    run("chmod 755 . && chmod 2770 inbox && chmod -R a+rX work config.toml bin")?;
    let program: PathBuf = bin.join("runsheet");
    let config = site.path("config.toml");
    let log = fs::File::create(site.path("log"))?;
    let daemon = as_user("mysql", "mysql", &program)
        .arg("--config")
        .arg(&config)
        .arg("daemon")
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()?;
    let _daemon = Ends(daemon);
    until("the daemon answers", || Ok(site.say(&["status"])?.err.is_empty()))?;

    let script = format!(
        "umask 077; exec {} --config {} submit work/good.plan.json --wait",
        program.display(),
        config.display()
    );
    let mut operator = as_user("postgres", "mysql", Path::new("sh"));
    let said =
        Said::of(operator.args(["-c", &script]).current_dir(site.path("")).stdin(Stdio::null()).output()?);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}\n{}", site.log());
    let taken = site.path("accepted/default/good/make.sql");
    let mode = fs::metadata(&taken).with_context(|| taken.display().to_string())?.mode();
    assert_eq!(mode & 0o060, 0o060, "the group may read and move what was put into its inbox: {mode:o}");
    assert_eq!(json!(site.plan("good")?["status"]), "DONE");
    let left = Command::new("find").arg(site.path("inbox")).args(["-name", "*submitted*"]).output()?;
    assert!(left.stdout.is_empty(), "{}", String::from_utf8_lossy(&left.stdout));
    let modes = fs::metadata(site.path("inbox/projects/default"))?.permissions().mode();
    assert_eq!(modes & 0o7777, 0o2770, "what was made on the way is the group's too: {modes:o}");
    Ok(())
}
