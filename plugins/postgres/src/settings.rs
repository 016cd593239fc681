//! An instance's settings. What libpq would take from the environment or from files is not looked at: a daemon's sessions depend
//! on its config alone.
//!
//! | setting | meaning | default |
//! | --- | --- | --- |
//! | `host` | a name, an address, or the folder of a unix socket, which begins with `/`; required | |
//! | `port` | the port, also of a socket | `5432` |
//! | `user` | the account; required | |
//! | `password` | its password, for SCRAM-SHA-256, md5 or, where nobody can read it on the way, password | none |
//! | `tls` | `disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`, as libpq's `sslmode`; not for a socket | `prefer` |
//! | `tls_ca` | the authorities to trust, as `sslrootcert` | the system's |
//! | `tls_cert`, `tls_key` | the client's certificate and key, as `sslcert` and `sslkey` | none |
//! | `channel_binding` | `disable`, `prefer` or `require`: whether SCRAM is bound to the server's certificate | `prefer` |
//! | `connect_timeout` | for all of connecting: finding the host, TLS and the login | `10s` |
//! | `keepalive` | how long a silent server is taken for alive before it is probed; `0` means for ever | `60s` |
//! | `charset` | `client_encoding`: what the sheets are written in | `UTF8` |
//! | `statement_timeout`, `lock_timeout` | the session's limits, as durations | the server's |
//! | `search_path` | where names without a schema are looked for | the account's |
//! | `ledger_schema` | the schema of the ledger's table, made where it is missing | `runsheet` |

use runsheet_network::{Mode, Place, Reach, Tls, read_or_tell};
use runsheet_sdk::{Error, Settings};
use std::path::Path;
use std::time::Duration;

const KNOWN: &[&str] = &[
    "host",
    "port",
    "user",
    "password",
    "tls",
    "tls_ca",
    "tls_cert",
    "tls_key",
    "channel_binding",
    "connect_timeout",
    "keepalive",
    "charset",
    "statement_timeout",
    "lock_timeout",
    "search_path",
    "ledger_schema",
];
/// The longest name that the server keeps.
pub(crate) const NAME_BYTES_MAX: usize = 63;
/// The longest limit that the server takes, in its milliseconds.
const TIMEOUT_MAX: Duration = Duration::from_millis(i32::MAX as u64);

/// Whether SCRAM is bound to the server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    Disable,
    Prefer,
    Require,
}

/// The settings, read.
#[derive(Clone)]
pub(crate) struct Options {
    pub host: String,
    pub reach: Reach,
    pub user: String,
    pub password: Option<String>,
    pub tls: Tls,
    pub binding: Binding,
    pub connect_timeout: Duration,
    /// Parameters of the session that it begins with, and goes back to when it is reset.
    pub parameters: Vec<(&'static str, String)>,
    pub ledger_schema: String,
}

impl Options {
    /// Reads them. Every fault that can be seen without connecting is told.
    pub fn read(settings: &Settings) -> Result<Self, Vec<Error>> {
        let mut faults = settings.unknown(KNOWN);
        let host = read_or_tell(settings.required("host"), &mut faults).unwrap_or_default().to_owned();
        let port = read_or_tell(settings.number("port", 5432, 1..=65_535), &mut faults);
        let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(5432);
        let user = read_or_tell(settings.required("user"), &mut faults).unwrap_or_default().to_owned();
        for (key, value) in [("host", &host), ("user", &user)] {
            if value.contains('\0') {
                faults.push(Error::setting(key, format!("`{key}` has a NUL byte in it")));
            }
        }
        let modes =
            [Mode::Disable, Mode::Allow, Mode::Prefer, Mode::Require, Mode::VerifyCa, Mode::VerifyFull];
        let place = if host.starts_with('/') {
            Place::Socket(Path::new(&host).join(format!(".s.PGSQL.{port}")))
        } else {
            Place::Host(host.clone(), port)
        };
        let options = Self {
            reach: Reach { place, keepalive: time(settings, "keepalive", 60, &mut faults) },
            host,
            user,
            password: settings.text("password").filter(|word| !word.is_empty()).map(str::to_owned),
            tls: Tls::read(settings, &modes, &mut faults),
            binding: binding(settings, &mut faults),
            connect_timeout: time(settings, "connect_timeout", 10, &mut faults),
            parameters: parameters(settings, &mut faults),
            ledger_schema: settings.text("ledger_schema").unwrap_or("runsheet").to_owned(),
        };
        options.examine(&mut faults);
        if faults.is_empty() { Ok(options) } else { Err(faults) }
    }

    fn examine(&self, faults: &mut Vec<Error>) {
        let schema = &self.ledger_schema;
        if schema.is_empty() || schema.len() > NAME_BYTES_MAX || schema.contains('\0') {
            let message = "`ledger_schema` must be a schema's name of 1 to 63 bytes";
            faults.push(Error::setting("ledger_schema", message));
        }
        if self.connect_timeout.is_zero() {
            faults.push(Error::setting("connect_timeout", "`connect_timeout` must be more than nothing"));
        }
        if self.binding == Binding::Require && self.tls.mode == Mode::Disable {
            faults.push(Error::setting(
                "channel_binding",
                "channel_binding = \"require\" needs TLS, and tls = \"disable\" forbids it",
            ));
        }
        if self.binding == Binding::Require && self.password.is_none() {
            faults.push(Error::setting(
                "channel_binding",
                "channel_binding = \"require\" binds a log-in by password, and there is none",
            ));
        }
    }

    /// Whether texts of the session are UTF-8.
    pub fn is_utf8(&self) -> bool {
        self.parameters.iter().any(|(key, value)| {
            let plain: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
            *key == "client_encoding" && matches!(plain.to_ascii_lowercase().as_str(), "utf8" | "unicode")
        })
    }

    /// Where it connects to, for people.
    pub fn place(&self) -> String {
        match &self.reach.place {
            Place::Host(host, port) => format!("{host}:{port} as {}", self.user),
            Place::Socket(path) => format!("{} as {}", path.display(), self.user),
        }
    }
}

fn time(settings: &Settings, key: &str, seconds: u64, faults: &mut Vec<Error>) -> Duration {
    let default = Duration::from_secs(seconds);
    read_or_tell(settings.duration(key, default), faults).unwrap_or(default)
}

fn binding(settings: &Settings, faults: &mut Vec<Error>) -> Binding {
    let words = ["disable", "prefer", "require"];
    match read_or_tell(settings.word("channel_binding", "prefer", &words), faults) {
        Some("disable") => Binding::Disable,
        Some("require") => Binding::Require,
        _ => Binding::Prefer,
    }
}

fn parameters(settings: &Settings, faults: &mut Vec<Error>) -> Vec<(&'static str, String)> {
    let charset = settings.text("charset").unwrap_or("UTF8");
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if charset.is_empty() || !charset.chars().all(is_name) {
        faults.push(Error::setting("charset", "`charset` must be the name of an encoding, such as LATIN1"));
    }
    let mut parameters = vec![
        ("client_encoding", charset.to_owned()),
        // The splitter begins with it, whatever the database's own default is.
        ("standard_conforming_strings", "on".to_owned()),
    ];
    for key in ["statement_timeout", "lock_timeout"] {
        if settings.text(key).is_some() {
            let limit = time(settings, key, 0, faults);
            if limit > TIMEOUT_MAX {
                faults.push(Error::setting(key, format!("`{key}` must be less than 596 hours")));
            }
            parameters.push((key, format!("{}ms", limit.as_millis())));
        }
    }
    if let Some(path) = settings.text("search_path") {
        if path.contains('\0') {
            faults.push(Error::setting("search_path", "`search_path` has a NUL byte in it"));
        }
        parameters.push(("search_path", path.to_owned()));
    }
    parameters
}
