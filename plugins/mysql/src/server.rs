//! Which server it is, and what it allows.

use crate::client::{Client, Fault};

/// What is asked once for a session.
#[derive(Debug, Default)]
pub(crate) struct Server {
    pub product: &'static str,
    /// And whether it only reads.
    pub version: String,
    /// The same for all sessions of one server process.
    pub system: String,
    /// The account that the server has taken us for.
    pub user: String,
    pub session_start: String,
    /// The longest request that it takes, in bytes.
    pub packet_bytes_max: usize,
    /// The `sql_mode` that the session has begun with.
    pub sql_mode: String,
}

impl Server {
    pub fn ask(client: &mut Client) -> Result<Self, Fault> {
        let mut row = row(
            client,
            "SELECT VERSION(), CURRENT_USER(), @@max_allowed_packet, UTC_TIMESTAMP(), @@GLOBAL.read_only, @@SESSION.sql_mode",
        )?
        .into_iter();
        let mut next = || row.next().unwrap_or_default();
        let (version, user, packet, session_start) = (next(), next(), next(), next());
        let reads_only = !matches!(next().as_str(), "" | "0" | "OFF");
        let sql_mode = next();
        let product = if is_mariadb(&version) { "MariaDB" } else { "MySQL" };
        let version = if reads_only { format!("{version}, read only") } else { version };
        Ok(Self {
            product,
            version,
            system: system(client)?,
            user,
            session_start,
            packet_bytes_max: packet.parse().unwrap_or(usize::MAX),
            sql_mode,
        })
    }
}

fn is_mariadb(version: &str) -> bool {
    version.contains("MariaDB")
}

/// A server process, told apart from every other one. The start is computed from two numbers of the same moment, so that all
/// sessions compute the same.
pub(crate) fn system(client: &mut Client) -> Result<String, Fault> {
    let who = row(client, "SELECT VERSION(), CONCAT(@@hostname, ':', @@port)")?;
    let schema = match who.first() {
        Some(version) if is_mariadb(version) => "information_schema",
        _ => "performance_schema",
    };
    let started = row(
        client,
        &format!(
            "SELECT UTC_TIMESTAMP() - INTERVAL VARIABLE_VALUE SECOND FROM {schema}.global_status WHERE VARIABLE_NAME = 'Uptime'"
        ),
    )?;
    let (place, started) = (who.into_iter().nth(1), started.into_iter().next());
    Ok(format!("{} started {}", place.unwrap_or_default(), started.unwrap_or_default()))
}

/// The first row of a query, NULL as nothing.
fn row(client: &mut Client, sql: &str) -> Result<Vec<String>, Fault> {
    let answer = client.query(sql.as_bytes(), true)?;
    let row = answer.rows.into_iter().next().unwrap_or_default();
    Ok(row.into_iter().map(Option::unwrap_or_default).collect())
}
