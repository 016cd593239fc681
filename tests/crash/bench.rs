//! An engine with a server of the matrix's own, which is killed.

use super::fault::Menu;
use super::scenario::{Dialect, Target};
use super::site::{Engine, program};
use anyhow::{Context, Result, ensure};
use runsheet::driver::Library;
use runsheet_test_servers::{Family, MySql, MySqlOptions, Postgres, PostgresOptions};
use std::path::{Path, PathBuf};

/// Every engine, by the name that `--engine` takes; the servers of `-marked` ones can mark what commits by itself.
pub const ENGINES: [&str; 6] = ["sqlite", "postgres", "mariadb", "mariadb-marked", "mysql", "mysql-marked"];

/// A domain of the log that is Runsheet's alone, for the marks of MariaDB.
const DOMAIN: &str = "gtid_domain_id = \"7001-7064\"\n";

/// An engine.
pub struct Bench {
    pub dialect: Dialect,
    pub menu: Menu,
    /// Whether a fact in the target alone tells of every statement whether it took effect: its transaction's mark. A server that
    /// marks what commits by itself marks no table without transactions.
    pub knows_all: bool,
    server: Server,
    /// Further settings of the instance.
    settings: &'static str,
}

enum Server {
    None,
    Postgres(Box<Postgres>),
    MySql(Box<MySql>),
}

impl Bench {
    /// Starts the server of an engine.
    pub fn start(name: &str) -> Result<Self> {
        let mysql = |family, arguments: &[&str]| -> Result<Server> {
            let arguments = arguments.iter().map(|one| (*one).to_owned()).collect();
            Ok(Server::MySql(Box::new(MySql::start(
                family,
                &MySqlOptions { arguments, ..MySqlOptions::default() },
            )?)))
        };
        let (dialect, settings, server) = match name {
            "sqlite" => (Dialect::Sqlite, "", Server::None),
            "postgres" => {
                let settings = vec!["max_prepared_transactions = 20".to_owned()];
                let options = PostgresOptions { settings, ..PostgresOptions::default() };
                (Dialect::Postgres, "", Server::Postgres(Box::new(Postgres::start(&options)?)))
            }
            "mariadb" => (Dialect::MariaDb, "", mysql(Family::MariaDb, &[])?),
            "mariadb-marked" => {
                let log = ["--log-bin", "--sync-binlog=1", "--gtid-strict-mode=1"];
                (Dialect::MariaDb, DOMAIN, mysql(Family::MariaDb, &log)?)
            }
            "mysql" => (Dialect::MySql, "gtid = \"off\"\n", mysql(Family::MySql, &[])?),
            _ => {
                let log = ["--gtid-mode=ON", "--enforce-gtid-consistency=ON"];
                (Dialect::MySql, "", mysql(Family::MySql, &log)?)
            }
        };
        let library = Library::load(&driver(dialect)?)?;
        let menu = Menu::new(&runsheet_test_relay::points(library.table()), library.facts());
        let knows_all = name == "sqlite";
        Ok(Self { dialect, menu, knows_all, server, settings })
    }

    /// Where the server listens; 0 where there is none.
    pub fn port(&self) -> u16 {
        match &self.server {
            Server::None => 0,
            Server::Postgres(server) => server.port(),
            Server::MySql(server) => server.port(),
        }
    }

    /// What the server says it is; nothing where there is none.
    pub fn version(&self) -> Result<String> {
        let (database, sql) = match &self.server {
            Server::None => return Ok(String::new()),
            Server::Postgres(_) => ("postgres", "SHOW server_version"),
            Server::MySql(_) => ("", "SELECT version()"),
        };
        let rows = self.query(Path::new(""), database, sql)?;
        rows.into_iter().flatten().next().context("a version")
    }

    pub fn kill_server(&mut self) {
        match &mut self.server {
            Server::None => {}
            Server::Postgres(server) => server.kill9(),
            Server::MySql(server) => server.kill9(),
        }
    }

    pub fn restart_server(&mut self) -> Result<()> {
        match &mut self.server {
            Server::None => Ok(()),
            Server::Postgres(server) => server.restart(),
            Server::MySql(server) => server.restart(),
        }
    }

    /// What a server said last that has ended though nobody killed it.
    pub fn last_words(&mut self) -> Option<String> {
        match &mut self.server {
            Server::None => None,
            Server::Postgres(server) => server.last_words(),
            Server::MySql(server) => server.last_words(),
        }
    }

    /// Whether the server has ended though nobody killed it.
    pub fn has_broken_down(&mut self) -> bool {
        self.last_words().is_some()
    }

    /// Whether a killed server has left a table that it cannot open any more.
    pub fn left_broken(&self, folder: &Path, database: &str) -> Result<bool> {
        let Server::MySql(_) = &self.server else { return Ok(false) };
        let sql = "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND engine IS NULL AND table_type NOT LIKE '%VIEW'";
        Ok(!self.query(folder, database, sql)?.is_empty())
    }

    pub fn fresh_database(&self) -> Result<String> {
        match &self.server {
            Server::None => Ok(runsheet_test_servers::fresh_name("db")),
            Server::Postgres(server) => server.fresh_database(),
            Server::MySql(server) => server.fresh_database(),
        }
    }

    /// What somebody does in a database before the plan.
    pub fn before(&self, target: &Target) -> Result<()> {
        for sql in &target.before {
            self.execute(&target.database, sql)?;
        }
        Ok(())
    }

    /// Takes away what a trial has made: the server keeps thousands of trials' databases otherwise.
    pub fn clean(&self, target: &Target) {
        let (database, own) = match &self.server {
            Server::None => return,
            Server::Postgres(_) => {
                // A subscription keeps its database; one without a slot goes by itself.
                let rows = self.query(Path::new(""), &target.database, "SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE datname = current_database()");
                for name in rows.unwrap_or_default().iter().flatten() {
                    let _ = self.execute(&target.database, &format!("DROP SUBSCRIPTION {name}"));
                }
                ("postgres", format!("DROP DATABASE {} WITH (FORCE)", target.database))
            }
            Server::MySql(_) => ("", format!("DROP DATABASE {}", target.database)),
        };
        for sql in std::iter::once(&own).chain(&target.after) {
            let _ = self.execute(database, sql);
        }
    }

    fn execute(&self, database: &str, sql: &str) -> Result<String> {
        match &self.server {
            Server::None => Ok(String::new()),
            Server::Postgres(server) => server.execute(database, sql),
            Server::MySql(server) => server.execute(database, sql),
        }
    }

    /// The rows of a query, by the engine's own client.
    pub fn query(&self, folder: &Path, database: &str, sql: &str) -> Result<Vec<Vec<String>>> {
        match &self.server {
            Server::None => Engine::Sqlite.query(folder, database, sql),
            Server::Postgres(server) => server.query(database, sql),
            Server::MySql(server) => server.query(database, sql),
        }
    }

    /// The instance's table with nothing but what it is, reached over `port`.
    pub fn plain_instance(&self, port: u16, folder: &Path) -> String {
        let (driver, address) = (driver_name(self.dialect), self.address(port, folder));
        format!("[instances.main]\ndriver = \"{driver}\"\n{address}{}", self.settings)
    }

    fn address(&self, port: u16, folder: &Path) -> String {
        let served = |user: &str| {
            format!("host = \"127.0.0.1\"\nport = {port}\nuser = \"{user}\"\ntls = \"disable\"\n")
        };
        match &self.server {
            Server::None => format!("directory = {:?}\ncreate = true\n", folder.display().to_string()),
            Server::Postgres(_) => served("postgres"),
            Server::MySql(_) => served("root"),
        }
    }

    /// The instance's table, reached over `port`, by the driver itself or by the relay in front of it.
    pub fn instance(&self, port: u16, folder: &Path, relayed: bool) -> String {
        let address = self.address(port, folder);
        let loose = match &self.server {
            Server::None | Server::Postgres(_) => "",
            Server::MySql(_) => "non_transactional_dml = \"allow\"\n",
        };
        let driver = if relayed { runsheet_test_relay::NAME } else { driver_name(self.dialect) };
        // A swallowed connection keeps its session, and with it the fence, until somebody ends it.
        format!(
            "[instances.main]\ndriver = \"{driver}\"\n{address}{loose}{}orphans = \"cancel\"\nretry = {{ attempts = 10, backoff = \"50ms\" }}\n",
            self.settings
        )
    }
}

/// As the config and `runsheet split` name it.
pub fn driver_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "sqlite",
        Dialect::Postgres => "postgres",
        Dialect::MariaDb | Dialect::MySql => "mysql",
    }
}

/// The real driver's file.
pub fn driver(dialect: Dialect) -> Result<PathBuf> {
    built(&format!("librunsheet_driver_{}.so", driver_name(dialect)))
}

/// The relay's file.
pub fn relay() -> Result<PathBuf> {
    built("librunsheet_test_relay.so")
}

/// A library beside the program.
fn built(name: &str) -> Result<PathBuf> {
    let path = program().parent().context("the program is in a folder")?.join(name);
    ensure!(path.exists(), "{} is missing; `cargo build --workspace` makes it", path.display());
    Ok(path)
}
