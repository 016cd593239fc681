//! Why a driver library is not used.

use std::path::PathBuf;

/// Why a file is not used as a driver.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file or its folder can be changed by somebody who is neither root nor the daemon's user.
    #[error(
        "{path} may be written by others ({why}); a driver runs with all the daemon's rights, so the file and its folder must belong to root or to the daemon's user and be writable by nobody else: {advice}"
    )]
    Writable {
        /// The file or folder.
        path: PathBuf,
        /// What was seen.
        why: String,
        /// The command that puts it right.
        advice: String,
    },
    /// The file cannot be read or mapped.
    #[error(
        "{path} cannot be loaded: {why}; put a driver that was built for this machine there, or remove it"
    )]
    Unloadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// It has no `rsd_entry_v1`.
    #[error(
        "{path} is no driver for this version of Runsheet: it has no symbol rsd_entry_v1 ({why}); put the driver of this version there, or remove it"
    )]
    NoEntry {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// A table is smaller than version 1 of the ABI has it.
    #[error(
        "{path} says that its {table} has {found} bytes, but version 1 of the driver ABI needs at least {needed}; build it against this Runsheet's header"
    )]
    TooSmall {
        /// The file.
        path: PathBuf,
        /// Which struct.
        table: &'static str,
        /// What it says.
        found: u32,
        /// What is needed.
        needed: u32,
    },
    /// A required function is missing.
    #[error(
        "{path} lacks the function `{function}`, which the driver ABI requires; build it against this Runsheet's header, with every function set"
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// Which.
        function: &'static str,
    },
    /// Its name is not of the right form.
    #[error(
        "{path} calls itself {name:?}; a driver's name is lower-case letters, digits and dashes, beginning with a letter"
    )]
    BadName {
        /// The file.
        path: PathBuf,
        /// What it says.
        name: String,
    },
    /// It refused to start.
    #[error(
        "{path} refused to start with this version of Runsheet; put a version of the driver there that fits, or remove it"
    )]
    Refused {
        /// The file.
        path: PathBuf,
    },
    /// Another file gave this name already.
    #[error("{path} calls itself {name:?}, and so does {first}; remove one of them")]
    Twice {
        /// The second file.
        path: PathBuf,
        /// The name.
        name: String,
        /// The first file.
        first: PathBuf,
    },
}
