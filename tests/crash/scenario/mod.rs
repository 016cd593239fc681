//! Random plans of statements without natural idempotence, and what each database must hold when every one of them has taken effect
//! exactly once, in the plan's order. Pure: text in, text out.

mod mysql;
mod portable;
mod postgres;
mod sqlite;

use super::random::Random;
use std::collections::BTreeSet;

/// Which dialect the sheets are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
    MariaDb,
    MySql,
}

/// Something that must be seen in the end: a query and its one cell.
#[derive(Clone, Debug)]
pub struct Check {
    pub query: String,
    pub wanted: String,
}

/// A statement of which no fact tells whether it took effect, by the driver's own table; so a person may be asked about it, and about no
/// other.
#[derive(Clone, Debug)]
pub struct Doubt {
    pub sheet: String,
    /// From 1, as Runsheet counts.
    pub statement: u64,
    /// What makes it so, in the table's words.
    pub kind: &'static str,
    /// How the person finds out: 1 where it took effect, else 0.
    pub query: String,
}

/// A database of a plan.
#[derive(Clone, Debug, Default)]
pub struct Target {
    pub database: String,
    /// The rows of `trace`, in the order in which they must have come.
    pub trace: Vec<u64>,
    pub checks: Vec<Check>,
    /// What the trial does in the database before the plan, in a session of its own.
    pub before: Vec<String>,
    /// What the trial takes away behind the plan, outside the database.
    pub after: Vec<String>,
    /// What statements may change or drop: made earlier in the plan and not gone yet.
    made: Made,
}

/// Objects by their kind.
#[derive(Clone, Debug, Default)]
struct Made {
    tables: Vec<String>,
    indexes: Vec<String>,
    views: Vec<String>,
    routines: Vec<String>,
    triggers: Vec<String>,
    events: Vec<String>,
    users: Vec<String>,
    databases: Vec<String>,
    tablespaces: Vec<String>,
}

/// A plan with its sheets.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub plan: String,
    /// Name and text.
    pub sheets: Vec<(String, String)>,
    /// Spec and its sheet.
    pub specs: Vec<(String, String)>,
    pub targets: Vec<Target>,
    pub doubts: Vec<Doubt>,
    pub statements: u64,
}

/// What makes one up.
struct Maker<'r> {
    dialect: Dialect,
    random: &'r mut Random,
    /// Only what every migration tool can run.
    plain: bool,
    /// Grows with each statement: names and numbers that nothing else has.
    number: u64,
    targets: Vec<Target>,
    doubts: Vec<Doubt>,
    statements: u64,
    sheet: Sheet,
}

/// The sheet in the making.
#[derive(Clone, Default)]
struct Sheet {
    name: String,
    /// Its database.
    target: usize,
    text: String,
    statements: u64,
    /// Under `-- txn-mode = off`.
    alone: bool,
}

/// What a plain sheet has not. Some migration tools cannot run a transaction of the sheet's own, rows behind their statement, and what
/// needs an earlier statement of its session; settings of the server and prepared transactions would outlive the database.
const NOT_PLAIN: &[&str] = &["BEGIN;", "COPY ", "SET allow_in", "PREPARED '", "ALTER SYSTEM", "SET GLOBAL"];
/// Statements of one sheet, about.
const STATEMENTS_MAX: u64 = 10;
/// Tasks of one stage.
const TASKS_MAX: u64 = 4;
/// Stages behind the first, which makes the tables.
const STAGES_MAX: u64 = 2;

impl Scenario {
    /// Makes up a plan on these databases of the instance `main`.
    pub fn new(dialect: Dialect, databases: &[String], random: &mut Random) -> Self {
        Self::with(dialect, databases, false, random)
    }

    /// Makes up a plan on one database whose sheets every migration tool can run: its stages and tasks are no more than an order.
    pub fn plain(dialect: Dialect, database: &str, random: &mut Random) -> Self {
        Self::with(dialect, &[database.to_owned()], true, random)
    }

    fn with(dialect: Dialect, databases: &[String], plain: bool, random: &mut Random) -> Self {
        let targets = databases
            .iter()
            .map(|database| Target { database: database.clone(), ..Target::default() })
            .collect();
        Maker {
            dialect,
            random,
            plain,
            number: 0,
            targets,
            doubts: Vec::new(),
            statements: 0,
            sheet: Sheet::default(),
        }
        .make()
    }
}

impl Maker<'_> {
    fn make(mut self) -> Scenario {
        let mut sheets = vec![("make".to_owned(), self.tables().to_owned())];
        let mut stages: Vec<Vec<(usize, String)>> =
            vec![(0..self.targets.len()).map(|target| (target, "make".to_owned())).collect()];
        for _ in 0..=self.random.below(STAGES_MAX) {
            let mut tasks = Vec::new();
            for _ in 0..=self.random.below(TASKS_MAX) {
                let target = usize::try_from(self.random.below(self.targets.len() as u64)).expect("few");
                let name = format!("sheet{}", sheets.len());
                let text = self.make_sheet(&name, target);
                sheets.push((name.clone(), text));
                tasks.push((target, name));
            }
            stages.push(tasks);
        }
        for target in 0..self.targets.len() {
            self.check_what_is_left(target);
        }
        let (plan, specs) = self.plan(&stages);
        Scenario {
            plan,
            sheets,
            specs,
            targets: self.targets,
            doubts: self.doubts,
            statements: self.statements,
        }
    }

    fn plan(&mut self, stages: &[Vec<(usize, String)>]) -> (String, Vec<(String, String)>) {
        let mut steps = Vec::new();
        let mut sheets = Vec::new();
        for tasks in stages {
            let mut specs: Vec<serde_json::Value> = Vec::new();
            for (place, (target, sheet)) in tasks.iter().enumerate() {
                let id = format!("spec{}", sheets.len() + 1);
                // One that failed or was canceled lets later ones of its database go first; only a dependency says that they need it.
                let same = tasks[..place].iter().rposition(|(earlier, _)| earlier == target);
                let any = (place > 0 && self.random.chance(40)).then(|| place - 1);
                let depends: BTreeSet<&str> = [same, any]
                    .into_iter()
                    .flatten()
                    .map(|earlier| specs[earlier]["id"].as_str().expect("an id"))
                    .collect();
                let database = &self.targets[*target].database;
                let mut change = serde_json::json!({
                    "target": format!("instances/main/databases/{database}"),
                    "sheet": format!("projects/crash/sheets/{sheet}"), "type": "MIGRATE" });
                if self.random.chance(30) {
                    change["schemaVersion"] = format!("1.{}", sheets.len() + 1).into();
                }
                specs.push(serde_json::json!({ "id": id, "dependsOnSpecs": depends, "changeDatabaseConfig": change }));
                sheets.push((id, sheet.clone()));
            }
            steps.push(serde_json::json!({ "specs": specs }));
        }
        (serde_json::json!({ "steps": steps }).to_string(), sheets)
    }

    fn make_sheet(&mut self, name: &str, target: usize) -> String {
        let alone = !self.plain && self.random.chance(15);
        self.sheet = Sheet { name: name.to_owned(), target, alone, ..Sheet::default() };
        if alone {
            self.sheet.text.push_str("-- txn-mode = off\n");
        }
        if self.dialect == Dialect::Postgres && self.random.chance(20) {
            // The server may lose what it acknowledges; what Runsheet calls done it may not.
            self.put("SET synchronous_commit = off");
        }
        for _ in 0..=self.random.below(STATEMENTS_MAX) {
            if self.plain { self.plain_statement() } else { self.statement() }
        }
        std::mem::take(&mut self.sheet.text)
    }

    /// A statement, or a few that belong together.
    fn statement(&mut self) {
        self.number += 1;
        if self.random.chance(40) {
            return self.rows();
        }
        match self.dialect {
            Dialect::Sqlite => self.sqlite(),
            Dialect::Postgres => self.postgres(),
            Dialect::MariaDb | Dialect::MySql => self.mysql(),
        }
    }

    /// The next one that is plain: what is not is taken back.
    fn plain_statement(&mut self) {
        let kept = (self.sheet.clone(), self.targets.clone(), self.doubts.clone(), self.statements);
        loop {
            self.statement();
            if !NOT_PLAIN.iter().any(|form| self.sheet.text[kept.0.text.len()..].contains(form)) {
                return;
            }
            (self.sheet, self.targets, self.doubts, self.statements) = kept.clone();
        }
    }

    /// Puts one statement into the sheet.
    fn put(&mut self, statement: impl AsRef<str>) {
        self.sheet.text.push_str(statement.as_ref());
        self.sheet.text.push_str(";\n");
        self.sheet.statements += 1;
        self.statements += 1;
    }

    /// The statement that was put last is one that a person may be asked about; the query gives 1 where it took effect.
    fn doubt(&mut self, kind: &'static str, query: impl Into<String>) {
        self.doubts.push(Doubt {
            sheet: self.sheet.name.clone(),
            statement: self.sheet.statements,
            kind,
            query: query.into(),
        });
    }

    /// The database of the sheet.
    fn target(&mut self) -> &mut Target {
        &mut self.targets[self.sheet.target]
    }

    /// A name on the whole server that nothing else has.
    fn named(&self, letter: char) -> String {
        format!("{}_{letter}{}", self.targets[self.sheet.target].database, self.number)
    }

    fn check(&mut self, query: impl Into<String>, wanted: &str) {
        self.target().checks.push(Check { query: query.into(), wanted: wanted.to_owned() });
    }

    /// A row of `trace`, which a statement of the sheet makes.
    fn traced(&mut self, number: u64) {
        self.target().trace.push(number);
    }
}
