//! `config check`: the config as the daemon reads it, and every instance asked.

use super::exit::Exit;
use super::paint::{self, Colour, paint};
use crate::config::{Config, Instance, Ledger};
use crate::driver::{Drivers, Library};
use anyhow::Context;
use runsheet_sdk::Notice;
use std::fmt::Write;
use std::path::Path;

pub(super) fn run(path: &Path) -> anyhow::Result<Exit> {
    let config = Config::load(path)?;
    let mut text = format!("{} is well formed.\n\n", path.display());
    for (name, folder) in [
        ("inbox", &config.folders.inbox),
        ("accepted", &config.folders.accepted),
        ("rejected", &config.folders.rejected),
        ("results", &config.folders.results),
        ("state", &config.folders.state),
        ("socket", &config.daemon.socket),
        ("drivers", &config.daemon.plugins),
    ] {
        let _ = writeln!(text, "  {name:<9} {}", folder.display());
    }
    for warning in &config.warnings {
        let _ = writeln!(text, "\n{}", paint(Colour::Waiting, &format!("warning: {warning}")));
    }
    let drivers = Drivers::load(&config.daemon.plugins).with_context(|| {
        format!("the folder of drivers {} cannot be read", config.daemon.plugins.display())
    })?;
    let mut good = true;
    for found in drivers.found() {
        if let Err(error) = &found.result {
            good = false;
            let _ = writeln!(text, "\n{}", paint(Colour::Bad, &format!("driver not used: {error}")));
        }
    }
    paint::print(&text)?;
    for instance in config.instances.values() {
        let (line, fine) = one(instance, &drivers);
        good &= fine;
        paint::print(&line)?;
    }
    Ok(if good { Exit::Fine } else { Exit::Failed })
}

fn one(instance: &Instance, drivers: &Drivers) -> (String, bool) {
    let mut text = format!("\n{} ({})\n", paint(Colour::Bold, &instance.name), instance.driver);
    let Some(driver) = drivers.get(&instance.driver) else {
        let names: Vec<&str> = drivers.names().collect();
        let _ = writeln!(
            text,
            "  {}",
            paint(
                Colour::Bad,
                &format!("there is no driver `{}`; there are: {}", instance.driver, names.join(", "))
            )
        );
        return (text, false);
    };
    let faults = driver.check(&instance.settings);
    for fault in &faults {
        let _ = writeln!(text, "  {}", paint(Colour::Bad, &fault.to_string()));
    }
    if !faults.is_empty() {
        return (text, false);
    }
    let place = if instance.ledger == Ledger::Target { "in the target" } else { "none" };
    let _ = writeln!(
        text,
        "  at most {}, ledger {place}",
        paint::count(u64::from(instance.max_connections), "connection")
    );
    // Which databases there are is the plans' business; a server is asked through the one that every account may use.
    match server(driver, instance) {
        Ok((said, advice)) => {
            let _ = writeln!(text, "  {}", paint(Colour::Good, &said));
            for notice in advice {
                let colour = if notice.severity == "WARNING" { Colour::Waiting } else { Colour::Faint };
                let _ = writeln!(text, "  {}", paint(colour, &notice.message));
            }
            (text, true)
        }
        Err(why) => {
            let _ = writeln!(text, "  {}", paint(Colour::Bad, &why));
            (text, false)
        }
    }
}

/// Connects once, and says to what, and what that means for exactly once. An embedded engine has no server to ask.
fn server(driver: Library, instance: &Instance) -> Result<(String, Vec<Notice>), String> {
    if driver.facts().has(runsheet_sdk::Facts::EMBEDDED) {
        let said = "its settings are sound; files are opened when a plan names them".to_owned();
        return Ok((said, Vec::new()));
    }
    let opened = driver.open(&instance.settings, "", "runsheet config check", &mut |_| {});
    let mut connection = opened.map_err(|error| format!("no connection: {error}"))?;
    let identity = connection.identify().map_err(|error| format!("it does not say who it is: {error}"))?;
    let mut advice = Vec::new();
    connection
        .advise(&mut |notice| advice.push(notice))
        .map_err(|error| format!("its settings cannot be read: {error}"))?;
    Ok((format!("connected to {} {} as {}", identity.product, identity.version, identity.user), advice))
}
