//! PgBouncer between a test and its PostgreSQL.

use crate::Postgres;
use crate::process::{Process, as_user, free_port, give, program};
use anyhow::Result;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// The user that it runs as, where the tests run as root; it refuses root.
const USER: &str = "postgres";

/// A running PgBouncer, which lets `postgres` in without a password.
#[derive(Debug)]
pub struct Pooler {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl Pooler {
    /// Starts one in front of a server; `mode` is its `pool_mode`.
    pub fn start(server: &Postgres, mode: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("runsheet-pooler-").tempdir()?;
        let at = folder.path();
        let port = free_port()?;
        fs::write(at.join("users"), "\"postgres\" \"\"\n")?;
        let config = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = 5\n",
            server.port(),
            at.join("users").display()
        );
        fs::write(at.join("config"), config)?;
        give(at, USER)?;
        let mut command = as_user(USER, &program(&[PathBuf::from("/usr/sbin/pgbouncer")], "pgbouncer")?);
        command.arg(at.join("config"));
        let process = Process::start("PgBouncer", &mut command, &at.join("log"), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?;
        Ok(Self { port, _process: process, _folder: folder })
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}
