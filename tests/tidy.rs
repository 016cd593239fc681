//! How the repository is written, as far as a program can tell: files of one subject and a bounded length that say at their top what
//! they are for, no words for unfinished work, and no paths or names of one machine.

use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

/// The longest file, in lines.
const LINES_MAX: usize = 500;
/// Words for what should not be there. In two halves, so that this file does not have them.
const UNFINISHED: &[(&str, &str)] = &[("TO", "DO"), ("FIX", "ME"), ("XX", "X "), ("HA", "CK")];
/// Names for rooms that hold anything.
const DRAWERS: &[&str] = &["util", "utils", "helper", "helpers", "manager", "misc", "common"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files under version control, below the root.
fn files() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut places: Vec<PathBuf> =
        ["src", "plugins", "tests", "systemd"].iter().map(|folder| root().join(folder)).collect();
    places.extend(["Cargo.toml", "README.md", "config.toml"].iter().map(|file| root().join(file)));
    while let Some(place) = places.pop() {
        if place.is_dir() {
            for entry in fs::read_dir(&place)? {
                places.push(entry?.path());
            }
        } else {
            found.push(place);
        }
    }
    found.sort();
    anyhow::ensure!(found.len() > 100, "the repository has more files than {}", found.len());
    Ok(found)
}

fn is_rust(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending == "rs")
}

/// Every fault that `judge` finds in a file's text.
fn hold(judge: impl Fn(&Path, &str) -> Vec<String>) -> Result<()> {
    let mut faults = Vec::new();
    for file in files()? {
        // Sheets in other encodings are tests' own.
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let below = file.strip_prefix(root())?;
        faults.extend(judge(below, &text).into_iter().map(|fault| format!("{}: {fault}", below.display())));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

#[test]
fn every_file_of_code_says_at_its_top_what_it_is_for() -> Result<()> {
    hold(|file, text| {
        let missing = is_rust(file) && !text.starts_with("//!");
        if missing { vec!["it does not begin with `//!`".to_owned()] } else { Vec::new() }
    })
}

#[test]
fn no_file_of_code_is_longer_than_a_reader_bears() -> Result<()> {
    hold(|file, text| {
        let lines = text.lines().count();
        let is_code = is_rust(file) && !file.starts_with("tests") && !file.iter().any(|part| part == "tests");
        if is_code && lines > LINES_MAX { vec![format!("{lines} lines")] } else { Vec::new() }
    })
}

#[test]
fn no_room_is_a_drawer_for_anything() -> Result<()> {
    hold(|file, _| {
        let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if DRAWERS.contains(&name) { vec![format!("`{name}` says nothing")] } else { Vec::new() }
    })
}

#[test]
fn nothing_is_left_for_later_in_a_comment() -> Result<()> {
    hold(|_, text| {
        UNFINISHED
            .iter()
            .map(|(one, two)| format!("{one}{two}"))
            .filter(|word| text.contains(word.as_str()))
            .collect()
    })
}

#[test]
fn nothing_names_one_machine() -> Result<()> {
    // In two halves, so that this file does not have it.
    let place = ["/wo", "rk/"].concat();
    hold(|_, text| if text.contains(&place) { vec![place.clone()] } else { Vec::new() })
}

#[test]
fn every_dependency_says_why_it_is_there() -> Result<()> {
    let text = fs::read_to_string(root().join("Cargo.toml"))?;
    let list = text.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let list = list.split("\n[").next().unwrap_or_default();
    let mut said = false;
    for line in list.lines().skip_while(|line| !line.starts_with('#')) {
        let own = line.contains("path = ");
        if line.starts_with('#') {
            said = true;
        } else if line.trim().is_empty() {
            said = false;
        } else {
            // One sentence may stand for the lines behind it.
            assert!(said || own, "nothing says why this is there: {line}");
        }
    }
    Ok(())
}
