//! Killed in the middle of a sheet that is one transaction: after the restart every row is there exactly once, and nobody was asked.

mod site;

use anyhow::Result;
use site::{Engine, Site, plan_of, task};
use std::fmt::Write;
use std::time::Duration;

const ROWS: u32 = 40_000;

/// How often each engine's run is killed; `RUNSHEET_KILLS` for more.
fn kills() -> u64 {
    std::env::var("RUNSHEET_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

fn seed() -> u64 {
    let given = std::env::var("RUNSHEET_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()))
}

/// The next number of a simple generator: the seed alone repeats the moments.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn killed_again_and_again(name: &str, engine: &Engine) -> Result<()> {
    let seed = seed();
    let mut state = seed;
    let mut site = Site::new("")?;
    let databases = site.path("databases");
    let config = std::fs::read_to_string(site.path("config.toml"))?;
    site.write("config.toml", format!("{config}{}", engine.instance("main", &databases)))?;
    let mut inserts = String::new();
    for row in 0..ROWS {
        // No key, so that a row that came twice is seen.
        writeln!(inserts, "INSERT INTO t VALUES ({row});")?;
    }
    let mut killed_in_the_middle = 0;
    for round in 0..kills() {
        let database = engine.fresh_database()?;
        let target = format!("instances/main/databases/{database}");
        let plan = format!("round-{round}");
        site.drop_file(&format!("test/{plan}/make.sql"), "CREATE TABLE t (id INTEGER);")?;
        site.drop_file(&format!("test/{plan}/fill.sql"), &inserts)?;
        site.drop_file(
            &format!("test/{plan}/plan.json"),
            plan_of(&[&[("make", &target, "make")], &[("fill", &target, "fill")]]),
        )?;
        site.start()?;
        // Not before the inserts have begun, and then at a random moment.
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            let running = site
                .plan(&format!("projects/test/plans/{plan}"))
                .is_ok_and(|plan| matches!(task(&plan, "fill")["status"].as_str(), Some("RUNNING" | "DONE")));
            if running {
                break;
            }
            std::thread::sleep(Duration::from_millis(3));
        }
        std::thread::sleep(Duration::from_micros(next(&mut state) % 400_000));
        site.kill();
        if task(&site.plan(&format!("projects/test/plans/{plan}"))?, "fill")["status"] == "RUNNING" {
            killed_in_the_middle += 1;
        }
        site.start()?;
        let ended = site.wait_for(&format!("projects/test/plans/{plan}"), &["DONE", "FAILED", "BLOCKED"])?;
        assert_eq!(ended["status"], "DONE", "{name}, seed {seed}, round {round}: {ended:#}");
        let rows = engine.number(&databases, &database, "SELECT count(*) FROM t")?;
        let distinct = engine.number(&databases, &database, "SELECT count(DISTINCT id) FROM t")?;
        assert_eq!(
            (rows, distinct),
            (i64::from(ROWS), i64::from(ROWS)),
            "{name}, seed {seed}, round {round}"
        );
        site.kill();
    }
    println!("{name}: {killed_in_the_middle} of {} kills hit the sheet in the middle (seed {seed})", kills());
    assert!(
        killed_in_the_middle > 0,
        "{name}: no kill came in the middle, so nothing was shown (seed {seed})"
    );
    Ok(())
}

#[test]
fn on_sqlite_every_row_is_there_once() -> Result<()> {
    killed_again_and_again("sqlite", &Engine::Sqlite)
}

#[test]
fn on_postgres_every_row_is_there_once() -> Result<()> {
    killed_again_and_again("postgres", &Engine::Postgres(runsheet_test_servers::shared::postgres()))
}

#[test]
fn on_mariadb_every_row_is_there_once() -> Result<()> {
    killed_again_and_again("mariadb", &Engine::MySql(runsheet_test_servers::shared::mariadb()))
}

#[test]
fn on_mysql_every_row_is_there_once() -> Result<()> {
    killed_again_and_again("mysql", &Engine::MySql(runsheet_test_servers::shared::mysql()))
}
