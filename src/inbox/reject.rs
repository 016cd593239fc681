//! Refusing a file: why goes beside it, for people and for scripts, and is on the disk before the file is moved.

use super::file::Root;
use super::name::shown;
use super::scan::Stamp;
use super::shelf;
use crate::plan::Faults;
use serde::Serialize;
use std::cell::RefCell;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What is put behind a file's name: why it was refused, for people and for scripts.
const ENDINGS: [&str; 2] = [".error.txt", ".error.json"];

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
        Self { text: faults.draw(&shown(place), text, false), faults }
    }

    /// A fault that is about the file as a whole.
    pub fn sentence(place: &Path, message: impl Into<String>, help: &str) -> Self {
        let message = message.into();
        let text = format!("{}: {message}\n{help}\n", shown(place));
        Self { text, faults: Faults::of_file(message, Some(help.to_owned())) }
    }

    /// It is a link, or something else that is no file.
    pub fn no_file(place: &Path, thing: &str) -> Self {
        Self::sentence(
            place,
            format!("it is {thing}; only plain files are taken in"),
            "Drop the file itself.",
        )
    }
}

#[derive(Serialize)]
struct ForScripts<'a> {
    file: String,
    time: String,
    faults: Vec<&'a crate::plan::Fault>,
    /// How many there are besides.
    more: usize,
}

/// Moves a file to `rejected/`, at the same place below it. False where it is gone or another one stands in its place.
pub(super) fn reject(
    root: &Root,
    rejected: &Path,
    place: &Path,
    stamp: Stamp,
    refused: &Refused,
) -> io::Result<bool> {
    let folder = rejected.join(place.parent().unwrap_or(Path::new("")));
    fs::create_dir_all(&folder)?;
    let begun = RefCell::new(None);
    let moved = shelf::move_into_with(root, place, stamp, &folder, |to| {
        begun.replace(Some(to.to_path_buf()));
        write_why(to, place, refused)
    })?;
    if moved.is_some() {
        tracing::warn!("{} was refused: {}", shown(place), first_line(&refused.text));
    } else if let Some(to) = begun.take() {
        // The file was not moved after all, so that there is nothing to explain.
        ENDINGS.iter().try_for_each(|ending| fs::remove_file(with_ending(&to, ending)))?;
    }
    Ok(moved.is_some())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn write_why(to: &Path, place: &Path, refused: &Refused) -> io::Result<()> {
    let for_scripts = ForScripts {
        file: place.display().to_string(),
        time: jiff::Timestamp::now().to_string(),
        faults: refused.faults.iter().collect(),
        more: refused.faults.more(),
    };
    let json = serde_json::to_string_pretty(&for_scripts).map_err(io::Error::other)?;
    for (ending, text) in ENDINGS.iter().zip([&refused.text, &json]) {
        let mut file = fs::File::create(with_ending(to, ending))?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
    }
    Ok(())
}

fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
