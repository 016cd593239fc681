//! What all dialects have: rows, counters, transactions of the sheet's own, tables.

use super::{Dialect, Maker};

/// Rows of which the later ones are sent in batches.
const MANY_ROWS: u64 = 150;

impl Maker<'_> {
    /// The first sheet. No statement after it can be repeated without being seen: `trace` has no key of the sheet's own, `counter` counts.
    pub(super) fn tables(&self) -> &'static str {
        match self.dialect {
            Dialect::Sqlite => {
                "CREATE TABLE trace (seq INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER);\nCREATE TABLE counter (id INTEGER, n INTEGER);\nCREATE TABLE heap (id INTEGER);\n"
            }
            Dialect::Postgres => {
                "CREATE TABLE trace (seq bigserial PRIMARY KEY, id bigint);\nCREATE TABLE counter (id bigint, n bigint);\nCREATE TABLE heap (id bigint);\nCREATE TABLE parted (id bigint) PARTITION BY LIST (id);\nCREATE TYPE mood AS ENUM ('fair');\nINSERT INTO heap SELECT generate_series(1, 2000);\nCREATE FUNCTION slow(id bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $x$ BEGIN PERFORM pg_sleep(CASE WHEN id % 50 = 0 THEN 0.001 ELSE 0 END); RETURN id; END $x$;\n"
            }
            Dialect::MariaDb | Dialect::MySql => {
                "CREATE TABLE trace (seq BIGINT AUTO_INCREMENT PRIMARY KEY, id BIGINT) ENGINE=InnoDB;\nCREATE TABLE counter (id BIGINT, n BIGINT) ENGINE=InnoDB;\nCREATE TABLE heap (id BIGINT) ENGINE=InnoDB;\nCREATE TABLE loose (id BIGINT) ENGINE=MyISAM;\nINSERT INTO heap VALUES (1), (2), (3), (4), (5), (6), (7), (8);\n"
            }
        }
    }

    /// Rows and counters.
    pub(super) fn rows(&mut self) {
        let number = self.number;
        match self.random.below(4) {
            0 => {
                self.put(format!("INSERT INTO counter VALUES ({number}, 0)"));
                self.put(format!("UPDATE counter SET n = n + 1 WHERE id = {number}"));
                self.check(format!("SELECT sum(n) FROM counter WHERE id = {number}"), "1");
            }
            1 => {
                // A transaction of the sheet's own.
                self.put("BEGIN");
                for _ in 0..2 {
                    self.put(format!("INSERT INTO trace (id) VALUES ({number})"));
                    self.traced(number);
                }
                self.put("COMMIT");
            }
            // So many that they go to the server together; each in a transaction of its own would say nothing new.
            2 if !self.sheet.alone && !self.plain && self.random.chance(30) => {
                for _ in 0..MANY_ROWS + self.random.below(MANY_ROWS) {
                    self.put(format!("INSERT INTO trace (id) VALUES ({number})"));
                    self.traced(number);
                }
            }
            _ => {
                self.put(format!("INSERT INTO trace (id) VALUES ({number})"));
                self.traced(number);
            }
        }
    }

    pub(super) fn new_table(&mut self) {
        let name = format!("t{}", self.number);
        self.put(format!("CREATE TABLE {name} (a INTEGER)"));
        self.target().made.tables.push(name);
    }

    /// Drops a table that was made before, or makes one.
    pub(super) fn drop_table(&mut self) {
        let Some(table) = self.target().made.tables.pop() else { return self.new_table() };
        self.put(format!("DROP TABLE {table}"));
        self.check(self.table_exists(&table), "0");
    }

    pub(super) fn rename_table(&mut self) {
        let Some(table) = self.target().made.tables.pop() else { return self.new_table() };
        let new = format!("r{}", self.number);
        let by_alter = matches!(self.dialect, Dialect::Sqlite | Dialect::Postgres) || self.random.chance(50);
        self.put(if by_alter {
            format!("ALTER TABLE {table} RENAME TO {new}")
        } else {
            format!("RENAME TABLE {table} TO {new}")
        });
        self.check(self.table_exists(&table), "0");
        self.check(self.table_exists(&new), "1");
    }

    pub(super) fn add_column(&mut self, how: &str) {
        let column = format!("c{}", self.number);
        self.put(format!("ALTER TABLE heap ADD COLUMN {column} INTEGER{how}"));
        self.check(format!("SELECT count({column}) FROM heap WHERE id < 0"), "0");
    }

    /// Counts the tables and views of that name.
    pub(super) fn table_exists(&self, table: &str) -> String {
        match self.dialect {
            Dialect::Sqlite => format!("SELECT count(*) FROM sqlite_schema WHERE name = '{table}'"),
            Dialect::Postgres => format!("SELECT count(*) FROM pg_class WHERE relname = '{table}'"),
            Dialect::MariaDb | Dialect::MySql => format!(
                "SELECT count(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{table}'"
            ),
        }
    }

    /// What was made and never changed again is there in the end.
    pub(super) fn check_what_is_left(&mut self, target: usize) {
        self.sheet.target = target;
        let made = self.target().made.clone();
        for table in made.tables.iter().chain(&made.views) {
            self.check(self.table_exists(table), "1");
        }
        match self.dialect {
            Dialect::Sqlite => {}
            Dialect::Postgres => self.check_postgres(&made),
            Dialect::MariaDb | Dialect::MySql => self.check_mysql(&made),
        }
    }
}
