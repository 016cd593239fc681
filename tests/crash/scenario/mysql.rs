//! The statements of MySQL and MariaDB, nearly all of which commit by themselves.

use super::{Dialect, Made, Maker};

/// What a person is asked about.
const UNSEEN: &str = "commits by itself, and nothing tells of it";

impl Maker<'_> {
    pub(super) fn mysql(&mut self) {
        let number = self.number;
        match self.random.below(36) {
            0 | 1 => self.new_table(),
            2 => self.drop_table(),
            3 | 4 => self.rename_table(),
            5 | 6 => self.add_column(", ALGORITHM=COPY"),
            7 => self.index(),
            8 | 9 => self.view(),
            10 | 11 => self.routine(),
            12 => self.drop_many(),
            13 => self.truncate(),
            14 => self.swap(),
            15 | 16 => self.trigger(),
            17 | 18 => self.event(),
            19..22 => self.user(),
            22 => {
                let statement = self.random.pick(&["OPTIMIZE TABLE heap", "ANALYZE TABLE heap"]);
                self.put(statement);
            }
            23 | 24 => {
                let table = format!("s{number}");
                // The slow one goes on by itself, a third of a second long, when its daemon is dead.
                let slow = if self.random.chance(30) { ", sleep(0.1) AS slept" } else { "" };
                self.put(format!(
                    "CREATE TABLE {table} ENGINE=InnoDB SELECT id{slow} FROM heap WHERE id <= 3"
                ));
                self.check(format!("SELECT count(*) FROM {table}"), "3");
            }
            25 => self.database_beside(),
            26 => self.partition(),
            27 => {
                // Said in full: the last one counts, and each database has its own.
                let name = ["long_query_time", "lock_wait_timeout"][self.sheet.target % 2];
                self.put(format!("SET GLOBAL {name} = {}", 31_000_000 + number));
            }
            28 if self.sheet.alone => {
                self.sheet.text.push_str("DELIMITER //\n");
                self.put(format!(
                    "CREATE PROCEDURE q{number}() BEGIN INSERT INTO trace (id) VALUES ({number}); COMMIT; END //\nDELIMITER "
                ));
                self.put(format!("CALL q{number}()"));
                self.traced(number);
                self.doubt("CALL that commits", format!("SELECT count(*) FROM trace WHERE id = {number}"));
            }
            29 if self.sheet.alone => {
                self.put(format!("INSERT INTO loose VALUES ({number})"));
                let query = format!("SELECT count(*) FROM loose WHERE id = {number}");
                self.doubt("rows of a table without transactions", query.clone());
                self.check(query, "1");
            }
            30 if self.random.chance(40) => self.server(),
            31 if self.random.chance(40) => self.column_anew(),
            32 | 33 if self.dialect == Dialect::MariaDb => self.sequence(),
            _ => self.add_column(""),
        }
    }

    fn index(&mut self) {
        match self.target().made.indexes.pop() {
            Some(index) => {
                self.put(format!("DROP INDEX {index} ON heap"));
                self.check(index_exists(&index), "0");
            }
            None => {
                let index = format!("i{}", self.number);
                self.put(format!("CREATE INDEX {index} ON heap (id)"));
                self.target().made.indexes.push(index);
            }
        }
    }

    fn view(&mut self) {
        let number = self.number;
        match self.target().made.views.pop() {
            Some(view) if self.random.chance(50) => {
                self.put(format!("DROP VIEW {view}"));
                self.check(self.table_exists(&view), "0");
            }
            Some(view) => {
                self.put(format!("CREATE OR REPLACE VIEW {view} AS SELECT id, {number} AS n FROM heap"));
                self.check(format!("SELECT max(n) FROM {view}"), &number.to_string());
            }
            None => {
                let view = format!("v{number}");
                self.put(format!("CREATE VIEW {view} AS SELECT id FROM heap"));
                self.target().made.views.push(view);
            }
        }
    }

    fn routine(&mut self) {
        let number = self.number;
        match self.target().made.routines.pop() {
            Some(routine) => {
                self.put(format!("DROP PROCEDURE {routine}"));
                self.check(routine_exists(&routine), "0");
            }
            None if self.random.chance(50) => {
                self.put(format!(
                    "CREATE FUNCTION f{number}() RETURNS INTEGER DETERMINISTIC NO SQL RETURN {number}"
                ));
                self.check(format!("SELECT f{number}()"), &number.to_string());
            }
            None => {
                let routine = format!("p{number}");
                self.put(format!("CREATE PROCEDURE {routine}() SELECT {number}"));
                self.target().made.routines.push(routine);
            }
        }
    }

    /// Many in one statement, which MariaDB does not do as a whole.
    fn drop_many(&mut self) {
        let tables: Vec<String> = (0..3).map(|part| format!("m{}_{part}", self.number)).collect();
        for table in &tables {
            self.put(format!("CREATE TABLE {table} (a INTEGER) ENGINE=InnoDB"));
            self.check(self.table_exists(table), "0");
        }
        self.put(format!("DROP TABLE {}", tables.join(", ")));
    }

    /// Emptied twice, the table would lack the row that came between.
    fn truncate(&mut self) {
        let table = format!("e{}", self.number);
        self.put(format!("CREATE TABLE {table} (a INTEGER) ENGINE=InnoDB"));
        self.put(format!("INSERT INTO {table} VALUES (1)"));
        self.put(format!("TRUNCATE TABLE {table}"));
        self.put(format!("INSERT INTO {table} VALUES (2)"));
        self.check(format!("SELECT concat(count(*), '/', min(a)) FROM {table}"), "1/2");
    }

    /// Two tables that change places: done twice, all is as before.
    fn swap(&mut self) {
        let number = self.number;
        for side in ["a", "b"] {
            self.put(format!("CREATE TABLE x{number}{side} (a INTEGER, {side}{side} INTEGER) ENGINE=InnoDB"));
        }
        self.put(format!(
            "RENAME TABLE x{number}a TO x{number}c, x{number}b TO x{number}a, x{number}c TO x{number}b"
        ));
        self.check(format!("SELECT count(bb) FROM x{number}a"), "0");
        self.check(format!("SELECT count(aa) FROM x{number}b"), "0");
    }

    fn trigger(&mut self) {
        let number = self.number;
        match self.target().made.triggers.pop() {
            Some(trigger) => {
                self.put(format!("DROP TRIGGER {trigger}"));
                self.check(trigger_exists(&trigger), "0");
            }
            None => {
                self.put(format!("CREATE TABLE w{number} (a INTEGER) ENGINE=InnoDB"));
                self.put(format!(
                    "CREATE TRIGGER g{number} AFTER INSERT ON w{number} FOR EACH ROW INSERT INTO trace (id) VALUES ({number})"
                ));
                self.put(format!("INSERT INTO w{number} VALUES (1)"));
                self.traced(number);
                self.target().made.triggers.push(format!("g{number}"));
            }
        }
    }

    fn event(&mut self) {
        let number = self.number;
        match self.target().made.events.pop() {
            Some(event) if self.random.chance(50) => {
                self.put(format!("ALTER EVENT {event} ON SCHEDULE EVERY {} YEAR", number + 1));
                self.target().made.events.push(event);
            }
            Some(event) => {
                self.put(format!("DROP EVENT {event}"));
                self.check(event_exists(&event), "0");
            }
            None => {
                let event = format!("v{number}e");
                self.put(format!("CREATE EVENT {event} ON SCHEDULE EVERY 1 YEAR DO SELECT 1"));
                self.target().made.events.push(event);
            }
        }
    }

    fn user(&mut self) {
        let number = self.number;
        let database = self.target().database.clone();
        let Some(user) = self.target().made.users.pop() else {
            let user = format!("{database}_u{number}");
            self.put(format!("CREATE USER '{user}'@'localhost' IDENTIFIED BY 'one'"));
            let target = self.target();
            target.after.push(format!("DROP USER IF EXISTS '{user}'@'localhost'"));
            target.made.users.push(user);
            return;
        };
        match self.random.below(5) {
            0 => {
                self.put(format!("GRANT SELECT ON {database}.* TO '{user}'@'localhost'"));
                self.target().made.users.push(user);
            }
            1 => {
                self.put(format!("GRANT INSERT ON {database}.* TO '{user}'@'localhost'"));
                self.put(format!("REVOKE INSERT ON {database}.* FROM '{user}'@'localhost'"));
                self.check(
                    format!(
                        "SELECT count(*) FROM information_schema.SCHEMA_PRIVILEGES WHERE PRIVILEGE_TYPE = 'INSERT' AND GRANTEE LIKE '%{user}%'"
                    ),
                    "0",
                );
                self.target().made.users.push(user);
            }
            2 => {
                self.put(format!("ALTER USER '{user}'@'localhost' IDENTIFIED BY 'n{number}'"));
                self.target().made.users.push(user);
            }
            3 => {
                let new = format!("{database}_n{number}");
                self.put(format!("RENAME USER '{user}'@'localhost' TO '{new}'@'localhost'"));
                let target = self.target();
                target.after.push(format!("DROP USER IF EXISTS '{new}'@'localhost'"));
                target.made.users.push(new);
            }
            _ => {
                self.put(format!("DROP USER '{user}'@'localhost'"));
                self.check(user_exists(&user), "0");
            }
        }
    }

    fn database_beside(&mut self) {
        match self.target().made.databases.pop() {
            Some(database) => {
                self.put(format!("DROP DATABASE {database}"));
                self.check(database_exists(&database), "0");
            }
            None => {
                let database = self.named('d');
                self.put(format!("CREATE DATABASE {database}"));
                self.put(format!("ALTER DATABASE {database} CHARACTER SET latin1"));
                let target = self.target();
                target.after.push(format!("DROP DATABASE IF EXISTS {database}"));
                target.made.databases.push(database);
            }
        }
    }

    fn partition(&mut self) {
        let table = format!("h{}", self.number);
        self.put(format!(
            "CREATE TABLE {table} (a INTEGER) ENGINE=InnoDB PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))"
        ));
        self.put(format!("INSERT INTO {table} VALUES (1), (11)"));
        self.put(format!("ALTER TABLE {table} TRUNCATE PARTITION p0"));
        self.put(format!("INSERT INTO {table} VALUES (2)"));
        self.put(format!("CREATE TABLE {table}x (a INTEGER) ENGINE=InnoDB"));
        self.put(format!("ALTER TABLE {table} EXCHANGE PARTITION p1 WITH TABLE {table}x"));
        self.check(format!("SELECT concat(count(*), '/', min(a)) FROM {table}"), "1/2");
        self.check(format!("SELECT concat(count(*), '/', min(a)) FROM {table}x"), "1/11");
    }

    /// Nothing is looked at, so only the server's own mark decides.
    fn server(&mut self) {
        let server = self.named('v');
        self.put(format!("CREATE SERVER {server} FOREIGN DATA WRAPPER mysql OPTIONS (HOST '127.0.0.1')"));
        let query = format!("SELECT count(*) FROM mysql.servers WHERE Server_name = '{server}'");
        self.doubt(UNSEEN, query.clone());
        self.check(query, "1");
        self.target().after.push(format!("DROP SERVER IF EXISTS {server}"));
    }

    /// The definition is the same before and after: only the time tells.
    fn column_anew(&mut self) {
        let table = format!("k{}", self.number);
        self.put(format!("CREATE TABLE {table} (a INTEGER, b INTEGER) ENGINE=InnoDB"));
        self.put(format!("INSERT INTO {table} VALUES (1, 1)"));
        self.put(format!("ALTER TABLE {table} DROP COLUMN b, ADD COLUMN b INTEGER"));
        let query = format!("SELECT count(*) FROM {table} WHERE b IS NULL");
        self.doubt("drops and adds a column of the same name", query.clone());
        self.check(query, "1");
    }

    fn sequence(&mut self) {
        let sequence = format!("y{}", self.number);
        self.put(format!("CREATE SEQUENCE {sequence} START WITH 5"));
        if self.random.chance(50) {
            self.put(format!("ALTER SEQUENCE {sequence} INCREMENT BY 7"));
            self.check(format!("SELECT increment FROM {sequence}"), "7");
        } else {
            self.put(format!("DROP SEQUENCE {sequence}"));
            self.check(self.table_exists(&sequence), "0");
        }
    }

    pub(super) fn check_mysql(&mut self, made: &Made) {
        for index in &made.indexes {
            self.check(index_exists(index), "1");
        }
        for routine in &made.routines {
            self.check(routine_exists(routine), "1");
        }
        for trigger in &made.triggers {
            self.check(trigger_exists(trigger), "1");
        }
        for event in &made.events {
            self.check(event_exists(event), "1");
        }
        for user in &made.users {
            self.check(user_exists(user), "1");
        }
        for database in &made.databases {
            self.check(database_exists(database), "1");
            self.check(
                format!(
                    "SELECT DEFAULT_CHARACTER_SET_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{database}'"
                ),
                "latin1",
            );
        }
    }
}

fn index_exists(index: &str) -> String {
    format!(
        "SELECT count(*) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND INDEX_NAME = '{index}'"
    )
}

fn routine_exists(routine: &str) -> String {
    format!(
        "SELECT count(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_NAME = '{routine}'"
    )
}

fn trigger_exists(trigger: &str) -> String {
    format!(
        "SELECT count(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() AND TRIGGER_NAME = '{trigger}'"
    )
}

fn event_exists(event: &str) -> String {
    format!(
        "SELECT count(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() AND EVENT_NAME = '{event}'"
    )
}

fn user_exists(user: &str) -> String {
    format!("SELECT count(*) FROM mysql.user WHERE User = '{user}'")
}

fn database_exists(database: &str) -> String {
    format!("SELECT count(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{database}'")
}
