//! What is wrong with a config, with its place.

use std::path::{Path, PathBuf};

/// Why a config cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("the config {path} cannot be read: {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// A file is not TOML.
    #[error("the config is not TOML: {path}:{line}:{column}: {why}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in it, from 1.
        column: usize,
        /// What is wrong. The line itself is not shown: it may have a password in it.
        why: String,
    },
    /// Settings are wrong.
    #[error("the config has {}:\n  {}", counted(.0.len()), .0.join("\n  "))]
    Faults(Vec<String>),
}

fn counted(faults: usize) -> String {
    if faults == 1 { "a fault".to_owned() } else { format!("{faults} faults") }
}

impl ConfigError {
    pub(super) fn syntax(path: &Path, text: &str, why: &toml::de::Error) -> Self {
        let start = why.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self::Syntax {
            path: path.to_path_buf(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            why: why.message().to_owned(),
        }
    }
}
