//! A MariaDB or MySQL of a test's own.

use crate::certificates::{Authority, Issued, Request};
use crate::data::{cache, copy_template};
use crate::process::{Process, as_user, give, on_a_free_port, program, run};
use anyhow::{Context, Result};
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// The distribution's MariaDB.
    MariaDb,
    /// A real MySQL, from the distribution's newer suite.
    MySql,
}

/// How it is started.
#[derive(Clone, Debug, Default)]
pub struct MySqlOptions {
    /// Further arguments of the server.
    pub arguments: Vec<String>,
    /// TLS with a certificate for `localhost`, by a CA of its own. MySQL makes one itself where this is not set.
    pub tls: bool,
}

/// A running server.
#[derive(Debug)]
pub struct MySql {
    family: Family,
    folder: TempDir,
    port: u16,
    arguments: Vec<String>,
    process: Option<Process>,
    authority: Option<Authority>,
}

impl Family {
    fn name(self) -> &'static str {
        match self {
            Self::MariaDb => "MariaDB",
            Self::MySql => "MySQL",
        }
    }

    /// The user that it runs as, where the tests run as root.
    fn user(self) -> &'static str {
        match self {
            Self::MariaDb => "mysql",
            // Unpacked beside the system, where no user was made for it; it takes root when told to.
            Self::MySql => "root",
        }
    }

    fn server(self) -> Result<Command> {
        match self {
            Self::MariaDb => {
                let mariadbd = program(&[PathBuf::from("/usr/sbin/mariadbd")], "mariadb-server")?;
                let mut command = as_user(self.user(), &mariadbd);
                command.arg("--no-defaults");
                Ok(command)
            }
            Self::MySql => {
                let root = cache().join("mysql");
                let mysqld = program(&[root.join("usr/sbin/mysqld")], "mysql-server-core")?;
                // Its C library is newer than the system's, so it comes with its own loader.
                let loader = root.join("usr/lib64/ld-linux-x86-64.so.2");
                let mut command = as_user(self.user(), &loader);
                command.arg("--library-path").arg(root.join("usr/lib/x86_64-linux-gnu")).arg(mysqld);
                command.arg("--no-defaults");
                command.arg(format!("--basedir={}", root.join("usr").display()));
                command.arg(format!("--lc-messages-dir={}", root.join("usr/share/mysql").display()));
                command.args(["--mysqlx=OFF", "--secure-file-priv=", "--user=root"]);
                command.args(["--performance-schema=OFF", "--innodb-redo-log-capacity=16M"]);
                Ok(command)
            }
        }
    }

    fn initialise(self, to: &Path) -> Result<()> {
        match self {
            Self::MariaDb => {
                fs::create_dir_all(to)?;
                give(to, self.user())?;
                let install = program(&[PathBuf::from("/usr/bin/mariadb-install-db")], "mariadb-server")?;
                let mut command = as_user(self.user(), &install);
                command.arg("--no-defaults").arg(format!("--datadir={}", to.display()));
                run(command.args(["--auth-root-authentication-method=normal", "--skip-test-db"]))?;
            }
            Self::MySql => {
                run(self.server()?.arg("--initialize-insecure").arg(format!("--datadir={}", to.display())))?;
            }
        }
        Ok(())
    }
}

impl MySql {
    /// Starts one, and waits until it answers.
    pub fn start(family: Family, options: &MySqlOptions) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("runsheet-my-").tempdir()?;
        copy_template(family.name(), &folder.path().join("data"), |to| family.initialise(to))?;
        // Each its own server, not a copy with the same identity.
        let _ = fs::remove_file(folder.path().join("data/auto.cnf"));
        let authority = options.tls.then(|| Authority::new("runsheet test ca")).transpose()?;
        let mut arguments = Vec::new();
        if let Some(authority) = &authority {
            put(folder.path(), &authority.issue(&Request::new("localhost", &["DNS:localhost"]))?)?;
            fs::copy(authority.certificate(), folder.path().join("ca.crt"))?;
            for (argument, file) in [("ca", "ca.crt"), ("cert", "server.crt"), ("key", "server.key")] {
                arguments.push(format!("--ssl-{argument}={}", folder.path().join(file).display()));
            }
        }
        arguments.extend(options.arguments.iter().cloned());
        give(folder.path(), family.user())?;
        let mut server = Self { family, port: 0, folder, arguments, process: None, authority };
        on_a_free_port(|port| {
            server.port = port;
            server.run()
        })?;
        Ok(server)
    }

    fn run(&mut self) -> Result<()> {
        let folder = self.folder.path();
        let mut command = self.family.server()?;
        command.arg(format!("--datadir={}", folder.join("data").display()));
        command.arg(format!("--socket={}", self.socket().display()));
        command.arg(format!("--pid-file={}", folder.join("pid").display()));
        command.arg(format!("--port={}", self.port));
        command.arg(format!("--general-log-file={}", folder.join("general.log").display()));
        // A server that starts clears away the temporary files of servers that were killed, and takes those of others for them.
        command.arg(format!("--tmpdir={}", self.temporary()?.display()));
        command.args(["--bind-address=127.0.0.1", "--general-log=ON", "--innodb-buffer-pool-size=32M"]);
        command.args(["--max-connections=200", "--log-bin=binlog", "--server-id=1"]);
        command.args(&self.arguments);
        let log = folder.join("log");
        let process =
            Process::start(self.family.name(), &mut command, &log, || self.execute("", "SELECT 1").is_ok())?;
        self.process = Some(process);
        Ok(())
    }

    /// A folder of its own for temporary files.
    fn temporary(&self) -> Result<PathBuf> {
        let folder = self.folder.path().join("tmp");
        fs::create_dir_all(&folder)?;
        give(&folder, self.family.user())?;
        Ok(folder)
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
        self.run()
    }

    /// Stops it where it is.
    pub fn pause(&self) {
        self.process.iter().for_each(|process| process.signal(Signal::STOP));
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.iter().for_each(|process| process.signal(Signal::CONT));
    }

    /// Which of the two.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Every statement that it was sent.
    pub fn general_log(&self) -> String {
        let bytes = fs::read(self.folder.path().join("general.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The certificate of its CA, where it was started with TLS; else that of MySQL's own.
    pub fn ca(&self) -> PathBuf {
        match &self.authority {
            Some(authority) => authority.certificate(),
            None => self.folder.path().join("data/ca.pem"),
        }
    }

    /// The public key that MySQL encrypts passwords by.
    pub fn public_key(&self) -> PathBuf {
        self.folder.path().join("data/public_key.pem")
    }

    /// Its CA, where it was started with TLS; for client certificates, and for other ones of its own.
    pub fn authority(&self) -> Result<&Authority> {
        self.authority.as_ref().context("the server was started with TLS")
    }

    /// Shows another certificate from now on.
    pub fn show_certificate(&self, issued: &Issued) -> Result<()> {
        put(self.folder.path(), issued)?;
        for file in ["server.crt", "server.key"] {
            give(&self.folder.path().join(file), self.family.user())?;
        }
        match self.family {
            Family::MariaDb => self.execute("", "FLUSH SSL")?,
            Family::MySql => self.execute("", "ALTER INSTANCE RELOAD TLS")?,
        };
        Ok(())
    }

    /// The engine's own client, on a database.
    pub fn client(&self, database: &str) -> Command {
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", "-u", "root", "--default-character-set=utf8mb4"]);
        command.arg(format!("--socket={}", self.socket().display()));
        if !database.is_empty() {
            command.arg(database);
        }
        command
    }

    /// Runs SQL as root, through the engine's client.
    pub fn execute(&self, database: &str, sql: &str) -> Result<String> {
        run(self.client(database).args(["-e", sql]))
    }

    /// The rows of a query, as text.
    pub fn query(&self, database: &str, sql: &str) -> Result<Vec<Vec<String>>> {
        let text = run(self.client(database).args(["-N", "-B", "-e", sql]))?;
        Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }

    /// Makes a database with a name of its own.
    pub fn fresh_database(&self) -> Result<String> {
        let name = crate::fresh_name("db");
        self.execute("", &format!("CREATE DATABASE {name}"))?;
        Ok(name)
    }
}

/// Puts a certificate to where the server looks for it.
fn put(folder: &Path, issued: &Issued) -> Result<()> {
    fs::copy(&issued.certificate, folder.join("server.crt"))?;
    fs::copy(&issued.key, folder.join("server.key"))?;
    Ok(())
}
