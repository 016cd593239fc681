//! A PostgreSQL of a test's own.

use crate::certificates::{Authority, Issued, Request};
use crate::data::copy_template;
use crate::process::{Process, as_user, give, on_a_free_port, program, run, wait_until};
use anyhow::{Context, Result};
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The user that the server runs as, where the tests run as root.
const USER: &str = "postgres";

/// How long the sessions of a killed server may take to end.
const SESSIONS_END: Duration = Duration::from_secs(20);

/// How it is started.
#[derive(Clone, Debug, Default)]
pub struct PostgresOptions {
    /// Lines of `postgresql.conf`.
    pub settings: Vec<String>,
    /// TLS with a certificate for `localhost`, by a CA of its own.
    pub tls: bool,
    /// Lines of `pg_hba.conf`, before those that let everybody in.
    pub hba: Vec<String>,
    /// Lines of `pg_ident.conf`.
    pub ident: Vec<String>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
}

/// A running PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    port: u16,
    process: Option<Process>,
    authority: Option<Authority>,
    environment: Vec<(String, String)>,
}

fn binary(name: &str) -> Result<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    folders.sort();
    folders.reverse();
    let candidates: Vec<PathBuf> = folders.iter().map(|folder| folder.join(name)).collect();
    program(&candidates, "postgresql").with_context(|| format!("PostgreSQL's {name}"))
}

impl Postgres {
    /// Starts one, and waits until it answers.
    pub fn start(options: &PostgresOptions) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("runsheet-pg-").tempdir()?;
        let data = folder.path().join("data");
        copy_template("postgres", &data, |to| {
            fs::create_dir_all(to)?;
            give(to, USER)?;
            let mut initdb = as_user(USER, &binary("initdb")?);
            run(initdb.arg("-D").arg(to).args([
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-locale",
                "-N",
            ]))?;
            Ok(())
        })?;
        let mut hba = options.hba.join("\n");
        hba.push_str("\nlocal all all trust\nlocal replication all trust\n");
        hba.push_str("host all all 127.0.0.1/32 trust\nhost all all ::1/128 trust\n");
        fs::write(data.join("pg_hba.conf"), hba)?;
        fs::write(data.join("pg_ident.conf"), options.ident.join("\n"))?;
        let mut settings = String::from(
            "listen_addresses = '127.0.0.1'\nshared_buffers = 32MB\nmax_connections = 200\nlog_statement = all\nlog_line_prefix = '%m [%p] %a '\n",
        );
        let authority = options.tls.then(|| Authority::new("runsheet test ca")).transpose()?;
        if let Some(authority) = &authority {
            put(&data, &authority.issue(&Request::new("localhost", &["DNS:localhost"]))?)?;
            fs::copy(authority.certificate(), data.join("ca.crt"))?;
            settings.push_str("ssl = on\nssl_ca_file = 'ca.crt'\n");
        }
        settings.push_str(&options.settings.join("\n"));
        settings.push('\n');
        fs::write(data.join("postgresql.auto.conf"), settings)?;
        give(folder.path(), USER)?;
        let environment = options.environment.clone();
        let mut server = Self { port: 0, folder, process: None, authority, environment };
        on_a_free_port(|port| {
            server.port = port;
            server.run()
        })?;
        Ok(server)
    }

    /// Starts a standby of this server, which follows it and only reads.
    pub fn standby(&self) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("runsheet-pg-").tempdir()?;
        give(folder.path(), USER)?;
        let mut copy = as_user(USER, &binary("pg_basebackup")?);
        copy.args(["-U", "postgres", "-R", "-X", "stream", "-c", "fast", "-p", &self.port.to_string()]);
        run(copy.arg("-h").arg(self.folder.path()).arg("-D").arg(folder.path().join("data")))?;
        let environment = Vec::new();
        let mut server = Self { port: 0, folder, process: None, authority: None, environment };
        on_a_free_port(|port| {
            server.port = port;
            server.run()
        })?;
        Ok(server)
    }

    fn run(&mut self) -> Result<()> {
        let mut command = as_user(USER, &binary("postgres")?);
        command.envs(self.environment.iter().cloned());
        command.arg("-D").arg(self.folder.path().join("data"));
        command.arg("-k").arg(self.folder.path()).arg("-p").arg(self.port.to_string());
        let log = self.folder.path().join("log");
        let process = Process::start("PostgreSQL", &mut command, &log, || {
            self.execute("postgres", "SELECT 1").is_ok()
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills it.
    pub fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill9();
        }
    }

    /// What a server that has ended by itself said last; nothing where it runs, or was ended.
    pub fn last_words(&mut self) -> Option<String> {
        self.process.as_mut()?.has_ended().then_some(())?;
        Some(crate::process::tail(&self.folder.path().join("log")))
    }

    /// Starts it again on the same data and port.
    pub fn restart(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.end();
        }
        // A killed server's own file may name a process that another one has now.
        let _ = fs::remove_file(self.folder.path().join("data/postmaster.pid"));
        // Its sessions end when they see that it is gone, and until then its memory is in use.
        let begun = Instant::now();
        loop {
            match self.run() {
                Err(error)
                    if begun.elapsed() < SESSIONS_END && error.to_string().contains("still in use") =>
                {
                    std::thread::sleep(Duration::from_millis(50));
                }
                other => return other,
            }
        }
    }

    /// Stops all its processes where they are.
    pub fn pause(&self) {
        self.process.iter().for_each(|process| process.signal(Signal::STOP));
    }

    /// Lets them go on.
    pub fn resume(&self) {
        self.process.iter().for_each(|process| process.signal(Signal::CONT));
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its unix socket.
    pub fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate of its CA, where it has TLS.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("data/ca.crt")
    }

    /// Its CA, where it has TLS; for client certificates, and for other ones of its own.
    pub fn authority(&self) -> Result<&Authority> {
        self.authority.as_ref().context("the server was started with TLS")
    }

    /// Shows another certificate from now on.
    pub fn show_certificate(&self, issued: &Issued) -> Result<()> {
        let data = self.folder.path().join("data");
        put(&data, issued)?;
        for file in ["server.crt", "server.key"] {
            give(&data.join(file), USER)?;
        }
        self.execute("postgres", "SELECT pg_reload_conf()")?;
        let wanted = fs::read_to_string(&issued.certificate)?;
        let address = format!("127.0.0.1:{}", self.port);
        wait_until("the server shows its new certificate", || {
            let mut client = Command::new("openssl");
            client.args(["s_client", "-starttls", "postgres", "-connect", &address]);
            // It ends with an error where the certificate is bad; what it shows is what counts.
            client
                .stdin(std::process::Stdio::null())
                .output()
                .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(wanted.trim()))
        })
    }

    /// What it has logged: every statement with the application's name.
    pub fn log(&self) -> String {
        fs::read(self.folder.path().join("log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The engine's own client, on a database.
    pub fn client(&self, database: &str) -> Command {
        // Not the distribution's script around it, which takes longer than what it runs.
        let mut command = Command::new(binary("psql").unwrap_or_else(|_| PathBuf::from("psql")));
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database]);
        command.arg("-h").arg(self.folder.path()).arg("-p").arg(self.port.to_string());
        command
    }

    /// Runs SQL as the superuser, through psql.
    pub fn execute(&self, database: &str, sql: &str) -> Result<String> {
        run(self.client(database).args(["-c", sql]))
    }

    /// The rows of a query, as text.
    pub fn query(&self, database: &str, sql: &str) -> Result<Vec<Vec<String>>> {
        let text = run(self.client(database).args(["-A", "-t", "-F", "\t", "-c", sql]))?;
        Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }

    /// Runs a script file through psql.
    pub fn script(&self, database: &str, file: &Path) -> Result<String> {
        run(self.client(database).arg("-f").arg(file))
    }

    /// Makes a database with a name of its own.
    pub fn fresh_database(&self) -> Result<String> {
        let name = crate::fresh_name("db");
        self.execute("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(name)
    }
}

/// Puts a certificate to where the server looks for it.
fn put(data: &Path, issued: &Issued) -> Result<()> {
    fs::copy(&issued.certificate, data.join("server.crt"))?;
    fs::copy(&issued.key, data.join("server.key"))?;
    Ok(())
}
