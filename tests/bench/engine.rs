//! Very many tasks that cost nothing by themselves, on a driver without a database: what is left is Runsheet's own work of plan,
//! scheduler, state and results. Beside it, SQLite alone writes the rows that the state cannot do without.

use super::process::Took;
use super::site::Site;
use super::turns::{PROJECT, ROUNDS, spec, to_its_end};
use super::{Row, Table, median};
use anyhow::{Context, Result, ensure};
use rusqlite::Connection;
use serde_json::Value;
use std::path::Path;
use std::time::Instant;

/// How many tasks.
const TASKS: [usize; 3] = [1_000, 10_000, 100_000];
/// On how many databases.
const LANES: usize = 1_000;
/// How many run at once.
const AT_ONCE: usize = 64;

/// Measures, and compares the cost of a task where there are few with that where there are many.
pub fn run() -> Result<Table> {
    let mut rows = Vec::new();
    let mut measured = Vec::new();
    for tasks in TASKS {
        let (mut took, mut floor) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            floor.push(rows_alone(tasks)?);
            took.push(once(tasks)?);
        }
        #[expect(clippy::cast_precision_loss, reason = "a hundred thousand is exact")]
        let count = tasks as f64;
        let of_all = |what: fn(&Took) -> f64| median(took.iter().map(what).collect());
        let (wall, peak, floor) = (of_all(|took| took.wall), of_all(|took| took.peak), median(floor));
        measured.push((count, wall, peak));
        rows.extend([
            Row::new(format!("{tasks} tasks"), wall, "s"),
            Row::new(format!("{tasks} tasks: in a second"), count / wall, "tasks"),
            Row::new(format!("{tasks} tasks: their rows alone, by SQLite"), floor, "s"),
            Row::new(format!("{tasks} tasks: of that time"), wall / floor, "×"),
            Row::new(format!("{tasks} tasks: processor time"), of_all(|took| took.processor), "s"),
            Row::new(format!("{tasks} tasks: peak memory"), peak, "MB"),
        ]);
    }
    let (few, wall_of_few, peak_of_few) = *measured.first().context("a row")?;
    let (many, wall_of_many, peak_of_many) = *measured.last().context("a row")?;
    let by_task = (peak_of_many - peak_of_few) * 1_000.0 / (many - few);
    rows.extend([
        Row::new(
            "a task among the most, of one among the fewest",
            wall_of_many / many * few / wall_of_few,
            "×",
        ),
        Row::new("peak memory, by further task", by_task, "kB"),
    ]);
    let head =
        format!("tasks on {LANES} databases of the driver without one, {AT_ONCE} at once, {ROUNDS} rounds");
    Ok(Table { head, rows })
}

/// A daemon from its start to its end.
fn once(tasks: usize) -> Result<Took> {
    let instance = format!("[instances.main]\ndriver = \"mock\"\nmax_connections = {AT_ONCE}\n");
    let site = Site::with_config(&format!("[scheduler]\nmax_running_tasks = {AT_ONCE}\n"), &instance)?;
    site.drop_file(&format!("{PROJECT}/sheet.sql"), "ok;\n")?;
    let specs: Vec<Value> =
        (0..tasks).map(|task| spec(&format!("t{task}"), &format!("db{}", task % LANES), "sheet")).collect();
    let took = to_its_end(&site, &specs)?;
    let state = Connection::open(site.path("state/runsheet.db"))?;
    let done: i64 =
        state.query_row("SELECT count(*) FROM tasks WHERE status = 'DONE'", [], |row| row.get(0))?;
    ensure!(usize::try_from(done)? == tasks, "{done} of {tasks} tasks are DONE");
    Ok(took)
}

/// The least that must be on the disk: that a run has begun, before it does; and that it has ended, before the next does.
fn rows_alone(tasks: usize) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let mut state = open(&folder.path().join("rows.db"))?;
    let begun = Instant::now();
    let transaction = state.transaction()?;
    for task in 0..tasks {
        transaction
            .prepare_cached(
                "INSERT INTO tasks VALUES (?1, 'instances/main/databases/db', 'sheet', 'NOT_STARTED')",
            )?
            .execute([task])?;
    }
    transaction.commit()?;
    for first in (0..tasks).step_by(AT_ONCE) {
        let group = first..tasks.min(first + AT_ONCE);
        let transaction = state.transaction()?;
        for task in group {
            // The ends of those before, and the starts of these, are one commit.
            if task >= AT_ONCE {
                end(&transaction, task - AT_ONCE)?;
            }
            transaction
                .prepare_cached("UPDATE tasks SET status = 'RUNNING' WHERE id = ?1")?
                .execute([task])?;
            transaction
                .prepare_cached("INSERT INTO runs VALUES (?1, 'RUNNING', 0, NULL)")?
                .execute([task])?;
        }
        transaction.commit()?;
    }
    let transaction = state.transaction()?;
    (tasks.saturating_sub(AT_ONCE)..tasks).try_for_each(|task| end(&transaction, task))?;
    transaction.commit()?;
    Ok(begun.elapsed().as_secs_f64())
}

fn open(path: &Path) -> Result<Connection> {
    let state = Connection::open(path)?;
    state.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE tasks (id INTEGER PRIMARY KEY, target TEXT, sheet TEXT, status TEXT);
         CREATE TABLE runs (id INTEGER PRIMARY KEY, status TEXT, start INTEGER, \"end\" INTEGER);",
    )?;
    Ok(state)
}

fn end(state: &Connection, task: usize) -> Result<()> {
    state.prepare_cached("UPDATE tasks SET status = 'DONE' WHERE id = ?1")?.execute([task])?;
    state.prepare_cached("UPDATE runs SET status = 'DONE', \"end\" = 1 WHERE id = ?1")?.execute([task])?;
    Ok(())
}
