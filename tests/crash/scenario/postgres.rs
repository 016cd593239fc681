//! PostgreSQL's statements: those of a transaction, and those that can be in none.

use super::{Made, Maker};

impl Maker<'_> {
    pub(super) fn postgres(&mut self) {
        let number = self.number;
        match self.random.below(34) {
            0 | 1 => self.new_table(),
            2 => self.drop_table(),
            3 => self.rename_table(),
            4 => self.add_column(""),
            5..9 => {
                // One that takes long enough leaves something half made where its server dies.
                let what = self.random.pick(&["id", "public.slow(id)"]);
                self.put(format!("CREATE INDEX CONCURRENTLY i{number} ON heap ({what})"));
                self.target().made.indexes.push(format!("i{number}"));
            }
            9 | 10 => match self.target().made.indexes.pop() {
                Some(index) => {
                    self.put(format!("DROP INDEX CONCURRENTLY {index}"));
                    self.check(format!("SELECT count(*) FROM pg_class WHERE relname = '{index}'"), "0");
                }
                None => self.put("VACUUM heap"),
            },
            11..14 => {
                self.put(format!("CREATE TABLE part{number} PARTITION OF parted FOR VALUES IN ({number})"));
                self.put(format!("ALTER TABLE parted DETACH PARTITION part{number} CONCURRENTLY"));
                let query =
                    format!("SELECT count(*) FROM pg_inherits WHERE inhrelid = 'part{number}'::regclass");
                self.check(query, "0");
            }
            14 | 15 => self.put("REINDEX TABLE CONCURRENTLY heap"),
            16 | 17 => {
                self.put(format!(
                    "DO $x$ BEGIN INSERT INTO trace (id) VALUES ({number}); PERFORM pg_sleep(0.02); END $x$"
                ));
                self.traced(number);
                if self.sheet.alone {
                    self.doubt(
                        "DO that may commit",
                        format!("SELECT count(*) FROM trace WHERE id = {number}"),
                    );
                }
            }
            18 | 19 => {
                self.put(format!("COPY trace (id) FROM stdin;\n{number}\n{number}\n\\."));
                // The rows end by a line of their own, and nothing stands behind it.
                self.sheet.text.truncate(self.sheet.text.len() - ";\n".len());
                self.sheet.text.push('\n');
                self.traced(number);
                self.traced(number);
            }
            20 | 31 => self.database(),
            21 | 22 => self.tablespace(),
            23 => {
                // Each database its own setting: their sheets run beside each other.
                let names = ["deadlock_timeout", "log_min_duration_statement"];
                let name = names[self.sheet.target % names.len()];
                let value = 900_000 + number;
                self.put(format!("ALTER SYSTEM SET {name} = {value}"));
                let query = format!(
                    "SELECT setting FROM pg_file_settings WHERE name = '{name}' ORDER BY seqno DESC LIMIT 1"
                );
                // The last one counts.
                self.target().checks.retain(|check| check.query != query);
                self.check(query, &value.to_string());
            }
            24 | 25 => {
                self.put(format!("ALTER TYPE mood ADD VALUE 'm{number}'"));
                self.check(format!("SELECT count(*) FROM pg_enum WHERE enumlabel = 'm{number}'"), "1");
            }
            26 if self.sheet.alone => {
                self.put(format!(
                    "CREATE PROCEDURE p{number}() LANGUAGE plpgsql AS $x$ BEGIN INSERT INTO trace (id) VALUES ({number}); COMMIT; PERFORM pg_sleep(0.02); END $x$"
                ));
                self.put(format!("CALL p{number}()"));
                self.traced(number);
                self.doubt("CALL that commits", format!("SELECT count(*) FROM trace WHERE id = {number}"));
            }
            26 | 27 => self.prepared(),
            28 => {
                self.put(format!("CREATE TABLE w{number} (a integer)"));
                self.put(format!(
                    "CREATE FUNCTION f{number}() RETURNS trigger LANGUAGE plpgsql AS $x$ BEGIN INSERT INTO trace (id) VALUES ({number}); RETURN NEW; END $x$"
                ));
                self.put(format!(
                    "CREATE TRIGGER g{number} BEFORE INSERT ON w{number} FOR EACH ROW EXECUTE FUNCTION f{number}()"
                ));
                self.put(format!("INSERT INTO w{number} VALUES (1)"));
                self.traced(number);
            }
            29 | 30 => self.subscription(),
            32 => {
                let statement = self.random.pick(&["CLUSTER", "CHECKPOINT"]);
                self.put(statement);
            }
            _ => self.put("VACUUM (ANALYZE) heap"),
        }
    }

    /// A database beside the plan's, made, or dropped.
    fn database(&mut self) {
        match self.target().made.databases.pop() {
            Some(database) => {
                self.put(format!("DROP DATABASE {database}"));
                self.check(format!("SELECT count(*) FROM pg_database WHERE datname = '{database}'"), "0");
            }
            None => {
                let database = self.named('d');
                // By a copy of files it takes long enough to outlive its daemon.
                let how = self.random.pick(&["", " STRATEGY = FILE_COPY"]);
                self.put(format!("CREATE DATABASE {database}{how}"));
                let target = self.target();
                target.after.push(format!("DROP DATABASE IF EXISTS {database}"));
                target.made.databases.push(database);
            }
        }
    }

    fn tablespace(&mut self) {
        match self.target().made.tablespaces.pop() {
            Some(tablespace) => {
                self.put(format!("DROP TABLESPACE {tablespace}"));
                self.check(format!("SELECT count(*) FROM pg_tablespace WHERE spcname = '{tablespace}'"), "0");
            }
            None => {
                let tablespace = self.named('s');
                self.put("SET allow_in_place_tablespaces = on");
                self.put(format!("CREATE TABLESPACE {tablespace} LOCATION ''"));
                let target = self.target();
                target.after.push(format!("DROP TABLESPACE IF EXISTS {tablespace}"));
                target.made.tablespaces.push(tablespace);
            }
        }
    }

    /// A transaction that somebody prepared before the plan.
    fn prepared(&mut self) {
        let number = self.number;
        let name = self.named('p');
        self.target()
            .before
            .push(format!("BEGIN; CREATE TABLE prepared{number} (a integer); PREPARE TRANSACTION '{name}'"));
        let commits = self.random.chance(50);
        self.put(format!("{} PREPARED '{name}'", if commits { "COMMIT" } else { "ROLLBACK" }));
        let exists = self.table_exists(&format!("prepared{number}"));
        self.check(exists, if commits { "1" } else { "0" });
        self.check(format!("SELECT count(*) FROM pg_prepared_xacts WHERE gid = '{name}'"), "0");
    }

    fn subscription(&mut self) {
        let name = self.named('u');
        self.put(format!(
            "CREATE SUBSCRIPTION {name} CONNECTION 'host=127.0.0.1 port=1' PUBLICATION none WITH (connect = false, slot_name = NONE, enabled = false)"
        ));
        let kept = self.random.chance(50);
        if !kept {
            self.put(format!("DROP SUBSCRIPTION {name}"));
        }
        let wanted = if kept { "1" } else { "0" };
        self.check(format!("SELECT count(*) FROM pg_subscription WHERE subname = '{name}'"), wanted);
    }

    pub(super) fn check_postgres(&mut self, made: &Made) {
        for index in &made.indexes {
            self.check(
                format!(
                    "SELECT count(*) FROM pg_index WHERE indexrelid = '{index}'::regclass AND indisvalid"
                ),
                "1",
            );
        }
        for database in &made.databases {
            self.check(format!("SELECT count(*) FROM pg_database WHERE datname = '{database}'"), "1");
        }
        for tablespace in &made.tablespaces {
            self.check(format!("SELECT count(*) FROM pg_tablespace WHERE spcname = '{tablespace}'"), "1");
        }
    }
}
