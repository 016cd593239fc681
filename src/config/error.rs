//! What is wrong with a config, with its place.

use std::path::PathBuf;

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
    #[error("the config {path} is not TOML:\n{why}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, drawn.
        why: Box<toml::de::Error>,
    },
    /// Settings are wrong.
    #[error("the config has {} fault(s):\n  {}", .0.len(), .0.join("\n  "))]
    Faults(Vec<String>),
}
