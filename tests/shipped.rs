//! What is shipped is true: the commented config gives the defaults, the README names every setting, command and exit code, and
//! the unit is one that systemd takes and rates as closed.

use anyhow::{Context, Result};
use runsheet::config::Config;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> Result<String> {
    fs::read_to_string(shipped(name)).with_context(|| name.to_owned())
}

/// The parts of a config that are compared, as text. Drivers lie beside the test's own program, which no default knows.
fn shown(config: &Config) -> String {
    let daemon = runsheet::config::DaemonSettings { plugins: PathBuf::new(), ..config.daemon.clone() };
    format!("{:#?}\n{daemon:#?}\n{:#?}\n{:#?}", config.folders, config.scheduler, config.inbox)
}

fn load(text: &str) -> Result<Config> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("config.toml");
    fs::write(&file, text)?;
    Ok(Config::load(&file)?)
}

/// A setting that is commented out: `#key = value` or `#[table]`.
fn uncommented(line: &str) -> &str {
    match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => setting,
        Some(_) | None => line,
    }
}

#[test]
fn every_setting_in_the_shipped_config_is_commented_out_with_its_default() -> Result<()> {
    let shipped = text("config.toml")?;
    let place = shipped.find("# One table for each").context("the instances")?;
    let (general, instances) = shipped.split_at(place);
    let defaults = load("")?;
    assert_eq!(shown(&load(&shipped)?), shown(&defaults));
    let said: Vec<&str> = general.lines().map(uncommented).collect();
    assert_eq!(
        shown(&load(&said.join("\n"))?),
        shown(&defaults),
        "a default in config.toml is not the default"
    );
    let examples: Vec<&str> =
        instances.lines().map(uncommented).filter(|line| !line.starts_with("password")).collect();
    let config = load(&examples.join("\n"))?;
    assert_eq!(config.instances.keys().collect::<Vec<_>>(), ["local", "pg-prod", "shop"]);
    Ok(())
}

#[test]
fn the_readme_names_every_command_and_every_exit_code() -> Result<()> {
    let readme = text("README.md")?;
    let help = Command::new(env!("CARGO_BIN_EXE_runsheet")).arg("--help").output()?;
    let help = String::from_utf8(help.stdout)?;
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() > 8, "{help}");
    let named: BTreeSet<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("    runsheet "))
        .filter_map(|line| line.split_whitespace().next())
        .flat_map(|word| word.split('|'))
        .collect();
    assert_eq!(commands.iter().copied().collect::<BTreeSet<_>>(), named);
    let exits = text("src/cli/exit.rs")?;
    let codes: Vec<&str> = exits
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => ")?.1.strip_suffix(','))
        .filter(|code| code.parse::<u8>().is_ok())
        .collect();
    assert!(codes.len() > 4);
    for code in codes {
        assert!(
            readme.contains(&format!("| {code} |")),
            "the README does not say what exit code {code} means"
        );
    }
    Ok(())
}

#[test]
fn the_readme_names_every_setting_of_every_driver() -> Result<()> {
    let readme = text("README.md")?;
    for driver in ["sqlite", "postgres", "mysql"] {
        let source = text(&format!("plugins/{driver}/src/settings.rs"))?;
        let known = source.split("KNOWN: &[&str] = &[").nth(1).and_then(|rest| rest.split(']').next());
        for key in known.context("the list of settings")?.split('"').skip(1).step_by(2) {
            assert!(
                readme.contains(&format!("`{key}`")),
                "the README does not say what `{key}` of {driver} means"
            );
        }
    }
    Ok(())
}

/// The unit with a program that is there, as systemd reads it.
fn unit() -> Result<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("runsheet.service");
    let program = env!("CARGO_BIN_EXE_runsheet");
    fs::write(&file, text("systemd/runsheet.service")?.replace("/usr/bin/runsheet", program))?;
    Ok((folder, file))
}

#[test]
fn systemd_takes_the_unit_without_a_word() -> Result<()> {
    let (_folder, file) = unit()?;
    let verified = Command::new("systemd-analyze").arg("verify").arg(&file).output()?;
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    let about_ours: Vec<&str> = said.lines().filter(|line| line.contains("runsheet")).collect();
    assert!(verified.status.success() && about_ours.is_empty(), "{said}");
    Ok(())
}

#[test]
fn the_unit_is_rated_as_closed() -> Result<()> {
    let (_folder, file) = unit()?;
    // The threshold is in tenths: an exposure of more than 1.5 fails.
    let rated = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold=15"])
        .arg(&file)
        .output()?;
    assert!(rated.status.success(), "{}", String::from_utf8_lossy(&rated.stdout));
    Ok(())
}
