//! A job: the sheets of one scenario, a fresh database for them, and a folder for a tool's files.

use super::super::bench::Bench;
use super::super::proxy::Proxy;
use super::super::random::Random;
use super::super::scenario::{Dialect, Scenario};
use super::super::site::Site;
use super::migrations::{self, Layout, Migration};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Where the database is, for a tool.
pub enum Address {
    Sqlite(PathBuf),
    /// On 127.0.0.1, as `postgres`, without a password and without TLS.
    Postgres {
        port: u16,
        database: String,
    },
    /// MariaDB too. On 127.0.0.1, as `root`, without a password.
    MySql {
        port: u16,
        database: String,
    },
}

/// What a tool is given. Dropped, it takes its database and its folder with it.
pub struct Job<'b> {
    bench: &'b Bench,
    /// The folder. Runsheet's config is in it, which also cuts the sheets for the others.
    pub site: Site,
    pub scenario: Scenario,
    pub migrations: Vec<Migration>,
    database: String,
    proxy: Option<Proxy>,
}

impl<'b> Job<'b> {
    /// The same random numbers make the same sheets again.
    pub fn new(bench: &'b Bench, random: &Random, layout: Layout) -> Result<Self> {
        let database = bench.fresh_database()?;
        let scenario = Scenario::plain(bench.dialect, &database, &mut random.clone());
        let proxy = match bench.port() {
            0 => None,
            port => Some(Proxy::start(port)?),
        };
        let site = Site::new("")?;
        let instance = bench.plain_instance(proxy.as_ref().map_or(0, Proxy::port), &site.path("databases"));
        site.write(
            "config.toml",
            format!("[folders]\nroot = \".\"\n[daemon]\nsocket = \"socket\"\n[inbox]\nsettle = \"5ms\"\n{instance}"),
        )?;
        for target in &scenario.targets {
            bench.before(target)?;
        }
        let migrations = migrations::of(&site, bench.dialect, &scenario, layout)?;
        Ok(Self { bench, site, scenario, migrations, database, proxy })
    }

    pub fn address(&self) -> Address {
        let (port, database) = (self.proxy.as_ref().map_or(0, Proxy::port), self.database.clone());
        match self.bench.dialect {
            Dialect::Sqlite => Address::Sqlite(self.file()),
            Dialect::Postgres => Address::Postgres { port, database },
            Dialect::MariaDb | Dialect::MySql => Address::MySql { port, database },
        }
    }

    fn file(&self) -> PathBuf {
        self.site.path("databases").join(format!("{}.db", self.database))
    }

    /// Grows when a tool speaks to the database: how many bytes it sent, or when the file or its log was last written, in nanoseconds.
    pub fn heard(&self) -> u128 {
        if let Some(bytes) = self.said() {
            return bytes.into();
        }
        let file = self.file();
        let written = |path: &Path| path.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok();
        let last = written(&file).max(written(&file.with_extension("db-wal")));
        last.map_or(0, |time| time.as_nanos())
    }

    /// The rows of a query, by the engine's own client and without the proxy.
    pub fn query(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        self.bench.query(&self.site.path("databases"), &self.database, sql)
    }

    /// How many bytes the database was sent, where they are counted.
    pub fn said(&self) -> Option<u64> {
        self.proxy.as_ref().map(Proxy::requests)
    }
}

impl Drop for Job<'_> {
    fn drop(&mut self) {
        self.scenario.targets.iter().for_each(|target| self.bench.clean(target));
    }
}
