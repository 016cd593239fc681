//! Which libraries the daemon takes as drivers. Each refusal is seen as an operator sees it, through `runsheet drivers`, and
//! says what to do; the drivers beside a refused one stay usable.

mod site;

use anyhow::{Context, Result};
use runsheet_sdk::abi::{rsd_driver, rsd_entry, rsd_split};
use runsheet_test_servers::compile_driver;
use serde_json::Value;
use site::{Engine, Site, plan_of};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A site with a folder of drivers that has the SQLite driver as it is shipped.
fn site() -> Result<Site> {
    let site = Site::new("")?;
    let plugins = site.own_plugins()?;
    let shipped = site::program().with_file_name("librunsheet_driver_sqlite.so");
    fs::copy(&shipped, plugins.join("librunsheet_driver_sqlite.so")).context("cargo build --workspace")?;
    Ok(site)
}

fn library(site: &Site, name: &str) -> PathBuf {
    site.path("plugins").join(format!("librunsheet_driver_{name}.so"))
}

/// Compiles the least driver, with these macros, into the site's folder.
fn least(site: &Site, file: &str, macros: &[(&str, &str)]) -> Result<PathBuf> {
    let defines: String = macros.iter().map(|(name, value)| format!("#define {name} {value}\n")).collect();
    let least = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/loader/least.h");
    let source = site.path(&format!("{file}.c"));
    fs::write(&source, format!("{defines}#include {:?}\n", least.display().to_string()))?;
    let library = library(site, file);
    compile_driver(&[source], &library)?;
    Ok(library)
}

/// What is wrong with a library, and words that the refusal must have.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

/// What `runsheet drivers --json` says of a file.
fn said(site: &Site, file: &Path) -> Result<Value> {
    let output = site.run(&["drivers", "--json"])?;
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let sqlite = rows.iter().any(|row| row["driver"]["name"] == "sqlite");
    assert!(sqlite, "the SQLite driver beside it is usable: {rows:#?}");
    let row = rows.into_iter().find(|row| row["file"] == file.display().to_string());
    let row = row.with_context(|| format!("{} is listed", file.display()))?;
    // A script sees it in the exit code.
    assert_eq!(output.status.code(), Some(if row["refused"].is_null() { 0 } else { 1 }), "{row:#}");
    Ok(row)
}

/// Holds that a file is refused, with the file and these words in the reason, for scripts and for people.
fn assert_refused(site: &Site, file: &Path, words: &[&str]) -> Result<()> {
    let row = said(site, file)?;
    let why = row["refused"].as_str().with_context(|| format!("it is refused: {row:#}"))?;
    let mut wanted = vec![file.to_str().context("UTF-8")?];
    wanted.extend(words);
    let text = String::from_utf8(site.run(&["drivers"])?.stdout)?;
    for word in wanted {
        assert!(why.contains(word), "{word:?} is in the reason: {why}");
    }
    assert!(text.contains(&format!("not used: {why}")), "{text}");
    fs::remove_file(file)?;
    Ok(())
}

#[test]
fn a_library_that_does_not_keep_to_the_abi_is_refused_with_the_reason() -> Result<()> {
    let site = site()?;
    let at_least = |size: usize| format!("at least {size}");
    let (entry, table, split) = (
        at_least(size_of::<rsd_entry>()),
        at_least(size_of::<rsd_driver>()),
        at_least(size_of::<rsd_split>()),
    );
    let cases: &[Case<'_>] = &[
        (&[("ENTRY_SYMBOL", "\"rsd_entry_v2\"")], &["no symbol rsd_entry_v1", "of this version"]),
        (&[("ENTRY_SIZE", "24")], &["its entry has 24 bytes", &entry, "this Runsheet's header"]),
        (
            &[("DRIVER_SIZE", "(sizeof DRIVER - 8)")],
            &["its function table has ", &table, "this Runsheet's header"],
        ),
        (&[("SPLIT_SIZE", "8")], &["its rsd.split/1 has 8 bytes", &split, "this Runsheet's header"]),
        (&[("CANCEL", "NULL")], &["lacks the function `cancel`", "this Runsheet's header"]),
        (&[("START", "NULL")], &["lacks the function `start`", "this Runsheet's header"]),
        (&[("NEXT", "NULL")], &["lacks the function `rsd.split/1`", "this Runsheet's header"]),
        (&[("SPLIT_ID", "\"rsd.split/2\"")], &["lacks the function `rsd.split/1`", "this Runsheet's header"]),
        (&[("STARTED", "NULL")], &["refused to start", "that fits"]),
        (&[("NAME", "\"Least\"")], &["calls itself \"Least\"", "lower-case letters"]),
        (&[("NAME", "\"\"")], &["calls itself \"\"", "lower-case letters"]),
        (&[("NAME", "\"9x\"")], &["calls itself \"9x\"", "beginning with a letter"]),
        (&[("NAME", "\"a/../b\"")], &["calls itself \"a/../b\"", "lower-case letters"]),
    ];
    for (macros, words) in cases {
        let file = least(&site, "bad", macros)?;
        assert_refused(&site, &file, words).with_context(|| format!("{macros:?}"))?;
    }
    Ok(())
}

#[test]
fn what_is_no_library_or_not_a_whole_one_is_refused() -> Result<()> {
    let site = site()?;
    let file = library(&site, "bad");
    fs::write(&file, "not a library")?;
    assert_refused(&site, &file, &["cannot be loaded", "remove it"])?;
    fs::write(&file, "")?;
    assert_refused(&site, &file, &["cannot be loaded", "remove it"])?;
    // Mapped, the part that is missing would kill the daemon at the first touch.
    let whole = fs::read(library(&site, "sqlite"))?;
    fs::write(&file, &whole[..whole.len() / 20])?;
    assert_refused(&site, &file, &["cannot be loaded", "its end is missing"])?;
    std::os::unix::fs::symlink("nowhere.so", &file)?;
    assert_refused(&site, &file, &["cannot be loaded", "No such file"])?;
    // Nobody writes to it: whoever opened it would wait for ever.
    assert!(Command::new("mkfifo").arg(&file).status()?.success());
    assert_refused(&site, &file, &["cannot be loaded", "it is not a file"])?;
    Ok(())
}

#[test]
fn a_library_that_others_may_write_is_refused_before_anything_of_it_runs() -> Result<()> {
    let site = site()?;
    let root = rustix::process::geteuid().is_root();
    let early = "__attribute__((constructor)) static void early(void) { abort(); }";
    let file = least(&site, "bad", &[("CONSTRUCTOR", early)])?;
    // Root's files have no private group; another user's own group may be one, which nobody else can write through.
    let modes: &[u32] = if root { &[0o775, 0o757, 0o777] } else { &[0o757, 0o777] };
    for mode in modes {
        fs::set_permissions(&file, fs::Permissions::from_mode(*mode))?;
        let (mode, advice) = (format!("its mode is {mode:o}"), format!("chmod go-w {}", file.display()));
        let kept = fs::read(&file)?;
        assert_refused(&site, &file, &["may be written by others", &mode, &advice])?;
        fs::write(&file, kept)?;
    }
    if root {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
        chown(&file, Some(65_533), None)?;
        let advice = format!("chown root {}", file.display());
        assert_refused(&site, &file, &["it belongs to user id 65533", &advice])?;
    }
    Ok(())
}

#[test]
fn no_library_of_a_folder_that_others_may_write_is_used() -> Result<()> {
    let site = site()?;
    let plugins = site.path("plugins");
    let root = rustix::process::geteuid().is_root();
    for mode in if root { [0o775, 0o757] } else { [0o757, 0o777] } {
        fs::set_permissions(&plugins, fs::Permissions::from_mode(mode))?;
        let output = site.run(&["drivers", "--json"])?;
        let rows: Vec<Value> = serde_json::from_slice(&output.stdout)?;
        let why = rows[0]["refused"].as_str().context("it is refused")?;
        let advice = format!("chmod go-w {}", plugins.display());
        assert!(why.contains(&format!("its mode is {mode:o}")) && why.contains(&advice), "{why}");
    }
    // Where nobody may replace another's file, as in /tmp, the folder is safe.
    fs::set_permissions(&plugins, fs::Permissions::from_mode(0o1777))?;
    assert_eq!(site.run(&["drivers"])?.status.code(), Some(0));
    Ok(())
}

#[test]
fn of_two_libraries_of_one_name_the_first_is_used_and_the_second_is_never_started() -> Result<()> {
    let site = site()?;
    let first = least(&site, "a", &[])?;
    // It would be seen to have started: it ends the process.
    let second = least(&site, "b", &[("STARTED", "(abort(), NULL)")])?;
    assert!(said(&site, &second)?["refused"].is_string());
    assert_refused(
        &site,
        &second,
        &["calls itself \"least\"", first.to_str().context("UTF-8")?, "remove one"],
    )?;
    assert_eq!(said(&site, &first)?["driver"]["name"], "least");
    Ok(())
}

#[test]
fn a_driver_of_a_later_version_whose_tables_are_larger_is_used() -> Result<()> {
    let site = site()?;
    let tail = format!("{{ {} }}", vec!["0xA5"; 64].join(", "));
    let file = least(&site, "later", &[("TAIL", "unsigned char tail[64];"), ("TAIL_BYTES", &tail)])?;
    assert_eq!(said(&site, &file)?["driver"]["extensions"], serde_json::json!(["rsd.split/1"]));
    site.write("one.sql", "all of it")?;
    let sheet = site.path("one.sql").display().to_string();
    let output = site.run(&["split", &sheet, "--driver", "least", "--json"])?;
    let pieces: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!((&pieces[0]["offset"], &pieces[0]["length"]), (&0.into(), &9.into()), "{pieces:#}");
    Ok(())
}

#[test]
fn a_plan_runs_beside_libraries_that_are_refused() -> Result<()> {
    let mut site = site()?;
    let config = fs::read_to_string(site.path("config.toml"))?;
    let instance = Engine::Sqlite.instance("main", &site.path("databases"));
    site.write("config.toml", format!("{config}{instance}"))?;
    least(&site, "bad", &[("STARTED", "NULL")])?;
    fs::write(library(&site, "worse"), "not a library")?;
    site.drop_file("one.sql", "CREATE TABLE t (id INTEGER);")?;
    site.drop_file("x.plan.json", plan_of(&[&[("a", "instances/main/databases/x", "one")]]))?;
    site.start_with(&["--until-idle"])?;
    assert_eq!(site.wait_for_end()?, 0, "{}", site.log());
    assert_eq!(site.plan("x")?["status"], "DONE");
    // The daemon says it as well, where an operator looks when a driver is missing.
    for name in ["bad", "worse"] {
        let file = library(&site, name);
        assert!(site.log().contains(&file.display().to_string()), "{}", site.log());
    }
    Ok(())
}
