//! A PostgreSQL of a test's own.

use crate::data::copy_template;
use crate::process::{Process, as_user, free_port, give, program, run};
use anyhow::{Context, Result};
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The user that the server runs as, where the tests run as root.
const USER: &str = "postgres";

/// How it is started.
#[derive(Clone, Debug, Default)]
pub struct PostgresOptions {
    /// Lines of `postgresql.conf`.
    pub settings: Vec<String>,
    /// TLS with a certificate for `localhost`, by a CA of its own.
    pub tls: bool,
    /// Lines of `pg_hba.conf`, before those that let everybody in.
    pub hba: Vec<String>,
}

/// A running PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    port: u16,
    process: Option<Process>,
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
        hba.push_str("\nlocal all all trust\nhost all all 127.0.0.1/32 trust\nhost all all ::1/128 trust\n");
        fs::write(data.join("pg_hba.conf"), hba)?;
        let mut settings = String::from(
            "listen_addresses = '127.0.0.1'\nshared_buffers = 32MB\nmax_connections = 200\nlog_statement = all\nlog_line_prefix = '%m [%p] %a '\n",
        );
        if options.tls {
            certificates(&data)?;
            settings.push_str("ssl = on\n");
        }
        settings.push_str(&options.settings.join("\n"));
        settings.push('\n');
        fs::write(data.join("postgresql.auto.conf"), settings)?;
        give(folder.path(), USER)?;
        let mut server = Self { port: free_port()?, folder, process: None };
        server.run()?;
        Ok(server)
    }

    fn run(&mut self) -> Result<()> {
        let mut command = as_user(USER, &binary("postgres")?);
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

    /// Starts it again on the same data and port.
    pub fn restart(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.end();
        }
        // A killed server's own file may name a process that another one has now.
        let _ = fs::remove_file(self.folder.path().join("data/postmaster.pid"));
        self.run()
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

    /// What it has logged: every statement with the application's name.
    pub fn log(&self) -> String {
        fs::read(self.folder.path().join("log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    fn client(&self, database: &str) -> Command {
        let mut command = Command::new("psql");
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

/// A CA, and a certificate of it for `localhost`.
fn certificates(data: &Path) -> Result<()> {
    let openssl = |arguments: &[&str]| run(Command::new("openssl").args(arguments).current_dir(data));
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "30",
        "-subj",
        "/CN=runsheet test ca",
        "-keyout",
        "ca.key",
        "-out",
        "ca.crt",
    ])?;
    openssl(&[
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-keyout",
        "server.key",
        "-out",
        "server.csr",
    ])?;
    fs::write(data.join("names"), "subjectAltName=DNS:localhost\n")?;
    openssl(&[
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "30",
        "-extfile",
        "names",
        "-out",
        "server.crt",
    ])?;
    fs::set_permissions(data.join("server.key"), std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}
