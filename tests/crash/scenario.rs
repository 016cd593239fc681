//! Random plans of statements without natural idempotence, and what each database must hold when every one of them has taken effect
//! exactly once, in the plan's order. Pure: text in, text out.

use super::random::Random;
use std::fmt::Write;

/// Which dialect the sheets are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
    MySql,
}

/// Something that must be seen in the end: a query and its one cell.
#[derive(Clone, Debug)]
pub struct Check {
    pub query: String,
    pub wanted: String,
}

/// A database of a plan.
#[derive(Clone, Debug)]
pub struct Target {
    pub database: String,
    /// The rows of `trace`, in the order in which they must have come.
    pub trace: Vec<u64>,
    pub checks: Vec<Check>,
    /// What statements may drop or rename: made earlier in the plan and not gone yet.
    tables: Vec<String>,
    indexes: Vec<String>,
}

/// A plan with its sheets.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub plan: String,
    /// Name and text.
    pub sheets: Vec<(String, String)>,
    pub targets: Vec<Target>,
    pub statements: u64,
}

/// What makes one up.
struct Maker<'r> {
    dialect: Dialect,
    random: &'r mut Random,
    number: u64,
    statements: u64,
    targets: Vec<Target>,
}

/// Statements of one sheet.
const STATEMENTS_MAX: u64 = 9;
/// Tasks of one stage.
const TASKS_MAX: u64 = 4;
/// Stages behind the first, which makes the tables.
const STAGES_MAX: u64 = 2;

impl Scenario {
    /// Makes up a plan on these databases of the instance `main`.
    pub fn new(dialect: Dialect, databases: &[String], random: &mut Random) -> Self {
        let targets = databases
            .iter()
            .map(|database| Target {
                database: database.clone(),
                trace: Vec::new(),
                checks: Vec::new(),
                tables: Vec::new(),
                indexes: Vec::new(),
            })
            .collect();
        let mut maker = Maker { dialect, random, number: 0, statements: 0, targets };
        maker.make()
    }
}

impl Maker<'_> {
    fn make(&mut self) -> Scenario {
        let mut sheets = vec![("make".to_owned(), self.tables().to_owned())];
        let first: Vec<(usize, String)> =
            (0..self.targets.len()).map(|target| (target, "make".to_owned())).collect();
        let mut stages = vec![first];
        for _ in 0..=self.random.below(STAGES_MAX) {
            let mut tasks = Vec::new();
            for _ in 0..=self.random.below(TASKS_MAX) {
                let target = self.target();
                let name = format!("sheet{}", sheets.len());
                sheets.push((name.clone(), self.sheet(target)));
                tasks.push((target, name));
            }
            stages.push(tasks);
        }
        for target in 0..self.targets.len() {
            for table in self.targets[target].tables.clone() {
                let query = self.table_exists(&table);
                self.check(target, query, "1");
            }
            for index in self.targets[target].indexes.clone() {
                let query = format!(
                    "SELECT count(*) FROM pg_index WHERE indexrelid = '{index}'::regclass AND indisvalid"
                );
                self.check(target, query, "1");
            }
        }
        Scenario {
            plan: self.plan(&stages),
            sheets,
            targets: std::mem::take(&mut self.targets),
            statements: self.statements,
        }
    }

    fn target(&mut self) -> usize {
        usize::try_from(self.random.below(self.targets.len() as u64)).expect("few databases")
    }

    fn plan(&mut self, stages: &[Vec<(usize, String)>]) -> String {
        let mut steps = Vec::new();
        let mut count = 0;
        for tasks in stages {
            let mut specs: Vec<serde_json::Value> = Vec::new();
            for (place, (target, sheet)) in tasks.iter().enumerate() {
                count += 1;
                let id = format!("spec{count}");
                // A task that waits lets later ones of its database go first: only the last of each may wait.
                let is_last = !tasks.iter().skip(place + 1).any(|(later, _)| later == target);
                let depends: Vec<&str> = match specs.last() {
                    Some(last) if is_last && self.random.chance(40) => {
                        vec![last["id"].as_str().expect("an id")]
                    }
                    Some(_) | None => Vec::new(),
                };
                let database = &self.targets[*target].database;
                specs.push(
                    serde_json::json!({ "id": id, "dependsOnSpecs": depends, "changeDatabaseConfig": {
                    "target": format!("instances/main/databases/{database}"),
                    "sheet": format!("projects/crash/sheets/{sheet}"), "type": "MIGRATE" } }),
                );
            }
            steps.push(serde_json::json!({ "specs": specs }));
        }
        serde_json::json!({ "steps": steps }).to_string()
    }

    /// No statement can be repeated without being seen: `trace` has no key, `counter` counts.
    fn tables(&self) -> &'static str {
        match self.dialect {
            Dialect::Sqlite => {
                "CREATE TABLE trace (seq INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER);\nCREATE TABLE counter (id INTEGER, n INTEGER);\nCREATE TABLE heap (id INTEGER);\n"
            }
            Dialect::Postgres => {
                "CREATE TABLE trace (seq bigserial PRIMARY KEY, id bigint);\nCREATE TABLE counter (id bigint, n bigint);\nCREATE TABLE heap (id bigint);\nCREATE TABLE parted (id bigint) PARTITION BY LIST (id);\nINSERT INTO heap SELECT generate_series(1, 2000);\n"
            }
            Dialect::MySql => {
                "CREATE TABLE trace (seq BIGINT AUTO_INCREMENT PRIMARY KEY, id BIGINT) ENGINE=InnoDB;\nCREATE TABLE counter (id BIGINT, n BIGINT) ENGINE=InnoDB;\nCREATE TABLE heap (id BIGINT) ENGINE=InnoDB;\nINSERT INTO heap VALUES (1), (2), (3), (4), (5), (6), (7), (8);\n"
            }
        }
    }

    fn sheet(&mut self, target: usize) -> String {
        let mut text = String::new();
        if self.random.chance(15) {
            text.push_str("-- txn-mode = off\n");
        }
        for _ in 0..=self.random.below(STATEMENTS_MAX) {
            self.number += 1;
            self.statements += 1;
            if self.random.chance(45) {
                self.trace(target, &mut text);
                continue;
            }
            match self.dialect {
                Dialect::Sqlite => self.sqlite(target, &mut text),
                Dialect::Postgres => self.postgres(target, &mut text),
                Dialect::MySql => self.mysql(target, &mut text),
            }
        }
        text
    }

    /// Rows and counters, the same for all.
    fn trace(&mut self, target: usize, text: &mut String) {
        let number = self.number;
        match self.random.below(4) {
            0 => {
                let _ = writeln!(text, "INSERT INTO counter VALUES ({number}, 0);");
                let _ = writeln!(text, "UPDATE counter SET n = n + 1 WHERE id = {number};");
                self.statements += 1;
                self.check(target, format!("SELECT sum(n) FROM counter WHERE id = {number}"), "1");
            }
            1 => {
                // A transaction of the sheet's own.
                let _ = writeln!(text, "BEGIN;");
                for _ in 0..2 {
                    let _ = writeln!(text, "INSERT INTO trace (id) VALUES ({number});");
                    self.targets[target].trace.push(number);
                }
                let _ = writeln!(text, "COMMIT;");
                self.statements += 3;
            }
            _ => {
                let _ = writeln!(text, "INSERT INTO trace (id) VALUES ({number});");
                self.targets[target].trace.push(number);
            }
        }
    }

    fn check(&mut self, target: usize, query: impl Into<String>, wanted: &str) {
        self.targets[target].checks.push(Check { query: query.into(), wanted: wanted.to_owned() });
    }

    fn new_table(&mut self, target: usize, text: &mut String) {
        let name = format!("t{}", self.number);
        let _ = writeln!(text, "CREATE TABLE {name} (a INTEGER);");
        self.targets[target].tables.push(name);
    }

    /// Drops a table that was made before, or makes one.
    fn drop_table(&mut self, target: usize, text: &mut String) {
        match self.targets[target].tables.pop() {
            Some(table) => {
                let _ = writeln!(text, "DROP TABLE {table};");
                let query = self.table_exists(&table);
                self.check(target, query, "0");
            }
            None => self.new_table(target, text),
        }
    }

    fn table_exists(&self, table: &str) -> String {
        match self.dialect {
            Dialect::Sqlite => format!("SELECT count(*) FROM sqlite_schema WHERE name = '{table}'"),
            Dialect::Postgres => format!("SELECT count(*) FROM pg_class WHERE relname = '{table}'"),
            Dialect::MySql => format!(
                "SELECT count(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{table}'"
            ),
        }
    }

    fn rename_table(&mut self, target: usize, text: &mut String) {
        match self.targets[target].tables.pop() {
            Some(table) => {
                let new = format!("r{}", self.number);
                let _ = match self.dialect {
                    Dialect::MySql => writeln!(text, "RENAME TABLE {table} TO {new};"),
                    Dialect::Sqlite | Dialect::Postgres => {
                        writeln!(text, "ALTER TABLE {table} RENAME TO {new};")
                    }
                };
                let (old, now) = (self.table_exists(&table), self.table_exists(&new));
                self.check(target, old, "0");
                self.check(target, now, "1");
            }
            None => self.new_table(target, text),
        }
    }

    fn add_column(&mut self, target: usize, text: &mut String) {
        let column = format!("c{}", self.number);
        let _ = writeln!(text, "ALTER TABLE heap ADD COLUMN {column} INTEGER;");
        self.check(target, format!("SELECT count({column}) FROM heap WHERE id < 0"), "0");
    }

    fn sqlite(&mut self, target: usize, text: &mut String) {
        let number = self.number;
        match self.random.below(6) {
            0 => self.new_table(target, text),
            1 => self.drop_table(target, text),
            2 => self.rename_table(target, text),
            3 => self.add_column(target, text),
            4 => {
                let _ = writeln!(text, "VACUUM;");
            }
            _ => {
                let _ = writeln!(text, "CREATE INDEX i{number} ON trace (id);");
                self.check(
                    target,
                    format!("SELECT count(*) FROM sqlite_schema WHERE name = 'i{number}'"),
                    "1",
                );
            }
        }
    }

    fn postgres(&mut self, target: usize, text: &mut String) {
        let number = self.number;
        match self.random.below(11) {
            0 => self.new_table(target, text),
            1 => self.drop_table(target, text),
            2 => self.rename_table(target, text),
            3 => self.add_column(target, text),
            4 | 5 => {
                let _ = writeln!(text, "CREATE INDEX CONCURRENTLY i{number} ON heap (id);");
                self.targets[target].indexes.push(format!("i{number}"));
            }
            6 => match self.targets[target].indexes.pop() {
                Some(index) => {
                    let _ = writeln!(text, "DROP INDEX CONCURRENTLY {index};");
                    self.check(
                        target,
                        format!("SELECT count(*) FROM pg_class WHERE relname = '{index}'"),
                        "0",
                    );
                }
                None => {
                    let _ = writeln!(text, "VACUUM heap;");
                }
            },
            7 => {
                let _ =
                    writeln!(text, "CREATE TABLE part{number} PARTITION OF parted FOR VALUES IN ({number});");
                let _ = writeln!(text, "ALTER TABLE parted DETACH PARTITION part{number} CONCURRENTLY;");
                self.statements += 1;
                let query =
                    format!("SELECT count(*) FROM pg_inherits WHERE inhrelid = 'part{number}'::regclass");
                self.check(target, query, "0");
            }
            8 => {
                let _ = writeln!(text, "REINDEX TABLE CONCURRENTLY heap;");
            }
            9 => {
                let _ = writeln!(
                    text,
                    "DO $x$ BEGIN INSERT INTO trace (id) VALUES ({number}); PERFORM pg_sleep(0.02); END $x$;"
                );
                self.targets[target].trace.push(number);
            }
            _ => {
                let _ = writeln!(text, "COPY trace (id) FROM stdin;\n{number}\n{number}\n\\.");
                self.targets[target].trace.extend([number, number]);
            }
        }
    }

    fn mysql(&mut self, target: usize, text: &mut String) {
        let number = self.number;
        let routine = |name: &str| {
            format!(
                "SELECT count(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_NAME = '{name}'"
            )
        };
        match self.random.below(11) {
            0 | 1 => self.new_table(target, text),
            2 => self.drop_table(target, text),
            3 => self.rename_table(target, text),
            4 | 5 => {
                let column = format!("c{number}");
                let _ = writeln!(text, "ALTER TABLE heap ADD COLUMN {column} INTEGER, ALGORITHM=COPY;");
                self.check(target, format!("SELECT count({column}) FROM heap WHERE id < 0"), "0");
            }
            6 => {
                let _ = writeln!(text, "CREATE INDEX i{number} ON heap (id);");
                let query = format!(
                    "SELECT count(*) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND INDEX_NAME = 'i{number}'"
                );
                self.check(target, query, "1");
            }
            7 => {
                let _ = writeln!(text, "CREATE VIEW v{number} AS SELECT id FROM heap;");
                let query = self.table_exists(&format!("v{number}"));
                self.check(target, query, "1");
            }
            8 => {
                let _ = writeln!(text, "CREATE PROCEDURE p{number}() SELECT {number};");
                self.check(target, routine(&format!("p{number}")), "1");
            }
            9 => {
                let tables: Vec<String> = (0..3).map(|part| format!("m{number}_{part}")).collect();
                for table in &tables {
                    let _ = writeln!(text, "CREATE TABLE {table} (a INTEGER) ENGINE=InnoDB;");
                    let query = self.table_exists(table);
                    self.check(target, query, "0");
                }
                let _ = writeln!(text, "DROP TABLE {};", tables.join(", "));
                self.statements += 3;
            }
            _ => {
                // Emptied twice, it would lack the row that came between.
                let table = format!("e{number}");
                let _ = writeln!(
                    text,
                    "CREATE TABLE {table} (a INTEGER) ENGINE=InnoDB;\nINSERT INTO {table} VALUES (1);\nTRUNCATE TABLE {table};\nINSERT INTO {table} VALUES (2);"
                );
                self.statements += 3;
                self.check(target, format!("SELECT concat(count(*), '/', min(a)) FROM {table}"), "1/2");
            }
        }
    }
}
