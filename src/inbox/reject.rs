//! Refusing a file: why goes beside it, for people and for scripts, and is on the disk before the file is moved.

use super::shelf;
use crate::plan::Faults;
use serde::Serialize;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a file is refused.
#[derive(Debug)]
pub(super) struct Refused {
    /// For people.
    pub text: String,
    /// For scripts.
    pub faults: Faults,
}

impl Refused {
    /// The faults of a text, drawn into it.
    pub fn faults(place: &Path, text: &str, faults: Faults) -> Self {
        Self { text: faults.draw(&place.display().to_string(), text, false), faults }
    }

    /// A fault that is about the file as a whole.
    pub fn sentence(place: &Path, message: impl Into<String>, help: &str) -> Self {
        let message = message.into();
        let text = format!("{}: {message}\n{help}\n", place.display());
        Self { text, faults: Faults::of_file(message, Some(help.to_owned())) }
    }
}

#[derive(Serialize)]
struct ForScripts<'a> {
    file: String,
    time: String,
    faults: Vec<&'a crate::plan::Fault>,
}

/// Moves a file to `rejected/`, at the same place below it.
pub(super) fn reject(inbox: &Path, rejected: &Path, place: &Path, refused: &Refused) -> io::Result<PathBuf> {
    let folder = rejected.join(place.parent().unwrap_or(Path::new("")));
    fs::create_dir_all(&folder)?;
    let to = shelf::move_into_with(&inbox.join(place), &folder, |to| write_why(to, place, refused))?;
    tracing::warn!("{} was refused: {}", place.display(), first_line(&refused.text));
    Ok(to)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn write_why(to: &Path, place: &Path, refused: &Refused) -> io::Result<()> {
    let for_scripts = ForScripts {
        file: place.display().to_string(),
        time: jiff::Timestamp::now().to_string(),
        faults: refused.faults.iter().collect(),
    };
    let json = serde_json::to_string_pretty(&for_scripts).map_err(io::Error::other)?;
    for (ending, text) in [("error.txt", &refused.text), ("error.json", &json)] {
        let mut name = to.as_os_str().to_owned();
        name.push(format!(".{ending}"));
        let mut file = fs::File::create(PathBuf::from(name))?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
    }
    Ok(())
}
