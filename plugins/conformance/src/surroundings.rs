//! The process as it was before the driver was loaded, and what is written to standard output and error meanwhile.

use anyhow::{Context, Result};
use rustix::fs::MemfdFlags;
use std::collections::BTreeMap;
use std::ffi::{CStr, OsString, c_char, c_int};
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// Every category of the locale, on Linux.
const LC_ALL: c_int = 6;

unsafe extern "C" {
    fn setlocale(category: c_int, locale: *const c_char) -> *const c_char;
}

/// What a driver must leave as it is.
#[derive(Debug, PartialEq, Eq)]
struct Surroundings {
    directory: PathBuf,
    environment: BTreeMap<OsString, OsString>,
    locale: String,
    /// Lines of `/proc/self/status`: umask, and signals that are caught and ignored.
    status: BTreeMap<String, String>,
    /// Where standard output and error lead to.
    outputs: [PathBuf; 2],
}

impl Surroundings {
    fn now() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let wanted = ["Umask", "SigCgt", "SigIgn"];
        let lines = status.lines().filter_map(|line| line.split_once(':'));
        Ok(Self {
            directory: std::env::current_dir()?,
            environment: std::env::vars_os().collect(),
            locale: locale(),
            status: lines
                .filter(|(name, _)| wanted.contains(name))
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
            outputs: [fs::read_link("/proc/self/fd/1")?, fs::read_link("/proc/self/fd/2")?],
        })
    }
}

fn locale() -> String {
    // SAFETY: with NULL the locale is only asked for; the text is copied before anybody can change it.
    let said = unsafe { setlocale(LC_ALL, std::ptr::null()).as_ref() };
    // SAFETY: what is given is a text that ends with a NUL.
    said.map(|said| unsafe { CStr::from_ptr(said) }.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The watch over the process. While it lasts, standard output and error go into a file of its own.
pub(crate) struct Watched {
    before: Surroundings,
    file: File,
    outputs: [OwnedFd; 2],
}

impl Watched {
    /// Begins to watch.
    pub fn begin() -> Result<Self> {
        std::io::stdout().flush()?;
        let outputs = [
            rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?,
            rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 3)?,
        ];
        let file = File::from(rustix::fs::memfd_create("outputs", MemfdFlags::CLOEXEC)?);
        rustix::stdio::dup2_stdout(&file)?;
        rustix::stdio::dup2_stderr(&file)?;
        let before = Surroundings::now().context("the process could not be looked at")?;
        Ok(Self { before, file, outputs })
    }

    /// What is different now, in words; empty where nothing is.
    pub fn differences(&self) -> Result<Vec<String>> {
        let now = Surroundings::now()?;
        let Surroundings { directory, environment, locale, status, outputs } = &self.before;
        let mut found = Vec::new();
        if now.directory != *directory {
            found.push(format!("the working directory is {} now", now.directory.display()));
        }
        if now.environment != *environment {
            found.push("the environment is another".to_owned());
        }
        if now.locale != *locale {
            found.push(format!("the locale is {} now, and was {locale}", now.locale));
        }
        for (name, value) in status {
            if now.status.get(name) != Some(value) {
                found.push(format!("{name} is {:?} now, and was {value}", now.status.get(name)));
            }
        }
        if now.outputs != *outputs {
            found.push("standard output or error lead elsewhere".to_owned());
        }
        let mut file = self.file.try_clone()?;
        let mut written = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut written)?;
        let written = String::from_utf8_lossy(&written);
        let lines: Vec<&str> = written.lines().filter(|line| !is_of_harness(line)).collect();
        if !lines.is_empty() {
            found.push(format!("this was written to standard output or error: {}", lines.join("\n")));
        }
        Ok(found)
    }

    /// Lets standard output and error go where they went before.
    pub fn end(&self) {
        let [out, error] = &self.outputs;
        // Where they cannot be put back, nobody is left to tell.
        let _ = rustix::stdio::dup2_stdout(out);
        let _ = rustix::stdio::dup2_stderr(error);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether the harness of a Rust test has written a line: that the test takes long, which it says meanwhile.
fn is_of_harness(line: &str) -> bool {
    line.starts_with("test ") && line.contains(" has been running for over ")
}

/// How many descriptors and threads the process has.
pub(crate) fn descriptors_and_threads() -> Result<(usize, usize)> {
    let count = |folder: &str| fs::read_dir(folder).map(Iterator::count);
    Ok((count("/proc/self/fd")?, count("/proc/self/task")?))
}
