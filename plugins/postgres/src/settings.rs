//! An instance's settings. What libpq would take from the environment or from files is not looked at: a daemon's sessions depend
//! on its config alone.

use runsheet_sdk::{Error, Settings};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const KNOWN: &[&str] = &[
    "host",
    "port",
    "user",
    "password",
    "tls",
    "tls_ca",
    "tls_cert",
    "tls_key",
    "connect_timeout",
    "keepalive",
    "charset",
    "statement_timeout",
    "lock_timeout",
    "search_path",
    "ledger_schema",
];

/// What `tls` may be; the words mean what libpq's `sslmode` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// The settings, read.
#[derive(Clone)]
pub(crate) struct Options {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Option<String>,
    pub tls: Mode,
    pub tls_ca: Option<PathBuf>,
    pub tls_client: Option<(PathBuf, PathBuf)>,
    pub connect_timeout: Duration,
    pub keepalive: Duration,
    /// Parameters of the session that it begins with, and goes back to when it is reset.
    pub parameters: Vec<(&'static str, String)>,
    pub ledger_schema: String,
}

impl Options {
    pub fn read(settings: &Settings) -> Result<Self, Error> {
        let words = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
        let tls = match settings.word("tls", "prefer", &words)? {
            "disable" => Mode::Disable,
            "allow" => Mode::Allow,
            "require" => Mode::Require,
            "verify-ca" => Mode::VerifyCa,
            "verify-full" => Mode::VerifyFull,
            _ => Mode::Prefer,
        };
        let path = |key: &str| settings.text(key).map(PathBuf::from);
        let tls_client = match (path("tls_cert"), path("tls_key")) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((cert, key)),
            (Some(_), None) => {
                return Err(Error::setting("tls_key", "`tls_cert` needs `tls_key`, and it is not set"));
            }
            (None, Some(_)) => {
                return Err(Error::setting("tls_cert", "`tls_key` needs `tls_cert`, and it is not set"));
            }
        };
        let host = settings.required("host")?.to_owned();
        let mut parameters = vec![("client_encoding", settings.text("charset").unwrap_or("UTF8").to_owned())];
        for key in ["statement_timeout", "lock_timeout", "search_path"] {
            parameters.extend(settings.text(key).map(|value| (key, value.to_owned())));
        }
        let ledger_schema = settings.text("ledger_schema").unwrap_or("runsheet").to_owned();
        if ledger_schema.is_empty() || ledger_schema.len() > 63 || ledger_schema.contains('\0') {
            return Err(Error::setting(
                "ledger_schema",
                "`ledger_schema` must be a schema's name of 1 to 63 bytes",
            ));
        }
        Ok(Self {
            host,
            port: u16::try_from(settings.number("port", 5432, 1..=65_535)?).unwrap_or(5432),
            user: settings.required("user")?.to_owned(),
            password: settings.text("password").map(str::to_owned),
            tls,
            tls_ca: path("tls_ca"),
            tls_client,
            connect_timeout: settings.duration("connect_timeout", Duration::from_secs(10))?,
            keepalive: settings.duration("keepalive", Duration::from_secs(60))?,
            parameters,
            ledger_schema,
        })
    }

    /// Where it connects to, for people.
    pub fn place(&self) -> String {
        format!("{}:{} as {}", self.host, self.port, self.user)
    }
}
