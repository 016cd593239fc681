//! `drivers`: what was found in the folder of drivers, and why a file is not used.

use super::exit::Exit;
use super::paint::{self, Colour, paint};
use super::table::{Cell, Table};
use crate::config::Config;
use crate::driver::Drivers;
use anyhow::Context;
use serde::Serialize;

#[derive(Serialize)]
struct Row<'a> {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    driver: Option<Used<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

#[derive(Serialize)]
struct Used<'a> {
    name: &'a str,
    title: &'a str,
    version: &'a str,
    facts: Vec<&'static str>,
    extensions: Vec<&'static str>,
}

pub(super) fn run(config: &Config, json: bool) -> anyhow::Result<Exit> {
    let folder = &config.daemon.plugins;
    let drivers = Drivers::load(folder)
        .with_context(|| format!("the folder of drivers {} cannot be read", folder.display()))?;
    let rows: Vec<Row<'_>> = drivers
        .found()
        .iter()
        .map(|found| Row {
            file: found.path.display().to_string(),
            driver: found.result.as_ref().ok().map(|driver| Used {
                name: driver.name(),
                title: driver.title(),
                version: driver.version(),
                facts: driver.facts().words(),
                extensions: driver.extensions(),
            }),
            refused: found.result.as_ref().err().map(ToString::to_string),
        })
        .collect();
    if json {
        paint::print_json(&rows)?;
    } else if rows.is_empty() {
        paint::print(&format!(
            "There are no drivers in {}: files called librunsheet_driver_*.so.\n",
            folder.display()
        ))?;
    } else {
        paint::print(&text(&rows))?;
    }
    Ok(if rows.iter().any(|row| row.refused.is_some()) { Exit::Failed } else { Exit::Fine })
}

fn text(rows: &[Row<'_>]) -> String {
    let mut table = Table::new(0);
    table.heads(["DRIVER", "FOR", "VERSION", "FILE"]);
    let mut refused = String::new();
    for row in rows {
        match (&row.driver, &row.refused) {
            (Some(driver), _) => {
                table.row([
                    driver.name.into(),
                    driver.title.into(),
                    driver.version.into(),
                    row.file.as_str().into(),
                ]);
                let capabilities = [driver.facts.as_slice(), driver.extensions.as_slice()].concat();
                table.row(["".into(), Cell::coloured(capabilities.join(", "), Colour::Faint)]);
            }
            (None, Some(why)) => {
                let line = paint(Colour::Bad, &format!("not used: {}", paint::plain(why)));
                refused.push_str(&format!("\n{line}\n"));
            }
            (None, None) => {}
        }
    }
    format!("{}\n{refused}", table.lines().join("\n"))
}
