//! Whether a statement can stand in a transaction: what the splitter says, against what a real server does.

use crate::cut;
use runsheet_driver_postgres::PostgresSplitter;
use runsheet_sdk::Flags;
use runsheet_test_servers::shared;

const OBJECTS: &str = "
    CREATE TABLE t (a int PRIMARY KEY, b text); CREATE INDEX i ON t (b); CREATE VIEW v AS SELECT 1; CREATE SEQUENCE s;
    CREATE MATERIALIZED VIEW m AS SELECT 1 AS a; CREATE UNIQUE INDEX mi ON m (a); CREATE TYPE e AS ENUM ('x');
    CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (2);
    CREATE INDEX pi ON p (a); ALTER TABLE t CLUSTER ON i;";

/// The server refuses these in a transaction.
const ALONE: &[&str] = &[
    "CREATE DATABASE d",
    "DROP DATABASE IF EXISTS nothing",
    "ALTER DATABASE template0 SET TABLESPACE pg_default",
    "CREATE TABLESPACE x LOCATION '/nowhere'",
    "DROP TABLESPACE IF EXISTS nothing",
    "CREATE INDEX CONCURRENTLY ON t (b)",
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS u ON t (a)",
    "create /* now */ index -- here\n concurrently on t (b)",
    "DROP INDEX CONCURRENTLY i",
    "REINDEX INDEX CONCURRENTLY i",
    "REINDEX (CONCURRENTLY) TABLE t",
    "REINDEX (VERBOSE, CONCURRENTLY) TABLE t",
    "REINDEX TABLE p",
    "REINDEX INDEX pi",
    "REINDEX SCHEMA public",
    "REINDEX (VERBOSE) SCHEMA public",
    "VACUUM",
    "VACUUM (FULL, ANALYZE) t",
    "CLUSTER",
    "CLUSTER VERBOSE",
    "CLUSTER p USING pi",
    "ALTER SYSTEM SET work_mem = '5MB'",
    "ALTER SYSTEM RESET ALL",
    "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY",
    "CREATE SUBSCRIPTION x CONNECTION 'dbname=nothing' PUBLICATION y",
    "COMMIT PREPARED 'nothing'",
    "ROLLBACK PREPARED 'nothing'",
];

/// The server takes these into a transaction.
const INSIDE: &[&str] = &[
    "CREATE INDEX ON t (b)",
    "CREATE UNIQUE INDEX concurrent ON t (b)",
    "DROP INDEX i",
    "ALTER TABLE p DETACH PARTITION p1",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
    "ALTER TYPE e ADD VALUE 'y'",
    "TRUNCATE t",
    "ANALYZE t",
    "CHECKPOINT",
    "LOCK TABLE t",
    "COMMENT ON TABLE t IS 'concurrently'",
    "CREATE SCHEMA x CREATE TABLE y (a int)",
    "ALTER DATABASE template0 SET work_mem = '5MB'",
    "ALTER DATABASE template0 CONNECTION LIMIT 5",
    "ALTER TABLE t SET TABLESPACE pg_default",
    "CREATE ROLE x_of_split",
    "GRANT SELECT ON t TO PUBLIC",
    "DISCARD PLANS",
    "DISCARD TEMP",
    "SET work_mem = '5MB'",
    "DECLARE c CURSOR FOR SELECT 1",
    "PREPARE q AS SELECT 1",
    "LISTEN x",
    "NOTIFY x",
    "DO $$ BEGIN PERFORM 1; END $$",
    "CREATE PUBLICATION x FOR TABLE t",
    "EXPLAIN ANALYZE INSERT INTO t VALUES (1)",
    "SELECT 1 AS concurrently",
    "CREATE EXTENSION plpgsql VERSION '1.0' CASCADE",
];

/// Of one table that is no partitioned one the server takes them; their words do not tell which it is, and by itself each works.
const ALONE_TO_BE_SAFE: &[&str] = &["REINDEX TABLE t", "REINDEX INDEX i", "CLUSTER t"];

fn is_alone(statement: &str) -> bool {
    let outcome = cut::whole(PostgresSplitter::default(), statement.as_bytes());
    assert_eq!((outcome.pieces.len(), outcome.fault), (1, None), "{statement}");
    outcome.pieces[0].flags.has(Flags::ALONE)
}

#[test]
fn what_the_server_refuses_in_a_transaction_stands_alone() {
    let server = shared::postgres();
    let database = server.fresh_database().unwrap();
    server.execute(&database, OBJECTS).unwrap();
    let is_refused = |statement: &str| {
        let run = server.execute(&database, &format!("BEGIN; {statement}; ROLLBACK"));
        run.is_err_and(|error| error.to_string().contains("cannot run inside a transaction block"))
    };
    for statement in ALONE {
        assert_eq!((is_refused(statement), is_alone(statement)), (true, true), "{statement}: refused, alone");
    }
    for statement in INSIDE {
        assert_eq!(
            (is_refused(statement), is_alone(statement)),
            (false, false),
            "{statement}: refused, alone"
        );
    }
    for statement in ALONE_TO_BE_SAFE {
        assert_eq!(
            (is_refused(statement), is_alone(statement)),
            (false, true),
            "{statement}: refused, alone"
        );
    }
}
