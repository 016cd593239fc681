//! One instance: what Runsheet itself needs of it, and the driver's own settings as text.

use super::read::Section;
use super::reading::{Reading, Secrets};
use super::{Instance, Ledger, secret};
use runsheet_sdk::Settings;
use std::time::Duration;

/// Keys whose values are secrets, wherever they stand.
const SECRET_KEYS: &[&str] = &["password", "passphrase", "secret", "token"];
/// How often a run that failed by chance is tried, and how long before the second time.
const RETRIES: u64 = 3;
const RETRIES_MAX: u64 = 100;
const RETRY_BACKOFF: Duration = Duration::from_secs(1);
/// The most connections of an instance.
const CONNECTIONS_MAX: u64 = 10_000;

pub(super) fn read(name: &str, table: &toml::Table, reading: &mut Reading) -> Option<Instance> {
    let place = format!("instances.{name}");
    let mut section = Section::new(&place, Some(table), reading);
    let driver = section.text("driver");
    let max_connections = section.number("max_connections", 1..=CONNECTIONS_MAX).unwrap_or(4);
    let ledger = section.word("ledger", &["target", "none"]);
    let orphans = section.word("orphans", &["wait", "cancel"]);
    let retry = section.table("retry");
    let rest = section.rest();
    let (retry_attempts, retry_backoff) = read_retry(&format!("{place}.retry"), retry.as_ref(), reading);
    let Some(driver) = driver else {
        reading.fault(&place, format!("`{place}` needs the key `driver`, such as driver = \"postgres\""));
        return None;
    };
    let good = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 128
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if !good {
        reading.fault(&place, format!("`{place}`: an instance's name has letters, digits, `.`, `_` and `-`, and begins with a letter or digit"));
    }
    let mut settings = Settings::new();
    for (key, value) in &rest {
        flatten(&place, key, value, &mut settings, reading);
    }
    Some(Instance {
        name: name.to_owned(),
        driver,
        max_connections: u32::try_from(max_connections).unwrap_or(u32::MAX),
        ledger: if ledger.as_deref() == Some("none") { Ledger::None } else { Ledger::Target },
        cancel_orphans: orphans.as_deref() == Some("cancel"),
        retry_attempts,
        retry_backoff,
        settings,
    })
}

fn read_retry(place: &str, table: Option<&toml::Table>, reading: &mut Reading) -> (u32, Duration) {
    let mut section = Section::new(place, table, reading);
    let attempts = section.number("attempts", 1..=RETRIES_MAX).unwrap_or(RETRIES);
    let backoff = section.duration("backoff").unwrap_or(RETRY_BACKOFF);
    let unknown: Vec<String> = section.rest().keys().cloned().collect();
    for key in unknown {
        let key = format!("{place}.{key}");
        reading.fault(&key, format!("`{key}` is no key of it; there are: attempts, backoff"));
    }
    (u32::try_from(attempts).unwrap_or(u32::MAX), backoff)
}

fn flatten(place: &str, key: &str, value: &toml::Value, settings: &mut Settings, reading: &mut Reading) {
    let full = format!("{place}.{key}");
    let last = key.rsplit('.').next().unwrap_or(key);
    let is_secret = SECRET_KEYS.contains(&last);
    match value {
        toml::Value::String(text) => {
            if is_secret {
                let words =
                    "has a secret in the config itself; { credential = … } or { file = … } keeps it apart";
                reading.warning(&full, format!("`{full}` {words}"));
            }
            settings.set(key, text.clone(), is_secret);
        }
        toml::Value::Integer(number) => settings.set(key, number.to_string(), is_secret),
        toml::Value::Float(number) => settings.set(key, number.to_string(), is_secret),
        toml::Value::Boolean(flag) => settings.set(key, flag.to_string(), is_secret),
        toml::Value::Datetime(time) => settings.set(key, time.to_string(), is_secret),
        toml::Value::Array(_) => reading.fault(&full, format!("`{full}` must be one value, not a list")),
        toml::Value::Table(table) if reading.secrets == Secrets::Leave && secret::is_one(table) => {}
        toml::Value::Table(table) => match secret::read(table, &reading.base) {
            Some(Ok(secret)) => settings.set(key, secret, true),
            Some(Err(why)) => reading.fault(&full, format!("`{full}`: {why}")),
            None => {
                for (inner, value) in table {
                    flatten(place, &format!("{key}.{inner}"), value, settings, reading);
                }
            }
        },
    }
}
