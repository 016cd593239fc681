//! Initialised data folders: made once and copied, since making one takes seconds.

use crate::process::run;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where templates and fetched servers are kept, outside any checkout.
pub fn cache() -> PathBuf {
    if let Some(cache) = std::env::var_os("RUNSHEET_TEST_CACHE") {
        return PathBuf::from(cache);
    }
    match std::env::var_os("HOME") {
        Some(home) if !crate::process::is_root() => Path::new(&home).join(".cache/runsheet-tests"),
        _ => PathBuf::from("/var/cache/runsheet-tests"),
    }
}

/// Copies the template `name` to `to`; makes it first, by `make`, where there is none. One process makes it, the others wait.
pub(crate) fn copy_template(name: &str, to: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let folder = cache().join("templates");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let template = folder.join(name);
    let lock = File::create(folder.join(format!("{name}.lock")))?;
    lock.lock()?;
    if !template.exists() {
        let making = folder.join(format!(".{name}.making"));
        if making.exists() {
            fs::remove_dir_all(&making)?;
        }
        make(&making)?;
        fs::rename(&making, &template)?;
    }
    drop(lock);
    run(Command::new("cp").arg("-a").arg(&template).arg(to))?;
    Ok(())
}
