//! The migrations that other tools get for a plan's sheets, in the plan's order.

use super::super::bench::driver_name;
use super::super::scenario::{Dialect, Scenario};
use super::super::site::Site;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// What becomes one migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A sheet. Where an engine has DDL in transactions, and a sheet has a statement that cannot be in one, that statement is a migration
    /// by itself: dbmate and sqlx-cli have no other way, since a file goes to the server as one message, and the others fare best so.
    Sheets,
    /// A statement.
    Statements,
}

/// A migration: statements without their semicolons.
#[derive(Clone, Debug)]
pub struct Migration {
    /// Such as `0001_make`.
    pub name: String,
    pub statements: Vec<String>,
    /// It cannot be in a transaction, and has one statement.
    pub alone: bool,
}

impl Migration {
    /// As the text of a file.
    pub fn text(&self) -> String {
        self.statements.iter().map(|statement| format!("{statement};\n")).collect()
    }

    /// The statements as a list in Python, whose strings have JSON's among their forms.
    pub fn python(&self) -> Result<String> {
        Ok(serde_json::to_string(&self.statements)?)
    }
}

/// The migrations of a scenario.
pub fn of(site: &Site, dialect: Dialect, scenario: &Scenario, layout: Layout) -> Result<Vec<Migration>> {
    let mut migrations: Vec<Migration> = Vec::new();
    for (sheet, text) in &scenario.sheets {
        let mut open = false;
        for (statement, transaction) in statements(site, dialect, sheet, text)? {
            // On MySQL and MariaDB no tool can put DDL into a transaction, and none asks.
            let alone = !transaction && matches!(dialect, Dialect::Sqlite | Dialect::Postgres);
            let joins = open && !alone && layout == Layout::Sheets;
            match migrations.last_mut() {
                Some(last) if joins => last.statements.push(statement),
                Some(_) | None => migrations.push(Migration {
                    name: format!("{:04}_{sheet}", migrations.len() + 1),
                    statements: vec![statement],
                    alone,
                }),
            }
            open = !alone;
        }
    }
    Ok(migrations)
}

/// The statements of a sheet, and whether each can be in a transaction: as `runsheet split` cuts them.
fn statements(site: &Site, dialect: Dialect, sheet: &str, text: &str) -> Result<Vec<(String, bool)>> {
    let file = format!("sheets/{sheet}.sql");
    site.write(&file, text)?;
    let path = site.path(&file).display().to_string();
    let said = site.say(&["split", &path, "--driver", driver_name(dialect), "--json"])?;
    ensure!(said.code == 0, "{sheet} cannot be cut: {}", said.err);
    let rows: Vec<Value> = serde_json::from_str(&said.out)?;
    rows.iter()
        .map(|row| {
            let number = |name: &str| row[name].as_u64().and_then(|number| usize::try_from(number).ok());
            let (offset, length) = number("offset").zip(number("length")).context("a place")?;
            let statement = text.get(offset..offset + length).context("a place in the sheet")?;
            Ok((statement.to_owned(), row["transaction"].as_bool().context("a transaction or none")?))
        })
        .collect()
}
