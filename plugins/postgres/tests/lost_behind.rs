//! A connection that is lost behind a statement, in what the driver says to the server for its own sake, is not that statement's failure.

mod support;

use anyhow::{Context, Result};
use runsheet_sdk::{Connection, Failure, Mark, Observed};
use runsheet_test_servers::shared;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use support::{on, open};

/// Passes a connection on to a port, and cuts it at the so manieth request that has this text, which does not get through.
fn cut_at(text: &'static str, nth: u32, port: u16) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let own = listener.local_addr()?.port().to_string();
    std::thread::spawn(move || -> Result<()> {
        let (mut client, _) = listener.accept()?;
        let mut server = TcpStream::connect(("127.0.0.1", port))?;
        let (mut answers, mut back) = (server.try_clone()?, client.try_clone()?);
        std::thread::spawn(move || std::io::copy(&mut answers, &mut back));
        let mut request = vec![0; 64 * 1024];
        let mut left = nth;
        loop {
            let length = client.read(&mut request)?;
            let has_it = request[..length].windows(text.len()).any(|window| window == text.as_bytes());
            left -= u32::from(has_it);
            if length == 0 || left == 0 {
                client.shutdown(Shutdown::Both)?;
                return Ok(server.shutdown(Shutdown::Both)?);
            }
            server.write_all(&request[..length])?;
        }
    });
    Ok(own)
}

#[test]
fn a_statement_that_was_answered_took_effect_whatever_comes_behind_it() -> Result<()> {
    let server = shared::postgres();
    let database = server.fresh_database()?;
    server.execute(&database, "CREATE TABLE t (a int)")?;
    // The session says it once when it is made.
    let port = cut_at("client_connection_check_interval = '500ms'", 2, server.port())?;
    let mut session = open(&on(server, &[("port", &port), ("tls", "disable")]), &database)?;
    let sql = b"CREATE INDEX CONCURRENTLY i ON t (a)";
    let judge = session.judge().context("it judges")?;
    let Observed::Before(seen) = judge.observe(sql, &Mark::default())? else {
        panic!("it was not run before")
    };
    let outcome = judge.execute(sql, &Mark::default(), &seen.text, &mut |_| {});
    let there = "SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid";
    assert_eq!(server.query(&database, there)?, [["1"]]);
    assert!(outcome.is_ok(), "it is there, and said to have failed: {outcome:?}");
    assert_eq!(session.ping().map_err(|error| error.failure), Err(Failure::Lost));
    Ok(())
}
