//! Settings: what is wrong is named, and a secret is told to nobody.

use crate::bench::{Bench, LABEL};
use crate::case::{Case, Need};
use anyhow::{Context, Result, bail, ensure};
use runsheet_sdk::{Applied, Class, Failure, Settings};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::Level;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "settings",
            rule: "`check` finds no fault in good settings, and names each setting that is unknown or missing.",
            needs: &[],
            check: settings,
        },
        Case {
            name: "wrong-password",
            rule: "A wrong password is class authentication, and stands in no message.",
            needs: &[Need::Accounts],
            check: wrong_password,
        },
    ]
}

fn without(settings: &Settings, name: &str) -> Settings {
    let mut less = Settings::new();
    for (key, value, secret) in settings.iter().filter(|(key, _, _)| *key != name) {
        less.set(key, value, secret);
    }
    less
}

fn settings(bench: &Bench) -> Result<()> {
    let good = &bench.target.settings;
    let faults = bench.library.check(good);
    ensure!(faults.is_empty(), "good settings have faults: {faults:?}");
    let mut unknown = good.clone();
    unknown.set("no-such-setting", "1", false);
    unknown.set("no-other-setting", "2", false);
    for name in ["no-such-setting", "no-other-setting"] {
        named(bench, &unknown, name)?;
    }
    for name in &bench.target.required {
        named(bench, &without(good, name), name)?;
    }
    Ok(())
}

fn named(bench: &Bench, settings: &Settings, name: &str) -> Result<()> {
    let faults = bench.library.check(settings);
    let fault = faults.iter().find(|fault| fault.object == name);
    let fault = fault.with_context(|| format!("no fault is about `{name}`: {faults:?}"))?;
    ensure!(fault.class == Class::Setting, "the fault of `{name}` is of class {}", fault.class);
    ensure!(!fault.message.is_empty(), "the fault of `{name}` has no message");
    Ok(())
}

/// What this thread logs meanwhile.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Makes a call, and gives all that was logged in it.
fn logged<T>(call: impl FnOnce() -> T) -> (T, String) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(move || writer.clone()).finish();
    let given = tracing::subscriber::with_default(subscriber, call);
    let written = log.0.lock().unwrap_or_else(PoisonError::into_inner);
    (given, String::from_utf8_lossy(&written).into_owned())
}

fn wrong_password(bench: &Bench) -> Result<()> {
    let settings = bench.target.refused.as_ref().context("the target has no settings that are refused")?;
    let (_, secret, _) = settings
        .iter()
        .find(|(key, _, is_secret)| *key == "password" && *is_secret)
        .context("the target's refused settings have no secret `password`")?;
    let database = &bench.target.database;
    let (opened, log) = logged(|| bench.library.open(settings, database, LABEL, &mut |_| {}));
    let error = match opened {
        Ok(_) => bail!("the server lets in whoever comes"),
        Err(error) => error,
    };
    ensure!(error.class == Class::Authentication, "the class is {}: {error:?}", error.class);
    ensure!(error.failure != Failure::DriverBug, "{error:?}");
    ensure!(error.applied == Applied::No, "applied is {}", error.applied);
    let said = format!("{error} {error:?}");
    ensure!(!said.contains(secret), "the secret was told");
    ensure!(!log.contains(secret), "the secret was logged");
    Ok(())
}
