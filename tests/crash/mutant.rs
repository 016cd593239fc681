//! Mutants: faults that are put into the program on purpose, each of which the matrix must find. A mutant is a patch in `mutants/`,
//! whose first line names the engine on which it shows, and the kind of fault where it shows under no other; and whose second line says
//! what is wrong with it.

use super::Options;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long the matrix may take to find one: some show only where a fault hits one moment of a sheet.
const TIME_MAX: Duration = Duration::from_secs(900);

/// A patch.
struct Mutant {
    name: String,
    engine: String,
    /// How the names of the faults begin under which it shows; nothing where any may show it.
    kind: String,
    /// What is wrong with the program under it.
    wrong: String,
    patch: PathBuf,
}

/// Every mutant, by name.
fn all() -> Result<Vec<Mutant>> {
    let folder = root().join("tests/crash/mutants");
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let patch = entry?.path();
        let text = fs::read_to_string(&patch)?;
        let mut lines = text.lines();
        let engine = lines.next().and_then(|line| line.strip_prefix("engine: "));
        let (Some(engine), Some(wrong)) = (engine, lines.next()) else {
            bail!("{} does not begin with its engine and what is wrong", patch.display());
        };
        let (engine, kind) = engine.split_once(", kind: ").unwrap_or((engine, ""));
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (engine, kind, wrong) = (engine.to_owned(), kind.to_owned(), wrong.to_owned());
        found.push(Mutant { name, engine, kind, wrong, patch });
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether every mutant can still be made from the program as it is: one that cannot would be found by nobody.
pub fn still_apply() -> Result<bool> {
    let mut all_do = true;
    for mutant in all()? {
        let checked = Command::new("git")
            .current_dir(root())
            .args(["apply", "--check"])
            .arg(&mutant.patch)
            .output()
            .context("git")?;
        if !checked.status.success() {
            println!(
                "the mutant {} does not apply: {}",
                mutant.name,
                String::from_utf8_lossy(&checked.stderr)
            );
            all_do = false;
        }
    }
    Ok(all_do)
}

/// Makes each mutant, and runs the matrix on it until it is found. True where all were.
pub fn hunt(names: &[String], options: &Options) -> Result<bool> {
    let folder = root().join("target/mutants");
    let mut all_found = true;
    for mutant in all()? {
        if !names.is_empty() && !names.contains(&mutant.name) {
            continue;
        }
        let program = make(&mutant, &folder)?;
        let begun = Instant::now();
        let log = folder.join(format!("{}.log", mutant.name));
        let found = find(&mutant, &program, &log, options)?;
        all_found &= found;
        let (said, time) = (if found { "found" } else { "NOT FOUND" }, begun.elapsed());
        println!("{said:<9} {time:>7.1?}  {:<30} {:<14} {}", mutant.name, mutant.engine, mutant.wrong);
    }
    Ok(all_found)
}

/// Builds the program under a mutant, from a copy of the repository that is kept for the next one.
fn make(mutant: &Mutant, folder: &Path) -> Result<PathBuf> {
    let copy = folder.join("tree");
    fs::create_dir_all(&copy)?;
    // Only what differs is written, so that the next build is short.
    run(Command::new("rsync")
        .args(["-rc", "--delete", "--exclude=/target", "--exclude=/.git"])
        .args([format!("{}/", root().display()), format!("{}/", copy.display())]))?;
    // Not as a part of the repository around it, outside of which nothing would be applied.
    run(Command::new("git")
        .current_dir(&copy)
        .env("GIT_CEILING_DIRECTORIES", folder)
        .arg("apply")
        .arg(&mutant.patch))
    .with_context(|| format!("the mutant {}", mutant.name))?;
    let target = folder.join("target");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.current_dir(&copy).arg("build").arg("--quiet").env("CARGO_TARGET_DIR", &target);
    for package in ["", "-driver-sqlite", "-driver-postgres", "-driver-mysql", "-test-relay"] {
        build.args(["-p", &format!("runsheet{package}")]);
    }
    run(build.env("RUSTFLAGS", "-Awarnings"))?;
    Ok(target.join("debug/runsheet"))
}

/// Runs the matrix on a program; true where it finds something wrong.
fn find(mutant: &Mutant, program: &Path, log: &Path, options: &Options) -> Result<bool> {
    let status = Command::new(std::env::current_exe()?)
        .env("RUNSHEET_PROGRAM", program)
        .args(["--until-wrong", "--faults", "100000", "--engine", &mutant.engine])
        .args(["--kind", &mutant.kind])
        .args(["--seconds", &TIME_MAX.as_secs().to_string()])
        .args(["--seed", &options.seed.to_string(), "--jobs", &options.jobs.to_string()])
        .stdin(Stdio::null())
        .stdout(fs::File::create(log)?)
        .status()?;
    let text = fs::read_to_string(log)?;
    let found = text.contains("WRONG") || text.contains("NOT TO BE ASKED");
    ensure!(found || status.success(), "the matrix failed on {}: see {}", mutant.name, log.display());
    Ok(found)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}
