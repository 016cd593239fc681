//! `config check`: the config as the daemon reads it, and every instance asked.

use super::exit::Exit;
use super::paint::{self, Colour, paint};
use super::table::Table;
use crate::config::{Config, Instance, Ledger};
use crate::driver::{Drivers, Library};
use anyhow::Context;
use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

pub(super) fn run(path: &Path) -> anyhow::Result<Exit> {
    let config = Config::load(path)?;
    let mut text = format!("{} is well formed.\n\n", path.display());
    let mut table = Table::new(2);
    for (name, place) in [
        ("inbox", &config.folders.inbox),
        ("accepted", &config.folders.accepted),
        ("rejected", &config.folders.rejected),
        ("results", &config.folders.results),
        ("state", &config.folders.state),
        ("socket", &config.daemon.socket),
        ("drivers", &config.daemon.plugins),
    ] {
        let made_later =
            if name != "drivers" && !place.exists() { "made when the daemon starts" } else { "" };
        table.row([name.into(), place.display().to_string().into(), made_later.into()]);
    }
    let _ = writeln!(text, "{}", table.lines().join("\n"));
    for warning in &config.warnings {
        let _ = writeln!(text, "\n{}", paint(Colour::Waiting, &format!("warning: {warning}")));
    }
    let drivers = Drivers::load(&config.daemon.plugins).with_context(|| {
        format!("the folder of drivers {} cannot be read", config.daemon.plugins.display())
    })?;
    let mut refused = 0;
    for error in drivers.found().iter().filter_map(|found| found.result.as_ref().err()) {
        refused += 1;
        let _ = writeln!(text, "\n{}", paint(Colour::Bad, &format!("driver not used: {error}")));
    }
    // Connecting takes its time, so what is known already is shown first, and then each instance as it answers.
    paint::print(&text)?;
    let mut unusable = 0;
    for instance in config.instances.values() {
        let said = asked(&config, instance, &drivers);
        unusable += u64::from(said.is_err());
        paint::print(&one(instance, &said))?;
    }
    let count = paint::count(config.instances.len() as u64, "instance");
    let (colour, verdict) = match unusable {
        0 => (Colour::Good, format!("{count}, all of them usable")),
        _ => (Colour::Bad, format!("{count}, {} not usable", paint::number(unusable))),
    };
    paint::print(&format!("\n{}\n", paint(colour, &verdict)))?;
    Ok(if refused == 0 && unusable == 0 { Exit::Fine } else { Exit::Failed })
}

fn one(instance: &Instance, said: &Result<String, Vec<String>>) -> String {
    let (mark, colour) = if said.is_ok() { ("✓", Colour::Good) } else { ("✗", Colour::Bad) };
    let ledger = match instance.ledger {
        Ledger::Target => "ledger in the target",
        Ledger::None => "no ledger",
    };
    let mut text = format!(
        "\n{} {} ({}), at most {}, {ledger}\n",
        paint(colour, mark),
        paint(Colour::Bold, &instance.name),
        instance.driver,
        paint::count(u64::from(instance.max_connections), "connection")
    );
    match said {
        Ok(said) => {
            let _ = writeln!(text, "  {}", paint::plain(said));
        }
        Err(faults) => faults.iter().for_each(|fault| {
            let _ = writeln!(text, "  {}", paint(Colour::Bad, &paint::plain(fault)));
        }),
    }
    text
}

/// What an instance answers, or everything that is wrong with it.
fn asked(config: &Config, instance: &Instance, drivers: &Drivers) -> Result<String, Vec<String>> {
    let placed = |key: &str, fault: String| {
        let place = config.places.of(&format!("instances.{}.{key}", instance.name));
        place.map_or_else(|| fault.clone(), |place| format!("{place}: {fault}"))
    };
    let Some(driver) = drivers.get(&instance.driver) else {
        let names: Vec<&str> = drivers.names().collect();
        let fault = format!("there is no driver `{}`; there are: {}", instance.driver, names.join(", "));
        return Err(vec![placed("driver", fault)]);
    };
    let faults = driver.check(&instance.settings);
    if !faults.is_empty() {
        return Err(faults.iter().map(|fault| placed(&fault.object, fault.to_string())).collect());
    }
    server(driver, instance).map_err(|why| vec![why])
}

/// Connects once, and says to what. Which databases there are is the plans' business; a server is asked through the one that
/// every account may use, and an embedded engine has no server to ask.
fn server(driver: Library, instance: &Instance) -> Result<String, String> {
    if driver.facts().has(runsheet_sdk::Facts::EMBEDDED) {
        return Ok("its settings are sound; files are opened when a plan names them".to_owned());
    }
    let begun = Instant::now();
    let opened = driver.open(&instance.settings, "", "runsheet config check", &mut |_| {});
    let mut connection = opened.map_err(|error| error.to_string())?;
    let identity = connection.identify().map_err(|error| format!("it does not say who it is: {error}"))?;
    let took = paint::length(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
    Ok(format!("connected to {} {} as {} in {took}", identity.product, identity.version, identity.user))
}
