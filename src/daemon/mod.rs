//! The daemon: puts config, state, drivers, inbox, engine and socket together, and runs until it is told to end.

mod change;
mod due;
mod engine;
mod event;
mod forecast;
mod logging;
mod operate;
mod results;
mod schedule;
mod server;
mod signals;
mod systemd;
mod work;

pub use forecast::waiting_without_daemon;

use crate::config::{Config, ConfigError};
use crate::driver::Drivers;
use crate::executor::Pool;
use crate::{inbox, store};
use engine::{Engine, Parts};
use event::{EngineHandle, Event};
use server::Server;
use std::path::PathBuf;
use std::sync::Arc;
use store::StateFolder;

/// How a daemon is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The config file.
    pub config: PathBuf,
    /// Whether it ends when nothing is left to do.
    pub until_idle: bool,
    /// Whether it listens to signals; not where it runs inside another command.
    pub signals: bool,
}

/// Why a daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was told to.
    Fine,
    /// Nothing was left to do.
    Idle,
    /// The state could not be recorded.
    Unrecorded,
    /// The program broke down.
    Bug,
}

/// Why a daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The config is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The state cannot be used.
    #[error(transparent)]
    State(#[from] store::Error),
    /// The folder of drivers cannot be read.
    #[error("the folder of drivers {path} cannot be read: {why}; name it in the config: [daemon] plugins")]
    Plugins {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// The inbox cannot be used.
    #[error("the inbox cannot be used: {0}")]
    Inbox(std::io::Error),
    /// Nobody could speak to it.
    #[error(
        "the control socket {path} cannot be made: {why}; name another one in the config: [daemon] socket"
    )]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// The system gives no thread or no signals.
    #[error("a thread could not be started: {0}")]
    Thread(std::io::Error),
}

/// Runs a daemon to its end.
pub fn run(options: Options) -> Result<Exit, Error> {
    let config = Config::load(&options.config)?;
    logging::start(config.daemon.log, &config.daemon.log_level);
    config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    // The lock first: nothing is looked at that another daemon may be changing.
    let state = StateFolder::take(&config.folders.state)?;
    let store = state.open()?;
    let sheets = state.sheets()?;
    let drivers = load_drivers(&config)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Thread)?;
    let (handle, events) = EngineHandle::new();
    if options.signals {
        signals::listen(handle.clone()).map_err(Error::Thread)?;
    }
    let exit = runtime.block_on(async {
        let path = config.daemon.socket.clone();
        let server = Server::listen(&path).map_err(|why| Error::Socket { path, why })?;
        tokio::spawn(server.serve(store.clone(), handle.clone()));
        let to_engine = handle.clone();
        let inbox = inbox::start(
            inbox_options(&config),
            config.instances.keys().cloned().collect(),
            store.clone(),
            sheets.clone(),
            Box::new(move |news| {
                to_engine.send(match news {
                    inbox::News::Accepted(plan) => Event::Accepted(plan),
                    inbox::News::Failed(why) => Event::StoreFailed(why),
                });
            }),
        )
        .map_err(Error::Inbox)?;
        let socket = config.daemon.socket.clone();
        let engine = Engine::new(Parts {
            config_path: options.config.clone(),
            config,
            drivers,
            store,
            sheets,
            pool: Arc::new(Pool::new()),
            inbox,
            handle,
            until_idle: options.until_idle,
        })?;
        systemd::ready();
        tracing::info!("ready");
        let exit = engine.run(events).await;
        // Gone with the daemon that listened on it.
        let _ = std::fs::remove_file(socket);
        Ok::<Exit, Error>(exit)
    })?;
    // Threads that still run a statement end with the process; what they did is found by the next start.
    runtime.shutdown_background();
    drop(state);
    tracing::info!(?exit, "ended");
    Ok(exit)
}

fn load_drivers(config: &Config) -> Result<Drivers, Error> {
    let drivers = Drivers::load(&config.daemon.plugins)
        .map_err(|why| Error::Plugins { path: config.daemon.plugins.clone(), why })?;
    for found in drivers.found() {
        match &found.result {
            Ok(driver) => tracing::info!(driver = driver.name(), version = driver.version(), "driver loaded"),
            Err(error) => tracing::error!("a driver is not used: {error}"),
        }
    }
    for instance in config.instances.values() {
        match drivers.get(&instance.driver) {
            Some(driver) => {
                for fault in driver.check(&instance.settings) {
                    tracing::error!(instance = instance.name, "{fault}");
                }
            }
            None => tracing::error!(
                instance = instance.name,
                "there is no driver `{}` in {}; its tasks will fail",
                instance.driver,
                config.daemon.plugins.display()
            ),
        }
    }
    Ok(drivers)
}

fn inbox_options(config: &Config) -> inbox::Options {
    inbox::Options {
        inbox: config.folders.inbox.clone(),
        accepted: config.folders.accepted.clone(),
        rejected: config.folders.rejected.clone(),
        settle: config.inbox.settle,
        settle_max: config.inbox.settle_max,
        rescan: config.inbox.rescan,
        max_sheet_bytes: config.inbox.max_sheet_bytes,
        max_plan_bytes: config.inbox.max_plan_bytes,
        max_files: config.inbox.max_files,
        watch: true,
    }
}

/// What differs between two configs and takes effect only at a new start.
fn not_reloadable(old: &Config, new: &Config) -> Vec<&'static str> {
    [
        ("[folders]", old.folders != new.folders),
        ("daemon.socket", old.daemon.socket != new.daemon.socket),
        ("daemon.plugins", old.daemon.plugins != new.daemon.plugins),
        ("daemon.log", (old.daemon.log, &old.daemon.log_level) != (new.daemon.log, &new.daemon.log_level)),
        ("[inbox]", old.inbox != new.inbox),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(what, _)| what)
    .collect()
}
