//! A real job: one plan of three stages over eight databases on PostgreSQL, MariaDB, MySQL and SQLite, with schemas, code and rows as
//! their tools write them. Some tasks fail, and a person repairs, retries and skips. What ran when is asked of the servers, and what
//! is in the databases in the end is what the engines' own clients make of the same sheets.

mod sheets;
mod site;

use anyhow::{Result, ensure};
use runsheet_test_servers::shared;
use serde_json::{Value, json};
use sheets::{Dialect, Entry, Frame, client, rental};
use site::{Engine, Site, task};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const PLAN: &str = "projects/test/plans/real";
const WAIT_MAX: Duration = Duration::from_secs(20);

/// A database of the plan.
struct Place {
    instance: &'static str,
    engine: Engine,
    database: String,
    frame: Frame,
    /// A database beside it that only the engine's own client touches.
    mirror: String,
}

/// A task of the plan.
struct Task {
    id: String,
    place: usize,
    /// The sheet without its frame: what the engine's own client is given.
    bare: Vec<u8>,
    framing: Framing,
    depends_on: Vec<&'static str>,
}

#[derive(PartialEq)]
enum Framing {
    None,
    Frame,
    Gate,
}

struct RealJob {
    site: Site,
    folder: PathBuf,
    places: Vec<Place>,
    stages: Vec<Vec<Task>>,
}

/// The instance of a place, and its engine. Each instance has two places.
fn engine_of(place: usize) -> (&'static str, Engine) {
    match place / 2 {
        0 => ("pg", Engine::Postgres(shared::postgres())),
        1 => ("maria", Engine::MySql(shared::mariadb())),
        2 => ("mysql", Engine::MySql(shared::mysql())),
        _ => ("lite", Engine::Sqlite),
    }
}

const NAMES: [&str; 8] =
    ["pg-one", "pg-two", "maria-one", "maria-two", "mysql-one", "mysql-two", "lite-one", "lite-two"];
const PG_TWO: usize = 1;
const MARIA_ONE: usize = 2;
const MARIA_TWO: usize = 3;
const MYSQL_ONE: usize = 4;
const MYSQL_TWO: usize = 5;
const LITE_ONE: usize = 6;
/// The places of which a server can tell who works there now.
const SERVED: std::ops::Range<usize> = 0..6;

fn dialect(engine: &Engine) -> Dialect {
    match engine {
        Engine::Postgres(_) => Dialect::Postgres,
        Engine::MySql(_) => Dialect::MySql,
        Engine::Sqlite => Dialect::Sqlite,
    }
}

/// The second stage's sheet: changes of the schema with rows between them.
fn change(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => {
            "ALTER TABLE rental.film ADD COLUMN blurb text DEFAULT 'none; yet';
UPDATE rental.film SET blurb = $$it's; $$ || title WHERE film_id <= 100;
CREATE INDEX CONCURRENTLY film_blurb ON rental.film (blurb);
ALTER TYPE rental.rating ADD VALUE 'from 18';
INSERT INTO rental.change_log (what) VALUES ('blurbs; for films');"
        }
        Dialect::MySql => {
            "SET NAMES utf8mb4;
ALTER TABLE film ADD COLUMN blurb VARCHAR(300) DEFAULT 'none; yet';
UPDATE film SET blurb = CONCAT('it\\'s; ', title) WHERE film_id <= 100;
CREATE INDEX film_blurb ON film (blurb(20));
DELIMITER $$
CREATE TRIGGER member_gone BEFORE DELETE ON member FOR EACH ROW BEGIN
  INSERT INTO `change; log` (`what ``it`` was`) VALUES (CONCAT('gone; ', old.member_id));
END$$
DELIMITER ;
DELETE FROM member WHERE member_id = 1001;"
        }
        Dialect::Sqlite => {
            "ALTER TABLE film ADD COLUMN blurb TEXT DEFAULT 'none; yet';
UPDATE film SET blurb = 'it''s; ' || title WHERE film_id <= 100;
CREATE INDEX film_blurb ON film (blurb);"
        }
    }
}

/// The third stage's sheet: counts what the first two have left.
fn finish(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => {
            "CREATE TABLE rental.summary AS SELECT count(*) AS films, sum(length(blurb)) AS letters FROM rental.film;
REFRESH MATERIALIZED VIEW rental.sales_by_half;"
        }
        Dialect::MySql | Dialect::Sqlite => {
            "CREATE TABLE summary AS SELECT COUNT(*) AS films, SUM(LENGTH(blurb)) AS letters FROM film;"
        }
    }
}

/// Commits half of itself before it fails, since every table that MySQL makes is a commit.
const TWICE: &str = "CREATE TABLE step_one (id INT);
INSERT INTO step_one VALUES (1), (2), (3);
CREATE TABLE in_the_way (id INT);
INSERT INTO step_one VALUES (4), (5);
";
/// Has no effect, since its second statement breaks a foreign key.
const BROKEN: &str = "UPDATE film SET title = 'never seen' WHERE film_id = 3;
INSERT INTO loan VALUES (90000, 1, 4711, '2025-01-01', NULL);";
/// Fails as long as another film has the number.
const TAKEN: &str = "UPDATE film SET title = 'seen once; only' WHERE film_id = 303;
INSERT INTO film (film_id, title, language_id) VALUES (5000, 'The film; with the number', 1);";

/// `dumps` has what each engine's own program has dumped.
fn stages(dumps: &[Vec<u8>]) -> Vec<Vec<Task>> {
    let task = |id: &str, place: usize, bare: &str| Task {
        id: id.to_owned(),
        place,
        bare: bare.as_bytes().to_vec(),
        framing: Framing::Frame,
        depends_on: Vec::new(),
    };
    let each = |word: &str, sheet: fn(Dialect) -> &'static str| -> Vec<Task> {
        let made = |(place, name): (usize, &&str)| {
            task(&format!("{word}-{name}"), place, sheet(dialect(&engine_of(place).1)))
        };
        NAMES.iter().enumerate().map(made).collect()
    };
    let mut load = each("load", |_| "");
    for (place, task) in load.iter_mut().enumerate() {
        // The first of each engine as people write it, the second as the engine's own program dumps it.
        let by_hand = || rental(dialect(&engine_of(place).1)).into_bytes();
        task.bare = if place % 2 == 0 { by_hand() } else { dumps[place / 2].clone() };
        task.framing = if SERVED.contains(&place) { Framing::Gate } else { Framing::Frame };
    }
    load.push(task("beside-pg-two", PG_TWO, "SELECT 1"));
    load.push(Task { depends_on: vec!["load-pg-two"], ..task("after-maria-one", MARIA_ONE, "SELECT 1") });
    let mut changes = vec![
        task("broken-mysql-one", MYSQL_ONE, BROKEN),
        Task { depends_on: vec!["broken-mysql-one"], ..task("after-mysql-two", MYSQL_TWO, "SELECT 1") },
        Task { framing: Framing::None, ..task("twice-maria-two", MARIA_TWO, TWICE) },
        task("taken-lite-one", LITE_ONE, TAKEN),
    ];
    changes.extend(each("change", change));
    vec![load, changes, each("finish", finish)]
}

impl RealJob {
    fn new() -> Result<Self> {
        let site = Site::new("")?;
        let folder = site.path("databases");
        let (mut places, mut dumps) = (Vec::new(), Vec::new());
        let mut config = std::fs::read_to_string(site.path("config.toml"))?;
        for place in 0..NAMES.len() {
            let (instance, engine) = engine_of(place);
            let (database, mirror) = (engine.fresh_database()?, engine.fresh_database()?);
            if place % 2 == 0 {
                config.push_str(&engine.instance(instance, &folder));
                client::run(&engine, &folder, &mirror, rental(dialect(&engine)).as_bytes())?;
                dumps.push(client::dump(&engine, &folder, &mirror)?);
            }
            let frame = Frame::make(&engine, &folder, &database)?;
            places.push(Place { instance, engine, database, frame, mirror });
        }
        site.write("config.toml", &config)?;
        Ok(Self { site, folder, places, stages: stages(&dumps) })
    }

    /// Drops all the sheets, and then their plan.
    fn drop_plan(&self) -> Result<()> {
        let mut steps = Vec::new();
        for stage in &self.stages {
            let mut specs = Vec::new();
            for Task { id, place, bare, framing, depends_on } in stage {
                let Place { instance, database, frame, .. } = &self.places[*place];
                let sheet = match framing {
                    Framing::None => bare.clone(),
                    Framing::Frame => frame.around(id, false, bare),
                    Framing::Gate => frame.around(id, true, bare),
                };
                self.site.drop_file(&format!("test/{id}.sql"), &sheet)?;
                specs.push(json!({ "id": id, "dependsOnSpecs": depends_on, "changeDatabaseConfig": {
                    "target": format!("instances/{instance}/databases/{database}"),
                    "sheet": format!("projects/test/sheets/{id}"), "type": "MIGRATE" } }));
            }
            steps.push(json!({ "specs": specs }));
        }
        self.site.drop_file("test/real.plan.json", json!({ "steps": steps }).to_string())
    }

    fn ask(&self, place: usize, sql: &str) -> Result<Vec<Vec<String>>> {
        let Place { engine, database, .. } = &self.places[place];
        engine.query(&self.folder, database, sql)
    }

    /// Waits until every server's task stands at its gate at one moment, and lets them all go on.
    fn let_through_the_gates(&self) -> Result<()> {
        let begun = Instant::now();
        let waits = |place: &Place| place.frame.waits_at_gate(&place.engine, &self.folder);
        let served = &self.places[SERVED];
        while !served.iter().map(waits).collect::<Result<Vec<bool>>>()?.into_iter().all(|waits| waits) {
            ensure!(begun.elapsed() < WAIT_MAX, "the six never ran at once: {:#}", self.site.plan(PLAN)?);
            std::thread::sleep(Duration::from_millis(20));
        }
        served.iter().try_for_each(|place| place.frame.open_gate(&place.engine, &self.folder))
    }

    fn say(&self, word: &str, spec: &str) -> Result<()> {
        let said = self.site.run(&[word, &format!("{PLAN}/{spec}"), "--reason", "repaired; looked at it"])?;
        ensure!(said.status.success(), "{word} {spec}: {}", String::from_utf8_lossy(&said.stderr));
        Ok(())
    }

    /// That no task of a stage has reached any server, as the servers say.
    fn assert_not_begun(&self, stage: usize) -> Result<()> {
        let logs = [shared::postgres().log(), shared::mariadb().general_log(), shared::mysql().general_log()];
        for Task { id, place, .. } in &self.stages[stage] {
            let Place { engine, frame, .. } = &self.places[*place];
            assert_eq!(frame.rows_of(engine, &self.folder, id)?, 0, "{id} has begun");
            for log in &logs {
                assert!(!log.contains(&format!("'{id}', 'begin'")), "{id} has reached its server");
            }
        }
        Ok(())
    }
}

fn statuses(plan: &Value, status: &str) -> Vec<String> {
    site::tasks(plan).into_iter().filter(|(_, is)| is == status).map(|(id, _)| id).collect()
}

/// What a person left in the databases that makes four tasks fail.
fn leave_causes(job: &RealJob) -> Result<()> {
    job.ask(
        PG_TWO,
        "CREATE FUNCTION frame.refuse() RETURNS event_trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'no triggers here; ask first'; END $$;
         CREATE EVENT TRIGGER no_triggers ON ddl_command_start WHEN TAG IN ('CREATE TRIGGER')
           EXECUTE FUNCTION frame.refuse()",
    )?;
    job.ask(MARIA_TWO, "CREATE TABLE in_the_way (id INT)")?;
    Ok(())
}

fn first_stage(job: &RealJob) -> Result<()> {
    job.let_through_the_gates()?;
    let plan = job.site.wait_for(PLAN, &["BLOCKED", "DONE", "FAILED"])?;
    assert_eq!(plan["status"], "BLOCKED", "{plan:#}");
    assert_eq!(statuses(&plan, "FAILED"), ["load-pg-two"], "{plan:#}");
    let error = &task(&plan, "load-pg-two")["runs"][0]["error"];
    assert_eq!(
        error["message"].as_str().unwrap_or_default().split(" (").next(),
        Some("no triggers here; ask first")
    );
    assert!(error["excerpt"].as_str().unwrap_or_default().starts_with("CREATE TRIGGER"), "{error:#}");
    // A failed task stops neither its siblings nor the next on its database; who depends on it waits, and the next stage too.
    assert_eq!(task(&plan, "beside-pg-two")["status"], "DONE");
    assert_eq!(task(&plan, "after-maria-one")["waiting"]["cause"], "DEPENDENCY");
    assert_eq!(task(&plan, "change-pg-one")["waiting"]["cause"], "STAGE");
    assert!(job.ask(PG_TWO, "SELECT 1 FROM pg_namespace WHERE nspname = 'rental'")?.is_empty());
    job.assert_not_begun(1)?;
    job.assert_not_begun(2)?;
    // The film's number is taken before the second stage comes to it.
    job.ask(LITE_ONE, "INSERT INTO film (film_id, title, language_id) VALUES (5000, 'In the way', 1)")?;
    job.ask(PG_TWO, "DROP EVENT TRIGGER no_triggers")?;
    job.say("retry", "load-pg-two")
}

/// Gives the moment before the skip, by the server's clock.
fn second_stage(job: &RealJob) -> Result<f64> {
    let plan = job.site.wait_for(PLAN, &["BLOCKED", "DONE", "FAILED"])?;
    let failed = statuses(&plan, "FAILED");
    assert_eq!(failed, ["broken-mysql-one", "twice-maria-two", "taken-lite-one"], "{plan:#}");
    assert_eq!(task(&plan, "after-mysql-two")["status"], "NOT_STARTED", "{plan:#}");
    job.assert_not_begun(2)?;
    assert_eq!(job.ask(MARIA_TWO, "SELECT id FROM step_one ORDER BY id")?.concat(), ["1", "2", "3"]);
    for place in [MYSQL_ONE, LITE_ONE] {
        assert!(job.ask(place, "SELECT 1 FROM film WHERE title LIKE '%seen%'")?.is_empty());
    }
    job.ask(MARIA_TWO, "DROP TABLE in_the_way")?;
    job.say("retry", "twice-maria-two")?;
    job.ask(LITE_ONE, "DELETE FROM film WHERE film_id = 5000")?;
    job.say("retry", "taken-lite-one")?;
    let now = job.ask(MYSQL_ONE, "SELECT UNIX_TIMESTAMP(SYSDATE(6))")?.concat();
    job.say("skip", "broken-mysql-one")?;
    Ok(now.concat().parse()?)
}

/// Who ran when, by each database's own clock and rows: lanes, stages and dependencies.
fn assert_order(job: &RealJob, skipped: f64) -> Result<()> {
    let entries: Vec<Vec<Entry>> = job
        .places
        .iter()
        .map(|place| place.frame.entries(&place.engine, &job.folder))
        .collect::<Result<_>>()?;
    for (place, (entries, name)) in entries.iter().zip(NAMES).enumerate() {
        let mut expected: Vec<String> =
            ["load", "change", "finish"].map(|word| format!("{word}-{name}")).into();
        match place {
            PG_TWO => expected.insert(0, "beside-pg-two".to_owned()),
            MARIA_ONE => expected.insert(1, "after-maria-one".to_owned()),
            // The one that others waited for was skipped only when the rest of its stage was done.
            MYSQL_TWO => expected.insert(2, "after-mysql-two".to_owned()),
            LITE_ONE => expected.insert(2, "taken-lite-one".to_owned()),
            _ => {}
        }
        let ran: Vec<&String> = entries.iter().map(|entry| &entry.task).collect();
        assert_eq!(ran, expected.iter().collect::<Vec<_>>(), "{name}: {entries:?}");
        for pair in entries.windows(2) {
            assert!(pair[0].end <= pair[1].begin, "two at once on {name}: {pair:?}");
        }
    }
    let all: Vec<&Entry> = entries.iter().flatten().collect();
    let of = |id: &str| *all.iter().find(|entry| entry.task == id).expect("it ran");
    for stages in job.stages.windows(2) {
        let ids = |stage: &[Task]| stage.iter().map(|task| task.id.clone()).collect::<Vec<_>>();
        let (earlier, later) = (ids(&stages[0]), ids(&stages[1]));
        for before in all.iter().filter(|entry| earlier.contains(&entry.task)) {
            for after in all.iter().filter(|entry| later.contains(&entry.task)) {
                assert!(before.end <= after.begin, "{after:?} began before the end of {before:?}");
            }
        }
    }
    // Those that stood at the gates together; the one that failed was run again later.
    let together: Vec<&Entry> =
        SERVED.filter(|place| *place != PG_TWO).map(|place| of(&format!("load-{}", NAMES[place]))).collect();
    for one in &together {
        assert!(together.iter().all(|other| one.begin < other.end), "not at once: {together:?}");
    }
    assert!(of("load-pg-two").end <= of("after-maria-one").begin);
    assert!(skipped <= of("after-mysql-two").begin);
    Ok(())
}

/// What one task sent to PostgreSQL, in the order of the server's log.
fn sent_to_postgres(spec: &str) -> Vec<String> {
    let label = format!(" runsheet {PLAN}/{spec} ");
    let of = |line: &str| line.split_once(&label).map(|(_, said)| said.to_owned());
    shared::postgres().log().lines().filter_map(of).collect()
}

/// The failed run and the good one, as PostgreSQL's log has them: the first undone, the second committed once.
fn assert_logged() {
    let log = sent_to_postgres("load-pg-two");
    let places = |words: &str| -> Vec<usize> {
        log.iter().enumerate().filter(|(_, line)| line.contains(words)).map(|(at, _)| at).collect()
    };
    let begins = places("VALUES ('load-pg-two', 'begin'");
    let errors = places("ERROR:  no triggers here; ask first");
    let rollbacks = places("statement: ROLLBACK");
    let commits = places("statement: COMMIT");
    assert_eq!((begins.len(), errors.len()), (2, 1), "{begins:?} {errors:?}");
    assert!(rollbacks.iter().any(|at| errors[0] < *at && *at < begins[1]), "{rollbacks:?}");
    assert!(!commits.iter().any(|at| begins[0] < *at && *at < begins[1]), "{commits:?}");
    assert_eq!(commits.iter().filter(|at| begins[1] < **at).count(), 1, "{commits:?}");
    for (log, name) in
        [(shared::mariadb().general_log(), "maria-two"), (shared::mysql().general_log(), "mysql-two")]
    {
        for word in ["load", "change", "finish"] {
            let begin = format!("VALUES ('{word}-{name}', 'begin'");
            assert_eq!(log.matches(&begin).count(), 1, "{begin} on its server");
        }
    }
}

/// Every database is what the engine's own client makes of the same sheets.
fn assert_same_as_the_clients(job: &RealJob) -> Result<()> {
    for (index, Place { engine, database, mirror, .. }) in job.places.iter().enumerate() {
        let sheets = job.stages.iter().flatten().filter(|task| task.place == index);
        for Task { id, bare, .. } in sheets.filter(|task| task.id != "broken-mysql-one") {
            let is_there_already = index % 2 == 0 && id.starts_with("load-");
            if !is_there_already {
                client::run(engine, &job.folder, mirror, bare)?;
            }
        }
        let ours = client::picture(engine, &job.folder, database)?;
        let theirs = client::picture(engine, &job.folder, mirror)?;
        ensure!(ours.len() > 100_000, "{} is nearly empty: {ours}", NAMES[index]);
        assert_same(&ours, &theirs, NAMES[index]);
    }
    // What was dumped and what was loaded from the dump went through the same changes since.
    job.ask(MARIA_TWO, "DROP TABLE step_one, in_the_way")?;
    for index in SERVED.step_by(2) {
        let [one, two] = [index, index + 1].map(|index| {
            client::picture(&job.places[index].engine, &job.folder, &job.places[index].database)
        });
        assert_same(&two?, &one?, NAMES[index + 1]);
    }
    Ok(())
}

fn assert_same(ours: &str, theirs: &str, name: &str) {
    if ours != theirs {
        let only = |text: &str, other: &str| -> Vec<String> {
            let other: std::collections::HashSet<&str> = other.lines().collect();
            text.lines().filter(|line| !other.contains(line)).take(10).map(str::to_owned).collect()
        };
        panic!("{name}: only ours {:#?}, only theirs {:#?}", only(ours, theirs), only(theirs, ours));
    }
}

#[test]
fn a_plan_over_eight_databases_runs_in_order_through_failures_to_what_the_clients_make() -> Result<()> {
    let mut job = RealJob::new()?;
    leave_causes(&job)?;
    job.drop_plan()?;
    job.site.start()?;
    first_stage(&job)?;
    let skipped = second_stage(&job)?;
    let plan = job.site.wait_for(PLAN, &["DONE", "BLOCKED", "FAILED"])?;
    assert_eq!(plan["status"], "DONE", "{plan:#}");
    assert_eq!(task(&plan, "broken-mysql-one")["status"], "SKIPPED");
    assert_eq!(
        job.ask(MARIA_TWO, "SELECT id FROM step_one ORDER BY id")?.concat(),
        ["1", "2", "3", "4", "5"]
    );
    assert_order(&job, skipped)?;
    assert_logged();
    assert_same_as_the_clients(&job)
}
