//! The power fails: what a daemon has said to be so is so afterwards. Random plans under power cuts are the crash matrix's; here is what
//! it comes by too seldom. The disk keeps what was synced, and of the rest nothing, all or a random part.

#[path = "crash/power.rs"]
mod power;
#[path = "crash/random.rs"]
#[allow(dead_code, reason = "the crash matrix uses all of it")]
mod random;
mod site;

use anyhow::{Result, bail};
use power::Power;
use random::Random;
use runsheet_test_relay::Side;
use site::{Engine, Site, plan_of, task};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;

const PLAN: &str = "projects/default/plans/books";
const TARGET: &str = "instances/main/databases/library";

/// A site on a disk of its own, with SQLite on the same disk.
struct Powered {
    // Gone before the site's folder is.
    power: Power,
    site: Site,
}

impl Powered {
    fn new() -> Result<Self> {
        let site = Site::new("")?;
        let power = Power::under(&site)?;
        let instance = Engine::Sqlite.instance("main", &site.path("databases"));
        let folders = "[folders]\nroot = \".\"\n[daemon]\nsocket = \"socket\"\n";
        site.write(
            "config.toml",
            format!("{folders}[inbox]\nsettle = \"5ms\"\nsettle_max = \"50ms\"\n{instance}"),
        )?;
        power.sync();
        Ok(Self { power, site })
    }

    /// Drops a plan of so many tasks, each with a sheet of its own, and syncs it as a careful person does.
    fn drop_plan(&self, tasks: usize) -> Result<()> {
        let names: Vec<String> = (0..tasks).map(|task| format!("s{task}")).collect();
        let specs: Vec<(&str, &str, &str)> =
            names.iter().map(|name| (name.as_str(), TARGET, name.as_str())).collect();
        for name in &names {
            self.site.drop_file(&format!("{name}.sql"), format!("CREATE TABLE {name} (a);\n"))?;
        }
        let plan = plan_of(&[&specs]).replace("projects/test/", "projects/default/");
        self.site.drop_file("books.plan.json", plan)?;
        self.power.sync();
        Ok(())
    }

    fn tables(&self) -> Result<i64> {
        let query = "SELECT count(*) FROM sqlite_schema WHERE name GLOB 's[0-9]*'";
        Engine::Sqlite.number(&self.site.path("databases"), "library", query)
    }
}

/// Everything that a first start makes, it makes so that a power cut at any moment leaves a beginning or nothing.
#[test]
fn the_power_fails_at_each_sync_of_a_first_start() -> Result<()> {
    for nth in 1..=24 {
        for side in Side::ALL {
            let mut powered = Powered::new()?;
            powered.drop_plan(2)?;
            let mut random = Random::new(nth);
            let came = powered.power.cut_at_sync(nth, side, &mut powered.site, &mut random)?;
            assert!(came, "a first start has more than {nth} syncs");
            powered.site.start()?;
            powered
                .site
                .wait_for(PLAN, &["DONE"])
                .map_err(|error| error.context(format!("{nth} {side:?}")))?;
            assert_eq!(powered.tables()?, 2, "{nth} {side:?}");
        }
    }
    Ok(())
}

/// Many sheets at once are made durable in another way than few.
#[test]
fn what_was_taken_in_is_there_after_a_power_cut() -> Result<()> {
    for tasks in [3, 60] {
        let mut powered = Powered::new()?;
        powered.drop_plan(tasks)?;
        let lock = powered.site.hold("library")?;
        powered.site.start()?;
        powered.site.wait_for(PLAN, &["RUNNING"])?;
        powered.power.cut_and_lose_all(&mut powered.site)?;
        drop(lock);
        powered.site.start()?;
        powered.site.wait_for(PLAN, &["DONE"])?;
        assert_eq!(usize::try_from(powered.tables()?)?, tasks);
    }
    Ok(())
}

/// A plan's end is shown before it stands in its `result.json`, so that a crash can come between: then it is written at the next start.
#[test]
fn the_end_of_a_plan_comes_into_its_result_file_whatever_comes_between() -> Result<()> {
    for with_power in [true, false] {
        let mut powered = Powered::new()?;
        powered.drop_plan(1)?;
        powered.site.start()?;
        powered.site.wait_for(PLAN, &["DONE"])?;
        if with_power {
            powered.site.kill();
        } else {
            powered.power.cut_and_lose_all(&mut powered.site)?;
        }
        powered.site.start_with(&["--until-idle"])?;
        powered.site.wait_for_end()?;
        // What was said to be written is there.
        powered.power.cut_and_lose_all(&mut powered.site)?;
        let result = fs::read_to_string(powered.site.path("results/default/books/result.json"))?;
        let result: serde_json::Value = serde_json::from_str(&result)?;
        assert_eq!(result["status"], "DONE", "{result:#}");
    }
    Ok(())
}

/// `submit` says yes when what it has dropped is on the disk.
#[test]
fn what_was_submitted_is_there_after_a_power_cut() -> Result<()> {
    let mut powered = Powered::new()?;
    // A start that ends at once makes the folders.
    powered.site.start_with(&["--until-idle"])?;
    powered.site.wait_for_end()?;
    let desk = tempfile::tempdir()?;
    let plan = plan_of(&[&[("s0", TARGET, "s0")]]).replace("projects/test/", "projects/default/");
    fs::write(desk.path().join("books.plan.json"), plan)?;
    fs::write(desk.path().join("s0.sql"), "CREATE TABLE s0 (a);\n")?;
    let plan = desk.path().join("books.plan.json").display().to_string();
    let said = powered.site.say(&["submit", &plan])?;
    assert_eq!(said.code, 0, "{said:?}");
    powered.power.cut_and_lose_all(&mut powered.site)?;
    powered.site.start()?;
    powered.site.wait_for(PLAN, &["DONE"])?;
    assert_eq!(powered.tables()?, 1);
    Ok(())
}

/// How a sheet that was dropped without a sync comes out of a power cut.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Dropped {
    /// It, or its plan, is not there.
    Gone,
    /// The plan was refused with words.
    PlanRefused,
    /// The sheet was refused with words, and the plan waits for a whole one.
    SheetRefused,
    /// The engine has refused it, and nothing of it is in.
    Failed,
    /// It was whole.
    Done,
}

/// Who copies a file into the inbox by `cp` right before a power cut finds it gone, empty, cut off, or full of zeros. Such a plan is no
/// JSON, an empty sheet is refused, and zeros or half a statement are no SQL. What nobody can see is a sheet that ends between two
/// statements: it looks whole, and on an engine that commits by itself so do the statements in front of a half one. `submit` syncs.
#[test]
fn what_a_power_cut_has_damaged_in_the_inbox_is_not_run_by_half() -> Result<()> {
    const TABLES: i64 = 150;
    let sheet: String =
        (0..TABLES).map(|table| format!("CREATE TABLE s{table} (a, b, c, d, e, f, g, h, i, j);\n")).collect();
    let plan = plan_of(&[&[("all", TARGET, "all")]]).replace("projects/test/", "projects/default/");
    let mut seen: BTreeMap<Dropped, u32> = BTreeMap::new();
    for seed in 0..40 {
        let mut powered = Powered::new()?;
        let (names, inbox) = (["all.sql", "books.plan.json"], powered.site.path("inbox"));
        names.iter().try_for_each(|name| fs::write(inbox.join(name), ""))?;
        powered.power.sync();
        for (name, text) in names.iter().zip([&sheet, &plan]) {
            // Parts of a length that ends in the middle of a statement.
            let mut file = fs::File::options().append(true).open(inbox.join(name))?;
            text.as_bytes().chunks(2_111).try_for_each(|part| file.write_all(part))?;
        }
        powered.power.cut_now(&mut powered.site, &mut Random::new(seed))?;
        powered.site.start_with(&["--until-idle"])?;
        powered.site.wait_for_end()?;
        *seen
            .entry(dropped(&powered, TABLES).map_err(|error| error.context(format!("seed {seed}")))?)
            .or_default() += 1;
    }
    println!("{seen:?}");
    for dropped in [Dropped::PlanRefused, Dropped::SheetRefused, Dropped::Failed, Dropped::Done] {
        assert!(seen.contains_key(&dropped), "never {dropped:?}: {seen:?}");
    }
    Ok(())
}

fn dropped(powered: &Powered, tables: i64) -> Result<Dropped> {
    let refused =
        |name: &str| fs::read_to_string(powered.site.path("rejected").join(format!("{name}.error.txt")));
    if let Ok(words) = refused("books.plan.json") {
        assert!(words.starts_with("error: the plan "), "{words}");
        return Ok(Dropped::PlanRefused);
    }
    let Ok(plan) = powered.site.plan(PLAN) else { return Ok(Dropped::Gone) };
    match plan["status"].as_str().unwrap_or_default() {
        "WAITING_FOR_SHEETS" => match refused("all.sql") {
            Ok(words) => {
                assert!(words.contains("it is empty"), "{words}");
                Ok(Dropped::SheetRefused)
            }
            Err(_) => Ok(Dropped::Gone),
        },
        "FAILED" => {
            assert_eq!(powered.tables()?, 0, "{plan:#}");
            let message = task(&plan, "all")["runs"][0]["error"]["message"].to_string();
            assert!(message.contains("NUL") || message.contains("incomplete"), "{message}");
            Ok(Dropped::Failed)
        }
        "DONE" => {
            assert_eq!(powered.tables()?, tables, "half a sheet was run: {plan:#}");
            Ok(Dropped::Done)
        }
        _ => bail!("{plan:#}"),
    }
}
