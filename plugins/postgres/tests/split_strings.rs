//! A session must read strings as the splitter did, or a semicolon in one of them ends a statement for the one and not for the other.

mod support;

use anyhow::Result;
use runsheet_driver_postgres::PostgresSplitter;
use runsheet_sdk::{Connection, Split, Splitter};
use runsheet_test_servers::shared;
use support::{on, open};

fn first(text: &[u8]) -> &[u8] {
    match PostgresSplitter::default().next(text, true) {
        Ok(Split::Piece(piece)) => &text[piece.start..piece.end],
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_backslash_ends_a_string_whatever_the_databases_own_default_is() -> Result<()> {
    let server = shared::postgres();
    let database = server.fresh_database()?;
    server
        .execute("postgres", &format!("ALTER DATABASE {database} SET standard_conforming_strings = off"))?;
    let sheet = b"CREATE TABLE t AS SELECT 'back\\' AS a, '; ' AS b";
    assert_eq!(first(sheet), sheet);
    let mut session = open(&on(server, &[]), &database)?;
    session.execute(sheet, &mut |_| {})?;
    session.reset("another")?;
    session.execute(b"INSERT INTO t VALUES ('again\\', ';')", &mut |_| {})?;
    let rows = server.query(&database, "SELECT a, b FROM t ORDER BY a")?;
    assert_eq!(rows, [["again\\", ";"], ["back\\", "; "]]);
    Ok(())
}
