//! SQLite's statements.

use super::Maker;

impl Maker<'_> {
    pub(super) fn sqlite(&mut self) {
        let number = self.number;
        let exists = |name: &str| format!("SELECT count(*) FROM sqlite_schema WHERE name = '{name}'");
        match self.random.below(9) {
            0 => self.new_table(),
            1 => self.drop_table(),
            2 => self.rename_table(),
            3 => self.add_column(""),
            4 => self.put("VACUUM"),
            5 => {
                self.put(format!("CREATE VIEW v{number} AS SELECT id FROM heap"));
                self.check(exists(&format!("v{number}")), "1");
            }
            6 => {
                // It fires for rows of its own table alone.
                self.put(format!("CREATE TABLE w{number} (a INTEGER)"));
                self.put(format!(
                    "CREATE TRIGGER g{number} AFTER INSERT ON w{number} BEGIN INSERT INTO trace (id) VALUES ({number}); END"
                ));
                self.put(format!("INSERT INTO w{number} VALUES (1)"));
                self.traced(number);
            }
            7 => {
                let statement = self.random.pick(&["ANALYZE", "REINDEX"]);
                self.put(statement);
            }
            _ => {
                self.put(format!("CREATE INDEX i{number} ON trace (id)"));
                self.check(exists(&format!("i{number}")), "1");
            }
        }
    }
}
