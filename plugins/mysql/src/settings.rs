//! An instance's settings. Option files of the engine's own clients are not looked at: a daemon's sessions depend on its config
//! alone.
//!
//! | setting | meaning | default |
//! | --- | --- | --- |
//! | `host` | a name or an address; either this or `socket` | |
//! | `socket` | the path of a unix socket | |
//! | `port` | the port of `host` | `3306` |
//! | `user` | the account; required | |
//! | `password` | its password, for mysql_native_password, caching_sha2_password, sha256_password, ed25519 or, where the connection is secret, mysql_clear_password | none |
//! | `tls` | `disable`, `prefer`, `require`, `verify-ca` or `verify-full`, with the meanings of PostgreSQL's `sslmode`; not for a socket | `prefer` |
//! | `tls_ca` | the authorities to trust | the system's |
//! | `tls_cert`, `tls_key` | the client's certificate and key | none |
//! | `server_public_key` | the server's RSA key in PEM, for passwords without TLS; without it the server is asked for its key only with `tls = "disable"` or on this machine | asked for |
//! | `connect_timeout` | for all of connecting: finding the host, TLS and the login | `10s` |
//! | `keepalive` | how long a silent server is taken for alive before it is probed; `0` means for ever | `60s` |
//! | `sql_mode`, `time_zone` | the session's | the server's |
//! | `warnings` | `kept`: each is read and told; `counted`: only their number, where a sheet needs ROW_COUNT() behind a statement with some | `kept` |
//! | `lock_wait_timeout`, `innodb_lock_wait_timeout` | how long a statement waits for a table, or for a row | the server's |
//! | `gtid` | `auto`: MySQL marks statements that commit by themselves where it can; `off`: it does not | `auto` |
//! | `gtid_domain_id` | the domain of MariaDB's log that is Runsheet's alone, or a range of them such as `7001-7016`; without it MariaDB marks nothing | none |
//! | `non_transactional_dml` | `refuse` or `allow`: changes to rows of tables that know no transactions | `refuse` |

use crate::judge;
use crate::split::Strings;
use runsheet_network::{Mode, Place, Reach, Tls, read_or_tell};
use runsheet_sdk::{Error, Settings};
use std::path::PathBuf;
use std::time::Duration;

const KNOWN: &[&str] = &[
    "host",
    "socket",
    "port",
    "user",
    "password",
    "tls",
    "tls_ca",
    "tls_cert",
    "tls_key",
    "server_public_key",
    "connect_timeout",
    "keepalive",
    "sql_mode",
    "time_zone",
    "lock_wait_timeout",
    "innodb_lock_wait_timeout",
    "warnings",
    "gtid",
    "gtid_domain_id",
    "non_transactional_dml",
];
/// Warnings that MariaDB keeps for a statement: more than its default by far, and no more than are logged.
const WARNINGS_MAX: u32 = 10_000;
/// The longest that `lock_wait_timeout` may be: a year.
const LOCK_TIME_MAX: Duration = Duration::from_secs(31_536_000);

/// The settings, read.
#[derive(Clone)]
pub(crate) struct Options {
    pub reach: Reach,
    pub user: String,
    pub password: Option<String>,
    pub tls: Tls,
    pub server_public_key: Option<PathBuf>,
    pub connect_timeout: Duration,
    /// Whether warnings are read, and not only counted.
    pub reads_warnings: bool,
    /// What a session begins with, and goes back to when it is reset.
    pub init: String,
    /// How sheets are read where they set no mode themselves.
    pub strings: Strings,
    pub judging: judge::Options,
}

impl Options {
    /// Reads them. Every fault that can be seen without connecting is told.
    pub fn read(settings: &Settings) -> Result<Self, Vec<Error>> {
        let mut faults = settings.unknown(KNOWN);
        let place = place(settings, &mut faults);
        let user = read_or_tell(settings.required("user"), &mut faults).unwrap_or_default().to_owned();
        if user.contains('\0') {
            faults.push(Error::setting("user", "`user` has a NUL byte in it"));
        }
        let modes = [Mode::Disable, Mode::Prefer, Mode::Require, Mode::VerifyCa, Mode::VerifyFull];
        let options = Self {
            reach: Reach { place, keepalive: time(settings, "keepalive", 60, &mut faults) },
            user,
            password: settings.text("password").filter(|word| !word.is_empty()).map(str::to_owned),
            tls: Tls::read(settings, &modes, &mut faults),
            server_public_key: settings.text("server_public_key").map(PathBuf::from),
            connect_timeout: time(settings, "connect_timeout", 10, &mut faults),
            reads_warnings: read_or_tell(
                settings.word("warnings", "kept", &["kept", "counted"]),
                &mut faults,
            ) != Some("counted"),
            init: init(settings, &mut faults),
            strings: Strings::of_mode(settings.text("sql_mode").unwrap_or_default()),
            judging: judge::Options::read(settings, &mut faults),
        };
        if options.connect_timeout.is_zero() {
            faults.push(Error::setting("connect_timeout", "`connect_timeout` must be more than nothing"));
        }
        if let Some(path) = &options.server_public_key
            && let Err(error) = std::fs::read(path)
        {
            let message = format!("`server_public_key`: {} cannot be read: {error}", path.display());
            faults.push(Error::setting("server_public_key", message));
        }
        if faults.is_empty() { Ok(options) } else { Err(faults) }
    }

    /// The host's name; nothing for a socket.
    pub fn host(&self) -> &str {
        match &self.reach.place {
            Place::Host(host, _) => host,
            Place::Socket(_) => "",
        }
    }

    /// Where it connects to, for people.
    pub fn place(&self) -> String {
        match &self.reach.place {
            Place::Host(host, port) => format!("{host}:{port} as {}", self.user),
            Place::Socket(path) => format!("{} as {}", path.display(), self.user),
        }
    }
}

fn place(settings: &Settings, faults: &mut Vec<Error>) -> Place {
    let port = read_or_tell(settings.number("port", 3306, 1..=65_535), faults);
    let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(3306);
    let filled = |key: &str| settings.text(key).filter(|text| !text.is_empty());
    match (filled("host"), filled("socket")) {
        (Some(host), None) => Place::Host(host.to_owned(), port),
        (None, Some(socket)) => Place::Socket(PathBuf::from(socket)),
        (None, None) => {
            let message = "the setting `host` or `socket` is required, and neither is set";
            faults.push(Error::setting("host", message));
            Place::Host(String::new(), port)
        }
        (Some(_), Some(socket)) => {
            let message = "`host` and `socket` are both set; one of them is meant";
            faults.push(Error::setting("socket", message));
            Place::Socket(PathBuf::from(socket))
        }
    }
}

fn time(settings: &Settings, key: &str, seconds: u64, faults: &mut Vec<Error>) -> Duration {
    let default = Duration::from_secs(seconds);
    read_or_tell(settings.duration(key, default), faults).unwrap_or(default)
}

/// The statement that makes a session the same on every server, as far as the settings say.
fn init(settings: &Settings, faults: &mut Vec<Error>) -> String {
    // MySQL keeps a thousand by itself, and lets only administrators change that.
    let mut init =
        format!("SET NAMES utf8mb4, autocommit = 1 /*M! , SESSION max_error_count = {WARNINGS_MAX} */");
    for key in ["sql_mode", "time_zone"] {
        let Some(value) = settings.text(key) else { continue };
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ',' | '/' | '+' | '-' | ':');
        if value.chars().all(fits) {
            init.push_str(&format!(", SESSION {key} = '{value}'"));
        } else {
            faults.push(Error::setting(key, format!("`{key}` has a character that it cannot have")));
        }
    }
    for key in ["lock_wait_timeout", "innodb_lock_wait_timeout"] {
        if settings.text(key).is_none() {
            continue;
        }
        let limit = time(settings, key, 1, faults);
        // Both are whole seconds, at least one on MySQL.
        if limit.is_zero() || limit > LOCK_TIME_MAX || limit.subsec_millis() != 0 {
            let message = format!("`{key}` must be whole seconds, from 1 s to a year");
            faults.push(Error::setting(key, message));
        }
        init.push_str(&format!(", SESSION {key} = {}", limit.as_secs()));
    }
    init
}
