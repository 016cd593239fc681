//! A driver that is written in C with nothing but the header: a plan dropped into the inbox runs on it as on any other. What
//! its databases hold is read from their files, not asked of the daemon.

mod site;

use anyhow::{Context, Result, ensure};
use runsheet::driver::Library;
use runsheet_sdk::{Applied, Failure, Mark, Settings};
use runsheet_test_servers::{build_c_driver, c_driver_sources, compile_driver};
use site::{Site, plan_of, task};
use std::fs;
use std::path::{Path, PathBuf};

/// A site whose folder of drivers has the C driver and nothing else.
fn site_on_c_driver() -> Result<Site> {
    let site = Site::new("")?;
    fs::copy(build_c_driver()?, site.own_plugins()?.join("librunsheet_driver_keyvalue.so"))?;
    let config = fs::read_to_string(site.path("config.toml"))?;
    let directory = site.path("databases").display().to_string();
    site.write(
        "config.toml",
        format!("{config}[instances.kv]\ndriver = \"keyvalue\"\ndirectory = {directory:?}\n"),
    )?;
    Ok(site)
}

/// The entries of a database that are not the ledger's, and how many marks the ledger has.
fn database(site: &Site, name: &str) -> Result<(Vec<String>, usize)> {
    let text = fs::read_to_string(site.path("databases").join(format!("{name}.kv")))?;
    let (ledger, entries): (Vec<&str>, Vec<&str>) =
        text.lines().skip(1).partition(|line| line.starts_with("runsheet_ledger"));
    let marks = ledger.iter().filter(|line| line.starts_with("runsheet_ledger/")).count();
    Ok((entries.into_iter().map(str::to_owned).collect(), marks))
}

#[test]
fn a_dropped_plan_runs_to_its_end_on_a_driver_written_in_c() -> Result<()> {
    let mut site = site_on_c_driver()?;
    site.start()?;
    site.drop_file("one.sql", "-- the first sheet\nINSERT name 'it''s ü; -- kept';\nPUT b two words;\n")?;
    site.drop_file("two.sql", "INSERT c 1;\nNOTICE it is said;\nVACUUM;\nEXPECT c 1; PUT c 2;\n")?;
    let (first, second) =
        (("a", "instances/kv/databases/x", "one"), ("b", "instances/kv/databases/x", "two"));
    site.drop_file("c.plan.json", plan_of(&[&[first], &[second]]))?;
    let plan = site.wait_for("c", &["DONE", "FAILED", "BLOCKED"])?;
    assert_eq!(plan["status"], "DONE", "{plan:#}\n{}", site.log());
    assert_eq!(task(&plan, "a")["runs"][0]["affectedRows"], 2, "{plan:#}");
    let entries = ["b\ttwo words", "c\t2", "name\tit's ü; -- kept"].map(str::to_owned);
    // One mark for the first sheet; VACUUM stands alone and cuts the second into three.
    assert_eq!(database(&site, "x")?, (entries.to_vec(), 4));
    let log = site.run(&["log", "c"])?;
    assert!(String::from_utf8_lossy(&log.stdout).contains("it is said"), "the notice is in the log");
    Ok(())
}

#[test]
fn what_a_driver_in_c_says_of_a_failure_reaches_the_result() -> Result<()> {
    let mut site = site_on_c_driver()?;
    site.start()?;
    site.drop_file("one.sql", "INSERT a 1;\n/* no comment of this engine */\n")?;
    site.drop_file("two.sql", "INSERT a 1;\nFAIL 1234 'ü is wrong';\n")?;
    let (first, second) =
        (("a", "instances/kv/databases/x", "one"), ("b", "instances/kv/databases/x", "two"));
    site.drop_file("c.plan.json", plan_of(&[&[first, second]]))?;
    let plan = site.wait_for("c", &["DONE", "FAILED", "BLOCKED"])?;
    let error = |spec: &str| task(&plan, spec)["runs"][0]["error"].clone();
    let (syntax, failed) = (error("a"), error("b"));
    assert_eq!(
        (&syntax["class"], &syntax["line"], &syntax["column"]),
        (&"syntax".into(), &2.into(), &1.into())
    );
    assert_eq!(
        (&failed["class"], &failed["line"], &failed["column"]),
        (&"other".into(), &2.into(), &6.into())
    );
    assert!(failed["message"].as_str().is_some_and(|text| text.contains("ü is wrong")), "{failed:#}");
    assert!(failed["code"].as_str().is_some_and(|code| code.contains("1234")), "{failed:#}");
    assert!(!site.path("databases/x.kv").exists() || database(&site, "x")?.0.is_empty(), "nothing stayed");
    Ok(())
}

/// The C driver with one place of one of its files put wrong.
fn spoiled(folder: &Path, file: &str, right: &str, wrong: &str) -> Result<PathBuf> {
    let mut sources = Vec::new();
    for source in c_driver_sources()? {
        if !source.ends_with(file) {
            sources.push(source);
            continue;
        }
        let text = fs::read_to_string(&source)?;
        ensure!(text.matches(right).count() == 1, "{file} has {right:?} once");
        let copy = folder.join(file);
        fs::write(&copy, text.replace(right, wrong))?;
        sources.push(copy);
    }
    let library = folder.join("librunsheet_driver_spoiled.so");
    compile_driver(&sources, &library)?;
    Ok(library)
}

#[test]
fn a_mark_that_is_too_small_to_be_read_fails_the_call_and_is_never_taken_for_none() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let library = spoiled(folder.path(), "ledger.c", ".struct_size = sizeof mark", ".struct_size = 8")?;
    let library = Library::load(&library)?;
    let mut settings = Settings::new();
    settings.set("directory", folder.path().display().to_string(), false);
    let mut session = library.open(&settings, "x", "test", &mut |_| {})?;
    session.prepare_ledger()?;
    session.write_mark(&Mark { task: "t".to_owned(), segment: 1, ..Mark::default() })?;
    assert_eq!(session.read_marks("another")?, []);
    let error = session.read_marks("t").err().context("the mark cannot be read")?;
    assert_eq!((error.failure, error.applied), (Failure::DriverBug, Applied::Unknown), "{error}");
    assert!(error.message.contains("sizeof(rsd_mark)"), "{error}");
    assert!(session.is_lost(), "nothing more is asked of such a driver");
    Ok(())
}
