//! A password comes from a file, a variable or a credential, and is nowhere to be read afterwards: not in the log at its most
//! talkative, not in the state, a result, an error, nor in anything that a command prints.

mod site;

use anyhow::{Context, Result};
use runsheet_test_servers::{MySql, Postgres, PostgresOptions, shared};
use site::{Said, Site, plan_of, program};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const SECRET: &str = "hunter2-correct-horse";
const WRONG: &str = "hunter2-wrong-horse";

/// A PostgreSQL that wants a password of `deploy`.
fn postgres() -> Result<Postgres> {
    let hba = vec!["host all deploy 127.0.0.1/32 scram-sha-256".to_owned()];
    let server = Postgres::start(&PostgresOptions { hba, ..PostgresOptions::default() })?;
    server.execute("postgres", &format!("CREATE ROLE deploy LOGIN PASSWORD '{SECRET}'"))?;
    server.execute("postgres", "CREATE DATABASE shop OWNER deploy")?;
    Ok(server)
}

/// An account of the shared MariaDB that has a password.
fn mariadb() -> Result<(&'static MySql, String)> {
    let server = shared::mariadb();
    let database = server.fresh_database()?;
    server.execute(
        "",
        &format!("CREATE USER deploy@'%' IDENTIFIED BY '{SECRET}'; GRANT ALL ON {database}.* TO deploy@'%'"),
    )?;
    Ok((server, database))
}

/// Where secrets are kept, outside the site.
fn kept() -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    for (name, secret) in [("good", SECRET), ("bad", WRONG)] {
        let file = folder.path().join(name);
        fs::write(&file, format!("{secret}\n"))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    }
    Ok(folder)
}

fn command(site: &Site, kept: &Path) -> Command {
    let mut command = Command::new(program());
    command.arg("--config").arg(site.path("config.toml"));
    command.env("CREDENTIALS_DIRECTORY", kept).env("DEPLOY_PASSWORD", SECRET).stdin(Stdio::null());
    command
}

/// Every file below a folder that has one of the secrets in it.
fn tellers(folder: &Path) -> Result<Vec<String>> {
    let grep = Command::new("grep").args(["-rlaF", "-e", SECRET, "-e", WRONG]).arg(folder).output()?;
    Ok(String::from_utf8(grep.stdout)?.lines().map(str::to_owned).collect())
}

fn has_none(said: &Said) -> bool {
    [&said.out, &said.err].iter().all(|text| !text.contains(SECRET) && !text.contains(WRONG))
}

#[test]
fn a_password_is_found_wherever_it_is_kept_and_told_nowhere() -> Result<()> {
    let (postgres, (mariadb, database), kept) = (postgres()?, mariadb()?, kept()?);
    let mut instances = String::new();
    let good = kept.path().join("good");
    for (name, password) in [
        ("file", format!("{{ file = {good:?} }}")),
        ("env", "{ env = \"DEPLOY_PASSWORD\" }".to_owned()),
        ("credential", "{ credential = \"good\" }".to_owned()),
        ("wrong", "{ credential = \"bad\" }".to_owned()),
    ] {
        instances.push_str(&format!(
            "[instances.pg-{name}]\ndriver = \"postgres\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"deploy\"\npassword = {password}\n\
             [instances.my-{name}]\ndriver = \"mysql\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"deploy\"\npassword = {password}\n",
            postgres.port(),
            mariadb.port(),
        ));
    }
    let site = Site::new(&instances)?;
    let config = fs::read_to_string(site.path("config.toml"))?;
    site.write("config.toml", config.replace("[daemon]", "[daemon]\nlog_level = \"trace\""))?;
    for name in ["file", "env", "credential", "wrong"] {
        let (postgres, mariadb) = (
            format!("instances/pg-{name}/databases/shop"),
            format!("instances/my-{name}/databases/{database}"),
        );
        site.drop_file(&format!("shop/{name}.sql"), format!("CREATE TABLE t_{name} (id INTEGER);"))?;
        site.drop_file("shop/fail.sql", "INSERT INTO nowhere VALUES (1);")?;
        // What fails has errors to tell of.
        let specs = [
            ("pg", postgres.as_str(), name),
            ("my", &mariadb, name),
            ("pg-fails", &postgres, "fail"),
            ("my-fails", &mariadb, "fail"),
        ];
        site.drop_file(&format!("shop/{name}.plan.json"), plan_of(&[&specs]))?;
    }
    let log = fs::File::create(site.path("log"))?;
    let ended = command(&site, kept.path()).args(["daemon", "--until-idle"]).stderr(log).status()?;
    assert_eq!(ended.code(), Some(0), "{}", site.log());

    for name in ["file", "env", "credential"] {
        let said = Said::of(command(&site, kept.path()).args(["status", name, "--json"]).output()?);
        let plan: serde_json::Value = serde_json::from_str(&said.out).context(said.err)?;
        let done: Vec<String> = site::tasks(&plan).into_iter().map(|(_, status)| status).collect();
        assert_eq!(done, ["DONE", "DONE", "FAILED", "FAILED"], "{name}: {plan:#}");
    }
    let wrong = Said::of(command(&site, kept.path()).args(["status", "wrong"]).output()?);
    assert!(wrong.out.contains("password authentication failed"), "{}", wrong.out);
    assert!(wrong.out.contains("Access denied for user"), "{}", wrong.out);

    for arguments in [
        "status wrong",
        "status wrong --json",
        "log wrong",
        "log file --json",
        "config check",
        "drivers --json",
        "check nowhere.json",
    ] {
        let said = Said::of(command(&site, kept.path()).args(arguments.split(' ')).output()?);
        assert!(has_none(&said), "{arguments}: {said:?}");
    }
    assert_eq!(tellers(&site.path(""))?, Vec::<String>::new());
    Ok(())
}

#[test]
fn an_operator_who_may_not_read_the_secrets_sees_and_steers_all_the_same() -> Result<()> {
    let (server, kept) = (postgres()?, kept()?);
    let site = Site::new(&format!(
        "[instances.one]\ndriver = \"postgres\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"deploy\"\npassword = {{ credential = \"good\" }}\n",
        server.port()
    ))?;
    site.drop_file("shop/x.sql", "INSERT INTO nowhere VALUES (1);")?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", "instances/one/databases/shop", "x")]]))?;
    let mut daemon = command(&site, kept.path()).arg("daemon").stderr(Stdio::null()).spawn()?;
    let ended = (|| {
        // These have neither the folder of credentials nor the variable.
        site.wait_for("x", &["FAILED"])?;
        site.write("x.plan.json", plan_of(&[&[("one", "instances/one/databases/shop", "x")]]))?;
        let (plan, sheet) = (
            site.path("x.plan.json").display().to_string(),
            site.path("accepted/shop/x/x.sql").display().to_string(),
        );
        for words in [
            vec!["status"],
            vec!["status", "x"],
            vec!["log", "x"],
            vec!["retry", "x"],
            vec!["drivers"],
            vec!["split", &sheet, "--driver", "postgres"],
            vec!["check", &plan],
        ] {
            let said = site.say(&words)?;
            assert_eq!(said.code, 0, "{words:?}: {said:?}");
        }
        // What connects needs it, and says what is lacking.
        for words in [vec!["config", "check"], vec!["check", &plan, "--connect"]] {
            let said = site.say(&words)?;
            assert_eq!(said.code, 78, "{words:?}: {said:?}");
            assert!(
                said.err.contains("the credential good is not there, because systemd gave none"),
                "{said:?}"
            );
        }
        Ok::<_, anyhow::Error>(())
    })();
    daemon.kill()?;
    daemon.wait()?;
    ended
}

#[test]
fn a_secret_in_a_file_counts_from_the_configs_folder() -> Result<()> {
    let server = postgres()?;
    let site = Site::new(&format!(
        "[instances.one]\ndriver = \"postgres\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"deploy\"\npassword = {{ file = \"keys/deploy\" }}\n",
        server.port()
    ))?;
    site.write("keys/deploy", SECRET)?;
    fs::set_permissions(site.path("keys/deploy"), fs::Permissions::from_mode(0o600))?;
    let said = site.say(&["config", "check"])?;
    assert_eq!(said.code, 0, "{said:?}");
    Ok(())
}

#[test]
fn a_password_that_others_may_read_or_that_is_not_there_is_refused() -> Result<()> {
    let kept = kept()?;
    let open = kept.path().join("good");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o640))?;
    for (password, words) in [
        (format!("{{ file = {open:?} }}"), "may be read by others (mode 640): chmod 600"),
        ("{ file = \"/nonexistent\" }".to_owned(), "/nonexistent cannot be read"),
        ("{ env = \"NOT_SET_AT_ALL\" }".to_owned(), "the variable NOT_SET_AT_ALL is not set"),
        ("{ credential = \"missing\" }".to_owned(), "missing cannot be read"),
        ("{ credential = \"../good\" }".to_owned(), "is no credential's name"),
    ] {
        let site = Site::new(&format!("[instances.one]\ndriver = \"postgres\"\npassword = {password}\n"))?;
        let said = Said::of(command(&site, kept.path()).args(["config", "check"]).output()?);
        assert_eq!(said.code, 78, "{password}: {said:?}");
        assert!(
            said.err.contains(words) && said.err.contains("config.toml:"),
            "{words:?} is not in {}",
            said.err
        );
        assert!(has_none(&said), "{said:?}");
    }
    Ok(())
}
