//! What a statement that cannot stand in a transaction changes: pure, from its words.

use super::words::{Reader, Word, words};
use std::fmt;

/// A name, with its schema where the statement says one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub schema: Option<String>,
    pub name: String,
}

impl fmt::Display for Name {
    /// As SQL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", quoted(schema))?;
        }
        f.write_str(&quoted(&self.name))
    }
}

/// A name in quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What a statement changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// CREATE INDEX CONCURRENTLY; the server finds a name where the statement has none.
    CreateIndex { index: Option<String>, table: Name, if_not_exists: bool },
    /// DROP INDEX CONCURRENTLY.
    DropIndex { index: Name },
    /// REINDEX … CONCURRENTLY, of whatever.
    Reindex,
    /// CREATE DATABASE.
    CreateDatabase { database: String },
    /// DROP DATABASE.
    DropDatabase { database: String },
    /// ALTER DATABASE … SET TABLESPACE.
    MoveDatabase { database: String, tablespace: String },
    /// CREATE TABLESPACE.
    CreateTablespace { tablespace: String },
    /// DROP TABLESPACE.
    DropTablespace { tablespace: String },
    /// CREATE SUBSCRIPTION.
    CreateSubscription { subscription: String },
    /// DROP SUBSCRIPTION.
    DropSubscription { subscription: String },
    /// ALTER SUBSCRIPTION.
    AlterSubscription { subscription: String },
    /// ALTER TABLE … DETACH PARTITION … CONCURRENTLY.
    Detach { parent: Name, partition: Name },
    /// COMMIT PREPARED or ROLLBACK PREPARED.
    EndPrepared { transaction: String },
    /// ALTER SYSTEM: says the same twice.
    AlterSystem,
    /// VACUUM, CLUSTER, REINDEX of a database: looks after storage.
    Maintenance,
    /// A procedure or block that may commit in its middle.
    Call,
    /// Anything else.
    Other,
}

impl Subject {
    /// Reads a statement.
    pub fn of(sql: &[u8]) -> Self {
        let words = words(sql);
        let mut reader = Reader::new(&words);
        Self::read(&mut reader).unwrap_or(Self::Other)
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        if reader.take(&["create"]) {
            return Self::create(reader);
        }
        if reader.take(&["drop"]) {
            return Self::drop(reader);
        }
        if reader.take(&["alter"]) {
            return Self::alter(reader);
        }
        if reader.take(&["commit", "prepared"]) || reader.take(&["rollback", "prepared"]) {
            let Word::Text(transaction) = reader.next()? else { return None };
            return Some(Self::EndPrepared { transaction: transaction.clone() });
        }
        if reader.take(&["reindex"]) {
            return Some(if reader.has("concurrently") { Self::Reindex } else { Self::Maintenance });
        }
        if reader.sees("vacuum") || reader.sees("cluster") || reader.sees("checkpoint") {
            return Some(Self::Maintenance);
        }
        (reader.sees("call") || reader.sees("do")).then_some(Self::Call)
    }

    fn create(reader: &mut Reader<'_>) -> Option<Self> {
        if reader.take(&["database"]) {
            return Some(Self::CreateDatabase { database: reader.name()?.name });
        }
        if reader.take(&["tablespace"]) {
            return Some(Self::CreateTablespace { tablespace: reader.name()?.name });
        }
        if reader.take(&["subscription"]) {
            return Some(Self::CreateSubscription { subscription: reader.name()?.name });
        }
        reader.take(&["unique"]);
        if !reader.take(&["index", "concurrently"]) {
            return None;
        }
        let if_not_exists = reader.take(&["if", "not", "exists"]);
        let index = if reader.sees("on") { None } else { Some(reader.name()?.name) };
        if !reader.take(&["on"]) {
            return None;
        }
        reader.take(&["only"]);
        Some(Self::CreateIndex { index, table: reader.name()?, if_not_exists })
    }

    fn drop(reader: &mut Reader<'_>) -> Option<Self> {
        let mut named = |words: &[&str]| -> Option<Name> {
            if !reader.take(words) {
                return None;
            }
            reader.take(&["if", "exists"]);
            reader.name()
        };
        if let Some(database) = named(&["database"]) {
            return Some(Self::DropDatabase { database: database.name });
        }
        if let Some(tablespace) = named(&["tablespace"]) {
            return Some(Self::DropTablespace { tablespace: tablespace.name });
        }
        if let Some(subscription) = named(&["subscription"]) {
            return Some(Self::DropSubscription { subscription: subscription.name });
        }
        named(&["index", "concurrently"]).map(|index| Self::DropIndex { index })
    }

    fn alter(reader: &mut Reader<'_>) -> Option<Self> {
        if reader.take(&["system"]) {
            return Some(Self::AlterSystem);
        }
        if reader.take(&["subscription"]) {
            return Some(Self::AlterSubscription { subscription: reader.name()?.name });
        }
        if reader.take(&["database"]) {
            let database = reader.name()?.name;
            if !reader.take(&["set", "tablespace"]) {
                return None;
            }
            return Some(Self::MoveDatabase { database, tablespace: reader.name()?.name });
        }
        if !reader.take(&["table"]) {
            return None;
        }
        reader.take(&["if", "exists"]);
        reader.take(&["only"]);
        let parent = reader.name()?;
        reader.sign('*');
        if !reader.take(&["detach", "partition"]) {
            return None;
        }
        let partition = reader.name()?;
        reader.take(&["concurrently"]).then_some(Self::Detach { parent, partition })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(schema: Option<&str>, name: &str) -> Name {
        Name { schema: schema.map(str::to_owned), name: name.to_owned() }
    }

    #[test]
    fn what_a_statement_changes_is_read_from_its_words() {
        let of = |sql: &str| Subject::of(sql.as_bytes());
        let index = |index: Option<&str>, table, if_not_exists| Subject::CreateIndex {
            index: index.map(str::to_owned),
            table,
            if_not_exists,
        };
        assert_eq!(
            of("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY s.\"T\" USING btree (a)"),
            index(Some("i"), name(Some("s"), "T"), true)
        );
        assert_eq!(of("create index concurrently on t (a)"), index(None, name(None, "t"), false));
        assert_eq!(
            of("DROP INDEX CONCURRENTLY IF EXISTS db.s.i CASCADE"),
            Subject::DropIndex { index: name(Some("s"), "i") }
        );
        assert_eq!(
            of("ALTER TABLE ONLY p DETACH PARTITION s.c CONCURRENTLY"),
            Subject::Detach { parent: name(None, "p"), partition: name(Some("s"), "c") }
        );
        assert_eq!(of("REINDEX (VERBOSE) TABLE CONCURRENTLY t"), Subject::Reindex);
        assert_eq!(of("REINDEX DATABASE d"), Subject::Maintenance);
        assert_eq!(of("COMMIT PREPARED 'a''b'"), Subject::EndPrepared { transaction: "a'b".to_owned() });
        assert_eq!(
            of("ALTER DATABASE d SET TABLESPACE x"),
            Subject::MoveDatabase { database: "d".to_owned(), tablespace: "x".to_owned() }
        );
        assert_eq!(of("ALTER TABLE t ADD COLUMN a int"), Subject::Other);
        assert_eq!(of("CALL p()"), Subject::Call);
    }
}
