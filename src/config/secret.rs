//! Secrets: named in the config, read from where they are kept, never shown.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The longest secret.
const BYTES_MAX: u64 = 64 * 1024;

/// The kind and the name in a table `{ credential | file | env = "…" }`. Nothing where the table is no secret.
fn named(table: &toml::Table) -> Option<(&str, &str)> {
    let (kind, name) = table.iter().next().filter(|_| table.len() == 1)?;
    let kind = ["credential", "file", "env"].into_iter().find(|known| known == kind)?;
    Some((kind, name.as_str()?))
}

/// Whether a table names a secret.
pub(super) fn is_one(table: &toml::Table) -> bool {
    named(table).is_some()
}

/// Reads what a table names; a file counts from `base`. Nothing where the table is no secret.
pub(super) fn read(table: &toml::Table, base: &Path) -> Option<Result<String, String>> {
    let (kind, name) = named(table)?;
    match kind {
        "credential" => Some(credential(name)),
        "file" => Some(file(&base.join(name), true)),
        "env" => Some(std::env::var(name).map_err(|_| format!("the variable {name} is not set"))),
        _ => None,
    }
}

/// A systemd credential: a file in a folder that only this service sees.
fn credential(name: &str) -> Result<String, String> {
    if name.contains('/') || name.starts_with('.') {
        return Err(format!("{name:?} is no credential's name"));
    }
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from).ok_or_else(|| {
        format!("the credential {name} is not there, because systemd gave none; add LoadCredential={name}:/path to the unit, or use {{ file = … }}")
    })?;
    file(&folder.join(name), false)
}

fn file(path: &Path, must_be_private: bool) -> Result<String, String> {
    let unreadable = |why: std::io::Error| format!("{} cannot be read: {why}", path.display());
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if must_be_private && meta.mode() & 0o077 != 0 {
        return Err(format!(
            "{} may be read by others (mode {:o}): chmod 600 {}",
            path.display(),
            meta.mode() & 0o777,
            path.display()
        ));
    }
    if meta.len() > BYTES_MAX {
        return Err(format!("{} is too large for a secret", path.display()));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
