//! `config check`: every fault of a config at once, each with its line and none with a secret; and every instance asked.

mod site;

use anyhow::Result;
use site::{Engine, Said, Site, program};
use std::process::Command;

/// The number of the line that begins so.
fn line(config: &str, beginning: &str) -> usize {
    config.lines().position(|line| line.starts_with(beginning)).map_or(0, |index| index + 1)
}

#[test]
fn every_fault_of_a_config_comes_with_its_line_and_no_secret() -> Result<()> {
    let site = Site::new("")?;
    let config = r#"[folders]
root = "."
inbocks = "x"
[daemon]
log = "loud"
drain_timeout = "soon"
[scheduler]
max_running_tasks = 0
stage_gate = "never"
[inbox]
settle = -1
max_sheet_bytes = "2 parsecs"
[instances.two]
driver = "postgres"
max_connections = "many"
ledger = "maybe"
[instances.two.tls]
ca = ["hunter2"]
[instances.three]
password = { file = "/nonexistent/password" }
[instances."bad name"]
driver = "sqlite"
[wrong]
"#;
    site.write("config.toml", config)?;
    let said = site.say(&["config", "check"])?;
    assert_eq!((said.code, said.out.as_str()), (78, ""), "{said:?}");
    assert!(said.err.contains("the config has 13 faults"), "{}", said.err);
    for (beginning, words) in [
        ("inbocks", "did you mean `inbox`?"),
        ("log =", "`daemon.log` must be one of auto, human, json, journal, not \"loud\""),
        ("drain_timeout", "`daemon.drain_timeout` must be a duration"),
        ("max_running_tasks", "a whole number from 1 to 10000, not 0"),
        ("stage_gate", "one of done, ended"),
        ("settle", "a duration"),
        ("max_sheet_bytes", "a size such as \"2 GiB\""),
        ("max_connections", "`instances.two.max_connections` must be"),
        ("ledger", "one of target, none"),
        ("ca =", "`instances.two.tls.ca` must be one value"),
        ("[instances.three]", "needs the key `driver`"),
        ("[instances.\"bad", "an instance's name has letters"),
        ("[wrong]", "`wrong` is no section"),
    ] {
        let place = format!("config.toml:{}: ", line(config, beginning));
        let found = said.err.lines().any(|line| line.contains(&place) && line.contains(words));
        assert!(found, "{place}…{words} is not in {}", said.err);
    }
    assert!(!said.err.contains("hunter2"), "{}", said.err);
    // Whatever reads the config says the same.
    assert_eq!(site.say(&["status"])?.code, 78);
    assert_eq!(site.say(&["daemon"])?.code, 78);
    Ok(())
}

#[test]
fn what_is_no_toml_is_said_with_its_place_and_without_its_text() -> Result<()> {
    let site = Site::new("")?;
    site.write("config.toml", "[instances.one]\ndriver = \"sqlite\"\npassword = \"hunter\"2\n")?;
    let said = site.say(&["config", "check"])?;
    assert_eq!(said.code, 78, "{said:?}");
    assert!(said.err.contains("config.toml:3:20: "), "{said:?}");
    assert!(!said.err.contains("hunter"), "{said:?}");
    let missing = Said::of(
        Command::new(program()).args(["--config", "/nonexistent.toml", "config", "check"]).output()?,
    );
    assert_eq!(missing.code, 78, "{missing:?}");
    assert!(missing.err.contains("/nonexistent.toml cannot be read"), "{missing:?}");
    Ok(())
}

#[test]
fn later_files_and_variables_win_and_their_faults_are_theirs() -> Result<()> {
    let site = Site::on(&Engine::Sqlite, "[scheduler]\nmax_running_tasks = 3\n")?;
    site.write("conf.d/10-more.toml", "# more\n[scheduler]\nmax_running_tasks = \"four\"\n")?;
    let said = site.say(&["config", "check"])?;
    assert!(said.err.contains("conf.d/10-more.toml:3: `scheduler.max_running_tasks`"), "{said:?}");
    let mut command = Command::new(program());
    command.arg("--config").arg(site.path("config.toml")).args(["config", "check"]);
    command.env("RUNSHEET_SCHEDULER_MAX_RUNNING_TASKS", "5");
    assert_eq!(Said::of(command.output()?).code, 0);
    command.env("RUNSHEET_SCHEDULER_MAX_RUNNING_TASKS", "0").env("RUNSHEET_INBOX_SETTEL", "1s");
    let said = Said::of(command.output()?);
    assert_eq!(said.code, 78, "{said:?}");
    assert!(said.err.contains("RUNSHEET_SCHEDULER_MAX_RUNNING_TASKS: `scheduler.max"), "{said:?}");
    assert!(said.err.contains("RUNSHEET_INBOX_SETTEL: the variable names no key of [inbox]"), "{said:?}");
    Ok(())
}

#[test]
fn every_instance_is_asked_and_it_is_said_which_one_fails_and_why() -> Result<()> {
    let server = runsheet_test_servers::shared::postgres();
    let site = Site::new("")?;
    let base = std::fs::read_to_string(site.path("config.toml"))?;
    let good = [
        Engine::Postgres(server).instance("good", &site.path("")),
        Engine::Sqlite.instance("files", &site.path("")),
    ];
    site.write("config.toml", format!("{base}{}", good.concat()))?;
    let said = site.say(&["config", "check"])?;
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    for words in [
        "✓ good (postgres)",
        "connected to PostgreSQL 1",
        "as postgres",
        "✓ files (sqlite)",
        "2 instances, all of them usable",
    ] {
        assert!(said.out.contains(words), "{words:?} is not in {}", said.out);
    }
    for folder in ["inbox", "state", "results"] {
        assert!(said.out.contains(&site.path(folder).display().to_string()), "{folder}: {}", said.out);
    }

    let bad = "[instances.away]\ndriver = \"postgres\"\nhost = \"127.0.0.1\"\nport = 1\nuser = \"x\"\npassword = \"hunter2\"\n\
               [instances.typo]\ndriver = \"sqlite\"\ndirectory = \".\"\ncraete = true\n\
               [instances.nodriver]\ndriver = \"postgers\"\n";
    let config = format!("{base}{}{bad}", good.concat());
    site.write("config.toml", &config)?;
    let said = site.say(&["config", "check"])?;
    assert_eq!((said.code, said.err.as_str()), (1, ""), "{said:?}");
    for words in [
        "✗ away (postgres)",
        "127.0.0.1:1",
        "refused",
        "✗ typo (sqlite)",
        "✗ nodriver",
        "5 instances, 3 not usable",
    ] {
        assert!(said.out.contains(words), "{words:?} is not in {}", said.out);
    }
    let place = format!("config.toml:{}: `craete` is no setting", line(&config, "craete"));
    assert!(said.out.contains(&place), "{place:?} is not in {}", said.out);
    let place =
        format!("config.toml:{}: there is no driver `postgers`", line(&config, "driver = \"postgers\""));
    assert!(said.out.contains(&place), "{place:?} is not in {}", said.out);
    let place = format!("config.toml:{}: `instances.away.password` has a secret", line(&config, "password"));
    assert!(said.out.contains(&place), "a password in the config is worth a word: {}", said.out);
    assert!(!said.out.contains("hunter2"), "{}", said.out);
    Ok(())
}
