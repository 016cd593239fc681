//! An instance's settings.

use runsheet_sdk::{Error, Settings};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const KNOWN: &[&str] = &[
    "host",
    "socket",
    "port",
    "user",
    "password",
    "tls",
    "tls_ca",
    "tls_cert",
    "tls_key",
    "connect_timeout",
    "keepalive",
    "sql_mode",
    "time_zone",
    "lock_wait_timeout",
    "innodb_lock_wait_timeout",
];

/// What `tls` may be; the words mean what they mean for PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// The settings, read.
#[derive(Clone)]
pub(crate) struct Options {
    pub host: Option<String>,
    pub socket: Option<String>,
    pub port: u16,
    pub user: String,
    pub password: Option<String>,
    pub tls: Mode,
    pub tls_ca: Option<PathBuf>,
    pub tls_client: Option<(PathBuf, PathBuf)>,
    pub connect_timeout: Duration,
    pub keepalive: Duration,
    /// What a session begins with, and goes back to when it is reset.
    pub init: String,
}

impl Options {
    pub fn read(settings: &Settings) -> Result<Self, Error> {
        let words = ["disable", "prefer", "require", "verify-ca", "verify-full"];
        let tls = match settings.word("tls", "prefer", &words)? {
            "disable" => Mode::Disable,
            "require" => Mode::Require,
            "verify-ca" => Mode::VerifyCa,
            "verify-full" => Mode::VerifyFull,
            _ => Mode::Prefer,
        };
        let text = |key: &str| settings.text(key).map(str::to_owned);
        let (host, socket) = (text("host"), text("socket"));
        match (&host, &socket) {
            (None, None) => {
                return Err(Error::setting(
                    "host",
                    "the setting `host` or `socket` is required, and neither is set",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(Error::setting(
                    "socket",
                    "`host` and `socket` are both set; one of them is meant",
                ));
            }
            (Some(_), None) | (None, Some(_)) => {}
        }
        let tls_client = match (text("tls_cert"), text("tls_key")) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((PathBuf::from(cert), PathBuf::from(key))),
            (Some(_), None) => {
                return Err(Error::setting("tls_key", "`tls_cert` needs `tls_key`, and it is not set"));
            }
            (None, Some(_)) => {
                return Err(Error::setting("tls_cert", "`tls_key` needs `tls_cert`, and it is not set"));
            }
        };
        let mut init = "SET NAMES utf8mb4, autocommit = 1".to_owned();
        for key in ["sql_mode", "time_zone"] {
            if let Some(value) = settings.text(key) {
                if !value
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ',' | '/' | '+' | '-' | ':'))
                {
                    return Err(Error::setting(key, format!("`{key}` has a character that it cannot have")));
                }
                init.push_str(&format!(", SESSION {key} = '{value}'"));
            }
        }
        for key in ["lock_wait_timeout", "innodb_lock_wait_timeout"] {
            if settings.text(key).is_some() {
                let time = settings.duration(key, Duration::ZERO)?;
                init.push_str(&format!(", SESSION {key} = {}", time.as_secs().max(1)));
            }
        }
        Ok(Self {
            host,
            socket,
            port: u16::try_from(settings.number("port", 3306, 1..=65_535)?).unwrap_or(3306),
            user: settings.required("user")?.to_owned(),
            password: text("password"),
            tls,
            tls_ca: text("tls_ca").map(PathBuf::from),
            tls_client,
            connect_timeout: settings.duration("connect_timeout", Duration::from_secs(10))?,
            keepalive: settings.duration("keepalive", Duration::from_secs(60))?,
            init,
        })
    }

    /// Where it connects to, for people.
    pub fn place(&self) -> String {
        match (&self.socket, &self.host) {
            (Some(socket), _) => format!("{socket} as {}", self.user),
            (None, host) => format!("{}:{} as {}", host.as_deref().unwrap_or_default(), self.port, self.user),
        }
    }
}
