//! Signals to a running daemon: SIGHUP reads the config anew, all of it or nothing; SIGUSR1 looks into the inbox; SIGUSR2 tells
//! what goes on.

mod site;

use anyhow::Result;
use site::{Engine, Site, plan_of, program, task, until};
use std::process::{Command, Stdio};

const NORTH: &str = "instances/main/databases/north";
const SOUTH: &str = "instances/main/databases/south";

fn site(sections: &str) -> Result<Site> {
    let site = Site::on(&Engine::Sqlite, sections)?;
    site.drop_file("shop/make.sql", "CREATE TABLE IF NOT EXISTS t (id INTEGER);")?;
    Ok(site)
}

fn config(site: &Site) -> Result<String> {
    Ok(std::fs::read_to_string(site.path("config.toml"))?)
}

/// Has the config read anew, and waits until the log has said these words so many times.
fn reload(site: &Site, config: &str, words: &str, times: usize) -> Result<()> {
    site.write("config.toml", config)?;
    site.signal("HUP")?;
    until(words, || Ok(site.log().matches(words).count() >= times))
}

fn answers(site: &Site) -> Result<()> {
    until("the daemon answers", || Ok(site.say(&["status"])?.err.is_empty()))
}

#[test]
fn new_instances_and_limits_take_effect_at_once() -> Result<()> {
    let mut site = site("[scheduler]\nmax_running_tasks = 1\n")?;
    let held = site.hold("north")?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "make"), ("two", SOUTH, "make")]]))?;
    site.start()?;
    until("two waits for room", || {
        Ok(site.plan("x").is_ok_and(|plan| task(&plan, "two")["waiting"]["cause"] == "RUNNING_LIMIT"))
    })?;
    let elsewhere = plan_of(&[&[("one", "instances/more/databases/east", "make")]]);
    site.drop_file("shop/early.plan.json", &elsewhere)?;
    until("a plan for an instance that is not there is refused", || {
        Ok(site.path("rejected/shop/early.plan.json.error.txt").exists())
    })?;

    let more = Engine::Sqlite.instance("more", &site.path("databases"));
    let text = format!("{}{more}", config(&site)?.replace("max_running_tasks = 1", "max_running_tasks = 2"));
    reload(&site, &text, "the config was reloaded", 1)?;
    until("two runs beside the one that still does", || {
        let plan = site.plan("x")?;
        Ok(task(&plan, "two")["status"] == "DONE" && task(&plan, "one")["status"] == "RUNNING")
    })?;
    site.drop_file("shop/late.plan.json", &elsewhere)?;
    // There is room for it beside the first.
    site.wait_for("late", &["DONE"])?;
    drop(held);
    site.wait_for("x", &["DONE"])?;
    Ok(())
}

#[test]
fn a_config_with_a_fault_changes_nothing_and_says_what_is_wrong() -> Result<()> {
    let mut site = site("")?;
    site.start()?;
    answers(&site)?;
    let good = config(&site)?;
    let bad = format!(
        "[scheduler]\nmax_running_tasks = 0\n{good}[instances.second]\ndriver = \"sqlite\"\ndirectory = \".\"\n"
    );
    reload(&site, &bad, "the config was not reloaded, and the old one stays", 1)?;
    assert!(site.log().contains("config.toml:2: `scheduler.max_running_tasks`"), "{}", site.log());
    reload(&site, "no toml at all", "the config was not reloaded, and the old one stays", 2)?;
    std::fs::remove_file(site.path("config.toml"))?;
    site.signal("HUP")?;
    until("a missing file is said to be missing", || {
        Ok(site.log().matches("the config was not reloaded").count() >= 3
            && site.log().contains("cannot be read"))
    })?;
    site.write("config.toml", &good)?;
    // All of the old one still holds: nothing of the bad one was taken.
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "make")]]))?;
    site.wait_for("x", &["DONE"])?;
    site.drop_file("shop/y.plan.json", plan_of(&[&[("one", "instances/second/databases/east", "make")]]))?;
    until("an instance of the bad config is not there", || {
        Ok(site.path("rejected/shop/y.plan.json.error.txt").exists())
    })?;
    Ok(())
}

#[test]
fn what_takes_effect_only_at_a_new_start_is_said() -> Result<()> {
    let mut site = site("")?;
    site.start()?;
    answers(&site)?;
    let text = config(&site)?
        .replace("socket = \"socket\"", "socket = \"other\"\nlog_level = \"debug\"")
        .replace("settle = \"20ms\"", "settle = \"30ms\"")
        .replace("root = \".\"", "root = \".\"\ninbox = \"elsewhere\"");
    reload(&site, &text, "the config was reloaded", 1)?;
    for what in ["`[folders]`", "`daemon.socket`", "`daemon.log`", "`[inbox]`"] {
        let words = format!(
            "{what} has changed in the config; it takes effect only when the daemon is started again"
        );
        assert!(site.log().contains(&words), "{words} is not in {}", site.log());
    }
    assert!(site.path("socket").exists() && !site.path("other").exists());
    Ok(())
}

#[test]
fn a_task_of_an_instance_that_was_taken_out_fails_and_says_why() -> Result<()> {
    let mut site = site("")?;
    let more = Engine::Sqlite.instance("more", &site.path("databases"));
    let without = config(&site)?;
    site.write("config.toml", format!("{without}{more}"))?;
    let held = site.hold("north")?;
    let target = "instances/more/databases/east";
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "make")], &[("two", target, "make")]]))?;
    site.start()?;
    until("one runs", || Ok(site.plan("x").is_ok_and(|plan| task(&plan, "one")["status"] == "RUNNING")))?;
    reload(&site, &without, "the config was reloaded", 1)?;
    drop(held);
    let plan = site.wait_for("x", &["FAILED", "BLOCKED", "DONE"])?;
    let error = &task(&plan, "two")["runs"][0]["error"];
    assert_eq!(plan["status"], "FAILED", "{plan:#}");
    assert!(
        error["message"].as_str().is_some_and(|why| why.contains("more is not in the config any more")),
        "{plan:#}"
    );
    // Once it is there again, the task is run again.
    reload(&site, &format!("{without}{more}"), "the config was reloaded", 2)?;
    assert_eq!(site.say(&["retry", "x"])?.code, 0);
    site.wait_for("x", &["DONE"])?;
    Ok(())
}

#[test]
fn sigusr1_looks_into_the_inbox_where_nothing_wakes_the_daemon() -> Result<()> {
    let site = Site::on(&Engine::Sqlite, "[inbox]\nsettle = \"20ms\"\nrescan = \"1h\"\n")?;
    // Its own count of inotify instances, of which it may have none.
    let script = format!(
        "echo 0 > /proc/sys/user/max_inotify_instances && exec {} --config {} daemon 2>>{}",
        program().display(),
        site.path("config.toml").display(),
        site.path("log").display()
    );
    let mut daemon =
        Command::new("unshare").args(["-U", "-r", "sh", "-c", &script]).stdin(Stdio::null()).spawn()?;
    let ended = (|| {
        answers(&site)?;
        until("it says that nothing wakes it", || Ok(site.log().contains("inbox")))?;
        site.drop_file("shop/make.sql", "CREATE TABLE t (id INTEGER);")?;
        site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "make")]]))?;
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert_eq!(site.say(&["status", "x"])?.code, 2, "nobody has looked: {}", site.log());
        let kill = |signal: &str| Command::new("kill").args([signal, &daemon.id().to_string()]).status();
        kill("-USR1")?;
        site.wait_for("x", &["DONE"])?;
        kill("-USR2")?;
        until("it tells what goes on", || {
            Ok(site.log().contains("state") && site.log().contains("running=0"))
        })?;
        Ok::<_, anyhow::Error>(())
    })();
    daemon.kill()?;
    daemon.wait()?;
    ended
}
