//! Peers: what other migration tools do under the same kills as Runsheet, in the same harness.
//!
//!     tests/crash/peers/install
//!     cargo test --test crash -- --peers [--runs N] [--engine NAME]… [--peer NAME]… [--seed N] [--each-statement] [--json] [--verbose]
//!
//! Each tool gets the same random sheets as the matrix makes for Runsheet, on one database, in the form in which its own documentation
//! wants SQL. First every tool must bring them in undisturbed, and the database must hold exactly what it should: sheets that one of them
//! cannot run count for nobody. Then the tool's process group is killed at a moment between its first and its last word to the database,
//! all moments alike; it is started again as a supervisor would, and the database is asked what took effect.
//!
//! What this does not show: servers, networks and disks that fail, and what a person could repair.

mod alembic;
mod dbmate;
mod django;
mod job;
mod kill;
mod migrations;
mod outcome;
mod report;
mod runsheet;
mod sqlx;
mod tool;
mod yoyo;

use super::bench::{self, Bench};
use super::random::Random;
use anyhow::{Result, bail, ensure};
use job::Job;
use kill::{End, Window};
use migrations::Layout;
use outcome::{Outcome, Verdict};
use report::{Engine, Left, Row};
use std::process::ExitCode;
use std::time::Duration;
use tool::Tool;

/// The engines, where nobody names some. Those whose servers mark statements are for Runsheet alone: no other tool asks for a mark.
const ENGINES: [&str; 4] = ["sqlite", "postgres", "mariadb", "mysql"];
/// How often each tool is killed on each engine, where nobody says.
const KILLS: u64 = 15;
/// Kills of each tool on the same sheets: every sheet costs an undisturbed run of every tool.
const KILLS_OF_SCENARIO: u64 = 3;
/// How often a tool is started again after the kill.
const RESTARTS_MAX: u32 = 3;
/// How long a supervisor waits before it starts a tool again: systemd's own default.
const RESTART_PAUSE: Duration = Duration::from_millis(100);
/// How many kills may come too late, one after the other, before a tool is said to be too fast.
const MISSES_MAX: u32 = 20;
/// How many sheets may be left out of a run on one engine before it is no comparison any more.
const LEFT_OUT_MAX: usize = 10;

struct Options {
    kills: u64,
    engines: Vec<String>,
    tools: Vec<String>,
    seed: u64,
    layout: Layout,
    json: bool,
    verbose: bool,
}

/// The program, by its arguments.
pub fn main(arguments: impl Iterator<Item = String>) -> ExitCode {
    let options = match options(arguments) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("crash --peers: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crash --peers: {error:?}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        kills: KILLS,
        engines: Vec::new(),
        tools: Vec::new(),
        seed: u64::from(std::process::id()),
        layout: Layout::Sheets,
        json: false,
        verbose: false,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| anyhow::anyhow!("{argument} needs a value"));
        match argument.as_str() {
            "--peers" | "--nocapture" => {}
            "--runs" => options.kills = value()?.parse()?,
            "--seed" => options.seed = value()?.parse()?,
            "--engine" => {
                let name = value()?;
                ensure!(bench::ENGINES.contains(&name.as_str()), "--engine is one of {:?}", bench::ENGINES);
                options.engines.push(name);
            }
            "--peer" => options.tools.push(value()?),
            "--each-statement" => options.layout = Layout::Statements,
            "--json" => options.json = true,
            "--verbose" => options.verbose = true,
            other => bail!("{other} is not known"),
        }
    }
    if options.engines.is_empty() {
        options.engines = ENGINES.map(str::to_owned).to_vec();
    }
    Ok(options)
}

fn run(options: &Options) -> Result<()> {
    let mut tools = tool::all();
    let names: Vec<&str> = tools.iter().map(|tool| tool.name()).collect();
    if let Some(unknown) = options.tools.iter().find(|name| !names.contains(&name.as_str())) {
        bail!("there is no tool `{unknown}`; there are: {}", names.join(", "));
    }
    tools.retain(|tool| options.tools.is_empty() || options.tools.iter().any(|name| name == tool.name()));
    let versions = tools.iter().map(|tool| tool.version()).collect::<Result<Vec<_>>>()?;
    let engines = options.engines.iter().map(|name| engine(name, &tools, options)).collect::<Result<_>>()?;
    let report = report::Report {
        date: report::today(),
        seed: options.seed,
        kills: options.kills,
        layout: options.layout,
        versions: tools.iter().map(|tool| tool.name().to_owned()).zip(versions).collect(),
        engines,
    };
    if options.json { report.print_json() } else { report.print() }
}

/// The kills on one engine.
fn engine(name: &str, tools: &[Box<dyn Tool>], options: &Options) -> Result<Engine> {
    let bench = Bench::start(name)?;
    let mut engine = Engine::new(name, bench.version()?, tools.iter().map(|tool| tool.name()));
    let mut number = 0;
    while engine.rows.iter().any(|row| row.kills() < options.kills) {
        // Each scenario from the seed and its number alone.
        let random = Random::new(options.seed ^ (number + 1_u64).wrapping_mul(0xD134_2543_DE82_EF95));
        number += 1;
        let windows = match undisturbed(&bench, tools, &random, options)? {
            Ok(windows) => windows,
            Err((tool, why)) => {
                engine.left_out.push(Left { scenario: number, tool, why });
                ensure!(
                    engine.left_out.len() <= LEFT_OUT_MAX,
                    "on {name} too many sheets cannot be run: {:#?}",
                    engine.left_out
                );
                continue;
            }
        };
        engine.scenarios += 1;
        for ((tool, row), window) in tools.iter().zip(&mut engine.rows).zip(windows) {
            let mut moments = Random::new(random.clone().next());
            let wanted = (row.kills() + KILLS_OF_SCENARIO).min(options.kills);
            while row.kills() < wanted {
                let verdict = killed(&bench, tool.as_ref(), &random, &mut moments, window, options)?;
                if options.verbose {
                    eprintln!("{name}, {}, sheets {number}: {verdict}", tool.name());
                }
                row.count(verdict);
            }
            eprintln!("{name}: {}", Row::line(row));
        }
    }
    Ok(engine)
}

/// Lets every tool bring the sheets in undisturbed. Gives how long each took, or who could not and why.
fn undisturbed(
    bench: &Bench,
    tools: &[Box<dyn Tool>],
    random: &Random,
    options: &Options,
) -> Result<std::result::Result<Vec<Window>, (String, String)>> {
    let mut windows = Vec::new();
    for tool in tools {
        let job = Job::new(bench, random, options.layout)?;
        tool.prepare(&job)?;
        let (done, window) = match kill::start(tool.as_ref(), &job, None)? {
            End::Itself { done, window } => (done, Some(window)),
            End::Killed(_) | End::TooLong => (false, None),
        };
        let verdict = outcome::judge(&job, done, tool.why(&job))?;
        match window {
            Some(window) if verdict.outcome == Outcome::Exact => windows.push(window),
            Some(_) | None => return Ok(Err((tool.name().to_owned(), verdict.to_string()))),
        }
        if windows.len() == 1 {
            outcome::prove(&job)?;
        }
    }
    Ok(Ok(windows))
}

/// One kill, the starts after it, and what the database says in the end.
fn killed(
    bench: &Bench,
    tool: &dyn Tool,
    random: &Random,
    moments: &mut Random,
    window: Window,
    options: &Options,
) -> Result<Verdict> {
    let mut took = window.took;
    for _ in 0..MISSES_MAX {
        let job = Job::new(bench, random, options.layout)?;
        tool.prepare(&job)?;
        let moment = Duration::from_micros(moments.below(u64::try_from(took.as_micros())?));
        if options.verbose {
            eprintln!("  {} killed {moment:.1?} after its first word, of {took:.1?}", tool.name());
        }
        match kill::start(tool, &job, Some(moment))? {
            End::Killed(had) if had.said.is_none() || had.said < window.said => {}
            // The kill came when all was said, or not at all: this is no trial, and a newer measure of how long the tool takes.
            End::Killed(had) | End::Itself { window: had, .. } => {
                took = had.took;
                continue;
            }
            End::TooLong => continue,
        }
        let done = goes_on(tool, &job)?;
        return outcome::judge(&job, done, tool.why(&job));
    }
    bail!("{} always ends before its kill comes", tool.name())
}

/// Starts a tool again as a supervisor does. True where it comes to its end.
fn goes_on(tool: &dyn Tool, job: &Job) -> Result<bool> {
    for _ in 0..RESTARTS_MAX {
        std::thread::sleep(RESTART_PAUSE);
        if matches!(kill::start(tool, job, None)?, End::Itself { done: true, .. }) {
            return Ok(true);
        }
    }
    Ok(false)
}
