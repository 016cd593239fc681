//! The kinds of statements that commit by themselves, what is looked at for each, and what can be said of it: the table that the
//! documentation is made from.

/// A kind of statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is described in the table")]
pub enum Kind {
    CreateTable,
    CreateTableSelect,
    ReplaceTable,
    AlterTable,
    AlterTableRename,
    AlterTableAnew,
    Index,
    DropTable,
    RenameTable,
    Truncate,
    TruncatePartition,
    ExchangePartition,
    View,
    Routine,
    Trigger,
    Event,
    Sequence,
    Database,
    Account,
    AlterAccount,
    Grant,
    Revoke,
    SetGlobal,
    Plugin,
    Replacing,
    Maintenance,
    OtherObject,
    Other,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which kind it is about.
    pub kind: Kind,
    /// The statements.
    pub statement: &'static str,
    /// What is looked at before and afterwards.
    pub observed: &'static str,
    /// What is said then.
    pub said: &'static str,
}

const fn row(kind: Kind, statement: &'static str, observed: &'static str, said: &'static str) -> Row {
    Row { kind, statement, observed, said }
}

/// All kinds.
pub const KINDS: &[Row] = &[
    row(
        Kind::CreateTable,
        "CREATE TABLE, also LIKE",
        "whether it is there",
        "there now and not before: applied; still not there, or there before: not applied; not there but some of its partitions, as MariaDB leaves them when it is killed: they are dropped, where the account has PROCESS and so may see them",
    ),
    row(
        Kind::CreateTableSelect,
        "CREATE TABLE … SELECT",
        "whether it is there",
        "as CREATE TABLE, since both servers make it with all its rows or not at all; of an engine without transactions after a start of the server: a person must look",
    ),
    row(
        Kind::ReplaceTable,
        "CREATE OR REPLACE TABLE, SEQUENCE (MariaDB)",
        "its definition and when it was made",
        "gone, or as it was: not applied; another definition or made later: applied; the same and made in the very second before, or touched by a start of MariaDB: a person must look",
    ),
    row(
        Kind::AlterTable,
        "ALTER TABLE",
        "the table's definition without its AUTO_INCREMENT number",
        "changed: applied; as it was: not applied, since what leaves the definition as it was may be done twice",
    ),
    row(
        Kind::AlterTableRename,
        "ALTER TABLE … RENAME",
        "both names",
        "the new one is there and the old one is not: applied; the other way round: not applied",
    ),
    row(
        Kind::AlterTableAnew,
        "ALTER TABLE that drops and adds a column of the same name",
        "the table's definition, and when it was altered last",
        "changed, or altered later: applied; as it was: not applied; altered in the very second before, or touched by a start of MariaDB: a person must look",
    ),
    row(
        Kind::Index,
        "CREATE INDEX, DROP INDEX",
        "the table's definition",
        "changed: applied; as it was: not applied",
    ),
    row(
        Kind::DropTable,
        "DROP TABLE, one or many",
        "which are there",
        "all gone: applied; all there: not applied; some gone, as MariaDB may leave it: the others are dropped, too",
    ),
    row(
        Kind::RenameTable,
        "RENAME TABLE, one or many",
        "what each name stands for",
        "every name stands for what it is to stand for: applied; for what it stood for: not applied; something between: the other names are changed, too; tables of one form that change places are told apart by when they were touched last",
    ),
    row(
        Kind::Truncate,
        "TRUNCATE TABLE",
        "the first row, and the AUTO_INCREMENT number",
        "no rows now, or the number began anew: applied; the same first row, or no rows before either: not applied; another first row: a person must look",
    ),
    row(
        Kind::TruncatePartition,
        "ALTER TABLE … TRUNCATE PARTITION",
        "the first row of each partition",
        "as TRUNCATE; some partitions empty and some not: not applied, since running it again empties the others, too",
    ),
    row(
        Kind::ExchangePartition,
        "ALTER TABLE … EXCHANGE PARTITION",
        "the first row of the partition and of the table",
        "each has what the other had: applied; each has what it had: not applied; else a person must look",
    ),
    row(Kind::View, "CREATE VIEW, DROP VIEW", "which are there", "as tables"),
    row(
        Kind::Routine,
        "CREATE, DROP PROCEDURE, FUNCTION, PACKAGE",
        "whether it is there",
        "as tables; a loadable function: a person must look",
    ),
    row(Kind::Trigger, "CREATE TRIGGER, DROP TRIGGER", "whether it is there", "as tables"),
    row(
        Kind::Event,
        "CREATE, ALTER, DROP EVENT",
        "whether it is there, and its definition",
        "as tables; one that ends by itself and is not there: a person must look, since it may have run already",
    ),
    row(
        Kind::Sequence,
        "CREATE, ALTER, DROP SEQUENCE (MariaDB)",
        "whether it is there, its definition and its next number",
        "as tables; after RESTART another number than before: a person must look, since its use moves it, too",
    ),
    row(
        Kind::Database,
        "CREATE, ALTER, DROP DATABASE",
        "whether it is there, its definition, its tables",
        "as tables; DROP that left it there: not applied, since dropping it again completes it",
    ),
    row(
        Kind::Account,
        "CREATE, DROP, RENAME USER, ROLE",
        "which are there",
        "as tables; a list of which some were made: those are dropped, and it is run again; of which some were dropped: the others are dropped, too",
    ),
    row(
        Kind::AlterAccount,
        "ALTER USER, SET PASSWORD",
        "SHOW CREATE USER, as a hash",
        "changed: applied; else run again, which does no harm; with RETAIN, RANDOM, REPLACE or factors, where it cannot be seen: a person must look",
    ),
    row(
        Kind::Grant,
        "GRANT, SET DEFAULT ROLE, REVOKE IF EXISTS",
        "nothing",
        "run again: doing it twice does no harm",
    ),
    row(
        Kind::Revoke,
        "REVOKE",
        "SHOW GRANTS of each account",
        "all changed: applied; none: not applied; where they cannot be seen: a person must look",
    ),
    row(
        Kind::SetGlobal,
        "SET GLOBAL, SET PERSIST",
        "the values, where the statement does not say them in full",
        "said in full: run again, which does no harm; else changed: applied; as they were: not applied; the server was started anew: a person must look",
    ),
    row(Kind::Plugin, "INSTALL, UNINSTALL PLUGIN, SONAME", "whether it is there", "as tables"),
    row(
        Kind::Replacing,
        "CREATE OR REPLACE of views, routines, triggers, accounts; ALTER VIEW, PROCEDURE, FUNCTION, SERVER, INSTANCE; DROP … IF EXISTS of what is not looked at",
        "nothing",
        "run again: doing it twice does no harm",
    ),
    row(
        Kind::Maintenance,
        "OPTIMIZE, ANALYZE, CHECK, REPAIR, FLUSH, CACHE INDEX, START and STOP REPLICA, PURGE",
        "nothing",
        "run again: doing it twice does no harm",
    ),
    row(
        Kind::OtherObject,
        "CREATE, ALTER, DROP SERVER, TABLESPACE, RESOURCE GROUP, loadable functions, and others; IMPORT and DISCARD TABLESPACE",
        "nothing but the server's mark",
        "marked: applied; else a person must look",
    ),
    row(
        Kind::Other,
        "INSTALL COMPONENT, RESET, CHANGE, CLONE, RESTART; CALL and blocks under `-- txn-mode = off`",
        "nothing",
        "a person must look",
    ),
];

/// The documentation.
pub fn documentation() -> String {
    let mut text = HEAD.to_owned();
    for row in KINDS {
        text.push_str(&format!("| {} | {} | {} |\n", row.statement, row.observed, row.said));
    }
    text.push_str(TAIL);
    text
}

const HEAD: &str = include_str!("head.md");
const TAIL: &str = include_str!("tail.md");
