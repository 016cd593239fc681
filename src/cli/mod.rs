//! The commands: arguments in, text or JSON out, an exit code at the end. They speak to the daemon over its socket, or read the
//! state folder where none runs; they decide nothing about tasks.

mod check;
mod config_check;
mod demo;
mod drivers;
mod exit;
mod follow;
mod log;
mod operate;
mod paint;
mod picture;
mod recover;
mod source;
mod split;
mod status;
mod submit;
mod table;

pub use exit::Exit;

use crate::config::Config;
use crate::control::Request;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Runs database change plans dropped into a folder, in order and exactly once.
#[derive(Debug, Parser)]
#[command(name = "runsheet", version, max_term_width = 100)]
pub struct Cli {
    /// The config file
    #[arg(long, global = true, env = "RUNSHEET_CONFIG", default_value = crate::config::DEFAULT_PATH, value_name = "FILE")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch the inbox and run what is dropped into it
    Daemon {
        /// End when nothing is left to do
        #[arg(long)]
        until_idle: bool,
    },
    /// Run a plan on three SQLite databases in a temporary folder, and show it as it goes
    Demo,
    /// Say everything about plans that can be said before they run
    Check {
        /// Plan files
        #[arg(required = true)]
        plans: Vec<PathBuf>,
        /// Connect to every target too
        #[arg(long)]
        connect: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Put a plan and its sheets into the inbox as one
    Submit {
        /// The plan file
        plan: PathBuf,
        /// Sheets; those that are not named are looked for beside the plan
        sheets: Vec<PathBuf>,
        /// Follow the plan to its end
        #[arg(long)]
        wait: bool,
    },
    /// What runs, what waits and for what
    Status {
        /// A plan: its name, or a unique beginning or end of it
        plan: Option<String>,
        /// Go on showing it as it changes: a plan until nothing of it goes on by itself
        #[arg(long)]
        watch: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// List plans that ended long ago too
        #[arg(long)]
        all: bool,
    },
    /// What happened, statement by statement
    Log {
        /// A plan, or a task as PLAN/SPEC
        of: String,
        /// Go on as it grows
        #[arg(long)]
        follow: bool,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Run a task again that FAILED or was CANCELED, or all such of a plan
    Retry(Operate),
    /// Take a task for not needed, or all of a plan that FAILED or were CANCELED
    Skip(Operate),
    /// Stop a task, or everything of a plan that has not ended
    Cancel(Operate),
    /// Let a plan go on that `recover` has rebuilt
    Release(Operate),
    /// Say whether the statement of a task that is IN_DOUBT took effect
    #[command(group = clap::ArgGroup::new("outcome").required(true))]
    Resolve {
        #[command(flatten)]
        operate: Operate,
        /// It took effect: the task goes on after it
        #[arg(long, group = "outcome")]
        applied: bool,
        /// It had no effect: the task runs it
        #[arg(long, group = "outcome")]
        not_applied: bool,
    },
    /// Rebuild a damaged state from accepted files and ledgers, and start nothing
    Recover {
        /// Show what would be rebuilt, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Go on where databases do not answer: the daemon asks them before it runs anything there
        #[arg(long)]
        unasked: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// The drivers that were found, and why one is not used
    Drivers {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// About the config
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Show how a sheet is cut into statements
    Split {
        /// The sheet
        sheet: PathBuf,
        /// The driver that cuts it
        #[arg(long)]
        driver: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Read the config as the daemon would, and connect to every instance
    Check,
}

#[derive(Debug, Args)]
struct Operate {
    /// A plan, or a task as PLAN/SPEC
    of: String,
    /// Why; kept in the audit log
    #[arg(long, default_value = "")]
    reason: String,
}

/// Runs the command of the program's arguments.
pub fn run() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; a closed pipe while printing them is nobody's.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Fine };
        }
    };
    match command(cli) {
        Ok(exit) => exit,
        Err(error) if paint::is_closed_pipe(&error) => Exit::Fine,
        Err(error) => {
            paint::say(&format!("runsheet: {error:#}"));
            exit::of(&error)
        }
    }
}

fn command(cli: Cli) -> anyhow::Result<Exit> {
    let Cli { config, command } = cli;
    // Those that connect to databases load it themselves; an operator need not be able to read the daemon's secrets.
    let load = || Config::load_without_secrets(&config);
    match command {
        Command::Daemon { until_idle } => {
            let options = crate::daemon::Options { config, until_idle, signals: true };
            Ok(exit::of_daemon(crate::daemon::run(options)?))
        }
        Command::Demo => demo::run(),
        Command::Check { plans, connect, json } => check::run(&config, &plans, connect, json),
        Command::Submit { plan, sheets, wait } => submit::run(&load()?, &plan, &sheets, wait),
        Command::Status { plan: Some(plan), watch: true, json, .. } => follow::plan(&load()?, &plan, json),
        Command::Status { plan: None, watch: true, json, all } => follow::plans(&load()?, json, all),
        Command::Status { plan, watch: false, json, all } => {
            status::run(&load()?, plan.as_deref(), json, all)
        }
        Command::Log { of, follow, json } => log::run(&load()?, &of, follow, json),
        Command::Retry(Operate { of, reason }) => operate::run(&load()?, &Request::Retry { of, reason }),
        Command::Skip(Operate { of, reason }) => operate::run(&load()?, &Request::Skip { of, reason }),
        Command::Cancel(Operate { of, reason }) => operate::run(&load()?, &Request::Cancel { of, reason }),
        Command::Release(Operate { of, reason }) => operate::run(&load()?, &Request::Release { of, reason }),
        Command::Resolve { operate: Operate { of, reason }, applied, .. } => {
            operate::run(&load()?, &Request::Resolve { of, applied, reason })
        }
        Command::Recover { dry_run, unasked, json } => {
            recover::run(&config, crate::recover::Options { dry_run, unasked }, json)
        }
        Command::Drivers { json } => drivers::run(&Config::load_if_there(&config)?, json),
        Command::Config { command: ConfigCommand::Check } => config_check::run(&config),
        Command::Split { sheet, driver, json } => {
            split::run(&Config::load_if_there(&config)?, &sheet, &driver, json)
        }
    }
}
