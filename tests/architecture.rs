//! The map and the house agree: `src/README.md` says which module may use which, and this reads the code and holds it to that.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Libraries and words that only some modules may name. `tests` at the end of a file are not looked at.
const ONLY: &[(&str, &[&str])] = &[
    ("rusqlite", &["store", "report", "inbox", "recover", "daemon"]),
    ("tokio", &["daemon"]),
    ("libloading", &["driver"]),
    ("unsafe ", &["driver"]),
    ("println!", &["cli"]),
    ("eprintln!", &["cli"]),
    ("notify::", &["inbox"]),
    ("toml::", &["config"]),
    ("jsonc_parser", &["plan"]),
    ("sd_notify", &["daemon"]),
    ("signal_hook", &["daemon"]),
    ("UnixStream", &["control", "daemon"]),
    ("UnixListener", &["daemon"]),
];

/// What decides must not find for itself: no clock, no thread, no file.
const PURE: &[&str] = &[
    "scheduler",
    "sheet/segment.rs",
    "plan/rules.rs",
    "plan/version.rs",
    "inbox/name.rs",
    "inbox/rows.rs",
    "recover/judge.rs",
];
const IMPURE_WORDS: &[&str] = &[
    "std::fs",
    "std::thread",
    "std::net",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "tracing::",
    "File::",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The table of the map: module → modules that it may use.
fn map() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let text = fs::read_to_string(source().join("README.md"))?;
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let map: BTreeMap<_, _> = rows
        .filter_map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let names = |cell: &str| -> BTreeSet<String> {
                cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
            };
            Some((names(cells.get(1)?).pop_first()?, names(cells.get(3)?)))
        })
        .collect();
    anyhow::ensure!(map.len() > 5, "the table of src/README.md was not found");
    Ok(map)
}

/// Every Rust file below a place, with its text up to its tests.
fn files(place: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    let mut places = vec![place.to_path_buf()];
    while let Some(place) = places.pop() {
        if place.is_dir() {
            for entry in fs::read_dir(&place)? {
                places.push(entry?.path());
            }
        } else if place.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&place)?;
            let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            found.push((place, code));
        }
    }
    found.sort();
    Ok(found)
}

fn module(file: &Path) -> Result<String> {
    let below = file.strip_prefix(source())?;
    let first = below.iter().next().and_then(|part| part.to_str()).context("a file below src")?;
    Ok(first.trim_end_matches(".rs").to_owned())
}

/// Lines of code, without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The modules that a line of code names as `crate::module`, also as `crate::{one, two}`.
fn named(line: &str, modules: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for rest in line.split("crate::").skip(1) {
        let words: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split([',', '}']).map(str::trim).collect(),
            None => vec![rest],
        };
        for word in words {
            let name: String = word.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if modules.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

/// Whether a line has a word that no longer name ends with.
fn has_word(line: &str, word: &str) -> bool {
    let within = |before: &str| before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| !within(line.get(..at).unwrap_or_default()))
}

#[test]
fn every_module_uses_only_what_the_map_allows() -> Result<()> {
    let map = map()?;
    let modules: BTreeSet<String> = map.keys().cloned().collect();
    let mut wrong = Vec::new();
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, text) in files(&source())? {
        let module = module(&file)?;
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let allowed = map.get(&module).with_context(|| format!("`{module}` is not on the map"))?;
        for (number, line) in code(&text) {
            for other in named(line, &modules).into_iter().filter(|other| *other != module) {
                if !allowed.contains(&other) {
                    wrong.push(format!("{}:{number}: `{module}` may not use `{other}`", file.display()));
                }
                used.entry(module.clone()).or_default().insert(other);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (module, allowed) in &map {
        let used = used.get(module).cloned().unwrap_or_default();
        let unused: Vec<&String> = allowed.difference(&used).collect();
        assert!(
            unused.is_empty(),
            "the map lets `{module}` use {unused:?}, and it does not; take that out of the map"
        );
    }
    Ok(())
}

#[test]
fn libraries_and_unsafe_stay_in_their_rooms() -> Result<()> {
    let mut wrong = Vec::new();
    for (file, text) in files(&source())? {
        let module = module(&file)?;
        for (number, line) in code(&text) {
            for (word, rooms) in ONLY {
                if has_word(line, word) && !rooms.contains(&module.as_str()) {
                    wrong.push(format!("{}:{number}: `{word}` belongs into {rooms:?}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn what_decides_looks_at_nothing_by_itself() -> Result<()> {
    let mut wrong = Vec::new();
    for place in PURE {
        let place = source().join(place);
        assert!(place.exists(), "{} is gone: this test must follow it", place.display());
        for (file, text) in files(&place)? {
            for (number, line) in code(&text) {
                for word in IMPURE_WORDS.iter().filter(|word| line.contains(**word)) {
                    wrong.push(format!("{}:{number}: `{word}` in code that is to be pure", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn drivers_know_no_part_of_the_daemon() -> Result<()> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins");
    for driver in ["sdk", "sqlite", "postgres", "mysql", "mock"] {
        let manifest = fs::read_to_string(plugins.join(driver).join("Cargo.toml"))?;
        let depends = manifest.split("[dev-dependencies]").next().unwrap_or_default();
        let names_daemon =
            depends.lines().any(|line| line.starts_with("runsheet.") || line.starts_with("runsheet ="));
        assert!(!names_daemon, "plugins/{driver} depends on the daemon");
    }
    Ok(())
}
