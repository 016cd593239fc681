//! Real database servers of a test's own: started in a temporary folder on a free port, killed and removed when they are
//! dropped, and also when the test's process is killed. Never the machine's own.

mod c_driver;
mod certificates;
mod data;
mod mysql;
mod pooler;
mod postgres;
mod process;

pub use c_driver::{build_c_driver, c_driver_sources, compile_driver, driver_header_folder};
pub use certificates::{Authority, Issued, Request, self_signed};
pub use data::cache;
pub use mysql::{Family, MySql, MySqlOptions};
pub use pooler::Pooler;
pub use postgres::{Postgres, PostgresOptions};
pub use process::wait_until;

use std::sync::atomic::{AtomicU32, Ordering};

/// A name that no other test of this process uses.
pub fn fresh_name(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    format!("{prefix}_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Servers that all tests of one process share; each test makes its own databases in them.
pub mod shared {
    use super::{Family, MySql, MySqlOptions, Postgres, PostgresOptions};
    use std::sync::OnceLock;

    /// The shared PostgreSQL.
    pub fn postgres() -> &'static Postgres {
        static SERVER: OnceLock<Postgres> = OnceLock::new();
        SERVER.get_or_init(|| Postgres::start(&PostgresOptions::default()).expect("PostgreSQL starts"))
    }

    /// The shared MariaDB.
    pub fn mariadb() -> &'static MySql {
        static SERVER: OnceLock<MySql> = OnceLock::new();
        SERVER
            .get_or_init(|| MySql::start(Family::MariaDb, &MySqlOptions::default()).expect("MariaDB starts"))
    }

    /// The shared MySQL.
    pub fn mysql() -> &'static MySql {
        static SERVER: OnceLock<MySql> = OnceLock::new();
        SERVER.get_or_init(|| MySql::start(Family::MySql, &MySqlOptions::default()).expect("MySQL starts"))
    }
}
