//! `check`: everything that can be said of a plan before it runs.

mod intake;

use super::exit::Exit;
use super::paint::{self, Colour, paint};
use super::submit;
use crate::config::Config;
use crate::driver::{Drivers, Library};
use crate::inbox::sheet_places;
use crate::plan::{self, Plan, Spec};
use crate::sheet::{PiecesError, Survey, survey};
use crate::store::{StateFolder, sheet_by_name};
use anyhow::Context;
use runsheet_sdk::Facts;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// One thing that was found.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    /// Whether the plan cannot run as it is.
    error: bool,
    /// The file that it is about.
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u64>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    excerpt: Option<String>,
}

impl Finding {
    /// One that is about a file as a whole.
    fn plain(error: bool, file: impl std::fmt::Display, message: String) -> Self {
        Self { error, file: file.to_string(), line: None, column: None, message, excerpt: None }
    }
}

/// What was found of one plan.
#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    plan: Option<String>,
    stages: usize,
    tasks: usize,
    findings: Vec<Finding>,
    /// What each sheet holds, for people.
    sheets: Vec<String>,
}

/// Reads a plan file and draws its faults. Nothing where it has any.
pub(super) fn parse(config: &Config, file: &Path) -> anyhow::Result<Option<Plan>> {
    match parse_file(config, file)? {
        Ok(plan) => Ok(Some(plan)),
        Err((drawn, _)) => {
            paint::say(drawn.trim_end());
            Ok(None)
        }
    }
}

type Faulty = (String, Vec<Finding>);

fn parse_file(config: &Config, file: &Path) -> anyhow::Result<Result<Plan, Faulty>> {
    let bytes = fs::read(file).with_context(|| format!("the plan {} cannot be read", file.display()))?;
    let shown = file.display().to_string();
    let faulty = |text: &str, faults: plan::Faults| {
        let findings = faults.iter().map(|fault| Finding {
            error: true,
            file: shown.clone(),
            line: Some(fault.line as u64),
            column: Some(fault.column as u64),
            message: match &fault.help {
                Some(help) => format!("{}. {help}", fault.message),
                None => fault.message.clone(),
            },
            excerpt: Some(fault.excerpt.clone()),
        });
        let findings = findings.collect();
        Err((faults.draw(&shown, text, std::io::IsTerminal::is_terminal(&std::io::stderr())), findings))
    };
    let text = match plan::text_of(&bytes) {
        Ok(text) => text,
        Err((faults, shown)) => return Ok(faulty(&shown, faults)),
    };
    let instances: BTreeSet<String> = config.instances.keys().cloned().collect();
    let place = plan::Place { name: submit::default_name(file), instances: Some(&instances) };
    Ok(match plan::parse(text, &place) {
        Ok(plan) => Ok(plan),
        Err(faults) => faulty(text, faults),
    })
}

pub(super) fn run(config_path: &Path, plans: &[PathBuf], connect: bool, json: bool) -> anyhow::Result<Exit> {
    let config =
        if connect { Config::load(config_path)? } else { Config::load_without_secrets(config_path)? };
    let drivers = Drivers::load(&config.daemon.plugins).with_context(|| {
        format!("the folder of drivers {} cannot be read", config.daemon.plugins.display())
    })?;
    let mut all = Vec::new();
    for file in plans {
        let checked = one(&config, &drivers, file, connect)?;
        if !json {
            show(&checked)?;
        }
        all.push(checked.0);
    }
    if json {
        paint::print_json(&all)?;
    }
    let failed = all.iter().flat_map(|checked| &checked.findings).any(|finding| finding.error);
    Ok(if failed { Exit::Failed } else { Exit::Fine })
}

/// What was found, and the plan's faults as they are drawn.
type Shown = (Checked, Option<String>);

fn one(config: &Config, drivers: &Drivers, file: &Path, connect: bool) -> anyhow::Result<Shown> {
    let mut checked = Checked {
        file: file.display().to_string(),
        plan: None,
        stages: 0,
        tasks: 0,
        findings: Vec::new(),
        sheets: Vec::new(),
    };
    let plan = match parse_file(config, file)? {
        Ok(plan) => plan,
        Err((drawn, findings)) => {
            checked.findings = findings;
            return Ok((checked, Some(drawn)));
        }
    };
    checked.plan = Some(plan.name.to_string());
    checked.stages = plan.steps.len();
    checked.tasks = plan.steps.iter().map(|step| step.specs.len()).sum();
    for said in intake::said(config, file, &plan) {
        checked.findings.push(Finding::plain(said.error, said.file.display(), said.message));
    }
    instances(config, drivers, &plan, &mut checked);
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut seen = BTreeSet::new();
    for spec in plan.steps.iter().flat_map(|step| &step.specs) {
        if seen.insert((&spec.sheet, &spec.target.instance)) {
            sheet(config, drivers, folder, spec, &mut checked);
        }
    }
    if connect {
        targets(config, drivers, &plan, &mut checked);
    }
    Ok((checked, None))
}

/// The file of a sheet: beside the plan, in the inbox, or in the state.
fn find_sheet(config: &Config, folder: &Path, spec: &Spec) -> Option<PathBuf> {
    let beside = sheet_places(folder, &spec.sheet).into_iter().take(2);
    let dropped =
        sheet_places(Path::new(""), &spec.sheet).into_iter().map(|place| config.folders.inbox.join(place));
    beside.chain(dropped).find(|place| place.is_file()).or_else(|| {
        let mut reader = StateFolder::read(&config.folders.state).ok()?;
        let row = reader.read(|connection| sheet_by_name(connection, &spec.sheet.to_string())).ok()??;
        Some(config.folders.state.join("sheets").join(row.sha256)).filter(|place| place.is_file())
    })
}

/// Whether each instance of a plan has its driver, and what that says to its settings.
fn instances(config: &Config, drivers: &Drivers, plan: &Plan, checked: &mut Checked) {
    let names: BTreeSet<&String> =
        plan.steps.iter().flat_map(|step| &step.specs).map(|spec| &spec.target.instance).collect();
    for instance in names.into_iter().filter_map(|name| config.instances.get(name)) {
        let faults = match drivers.get(&instance.driver) {
            Some(driver) => {
                let faults = driver.check(&instance.settings);
                faults.iter().map(|fault| format!("instance {}: {fault}", instance.name)).collect()
            }
            None => vec![format!(
                "the instance {} needs the driver `{}`, which was not found",
                instance.name, instance.driver
            )],
        };
        let file = checked.file.clone();
        checked.findings.extend(faults.into_iter().map(|fault| Finding::plain(true, &file, fault)));
    }
}

fn sheet(config: &Config, drivers: &Drivers, folder: &Path, spec: &Spec, checked: &mut Checked) {
    let Some(instance) = config.instances.get(&spec.target.instance) else { return };
    let Some(driver) = drivers.get(&instance.driver) else { return };
    let plan_file = checked.file.clone();
    let plain = |message: String| Finding::plain(true, &plan_file, message);
    let Some(file) = find_sheet(config, folder, spec) else {
        let message = format!("the sheet {} was not found; the plan will wait for it", spec.sheet);
        return checked.findings.push(plain(message));
    };
    match survey(&file, driver, &instance.settings) {
        Ok(survey) => checked.sheets.push(describe(&spec.sheet.to_string(), driver, &survey)),
        Err(PiecesError::Sheet(fault)) => checked.findings.push(Finding {
            error: true,
            file: file.display().to_string(),
            line: Some(fault.line),
            column: Some(fault.column),
            message: fault.message,
            excerpt: Some(fault.excerpt),
        }),
        Err(error) => {
            checked.findings.push(plain(format!("the sheet {} cannot be read: {error}", spec.sheet)))
        }
    }
}

fn describe(name: &str, driver: Library, survey: &Survey) -> String {
    let kinds: Vec<String> = survey.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let how = match (survey.segments, survey.alone) {
        (0, _) => "nothing that changes anything".to_owned(),
        (1, 0) => "in one transaction".to_owned(),
        (segments, 0) => format!("in {segments} transactions"),
        (segments, alone) => format!("in {segments} segments, {alone} of which commit by themselves"),
    };
    format!(
        "{name} on {}: {} ({}), {how}",
        driver.title(),
        paint::count(survey.statements, "statement"),
        kinds.join(", ")
    )
}

fn targets(config: &Config, drivers: &Drivers, plan: &Plan, checked: &mut Checked) {
    let all: BTreeSet<_> = plan.steps.iter().flat_map(|step| &step.specs).map(|spec| &spec.target).collect();
    for target in all {
        let Some(instance) = config.instances.get(&target.instance) else { continue };
        let Some(driver) = drivers.get(&instance.driver) else { continue };
        if driver.facts().has(Facts::EMBEDDED) {
            // There is no server to ask, and opening a file may make it.
            checked.sheets.push(format!("{target}: a file, opened when the plan runs"));
            continue;
        }
        let opened = driver.open(&instance.settings, &target.database, "runsheet check", &mut |_| {});
        let said = opened.and_then(|mut connection| connection.identify());
        match said {
            Ok(identity) => {
                checked.sheets.push(format!("{target}: {} {}", identity.product, identity.version))
            }
            Err(error) => {
                checked.findings.push(Finding::plain(true, &checked.file, format!("{target}: {error}")));
            }
        }
    }
}

fn show((checked, drawn): &Shown) -> anyhow::Result<()> {
    let mut text = String::new();
    if let Some(plan) = &checked.plan {
        let tasks = paint::count(checked.tasks as u64, "task");
        let _ = writeln!(
            text,
            "{}: {plan}, {}, {tasks}",
            checked.file,
            paint::count(checked.stages as u64, "stage")
        );
    }
    for sheet in &checked.sheets {
        let _ = writeln!(text, "  {sheet}");
    }
    match drawn {
        Some(drawn) => text.push_str(drawn),
        None => {
            for finding in &checked.findings {
                text.push_str(&line(finding));
            }
            if checked.findings.is_empty() {
                let _ = writeln!(text, "{}", paint(Colour::Good, "no fault found"));
            }
        }
    }
    paint::print(&text)
}

fn line(finding: &Finding) -> String {
    let place = match (finding.line, finding.column) {
        (Some(line), Some(column)) => format!("{}:{line}:{column}", finding.file),
        _ => finding.file.clone(),
    };
    let (colour, word) = if finding.error { (Colour::Bad, "error") } else { (Colour::Waiting, "warning") };
    let mut text = format!("{}\n  {place}\n", paint(colour, &format!("{word}: {}", finding.message)));
    if let (Some(excerpt), Some(line)) = (&finding.excerpt, finding.line) {
        let _ = writeln!(text, "  {line} | {excerpt}");
    }
    text
}
