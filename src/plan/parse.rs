//! A plan's text becomes a plan, or the list of everything that is wrong with it.

use super::fault::{Faults, Found};
use super::field::{Fields, Finds, range, shown};
use super::name::{PlanName, SheetName, Target};
use super::rules::{self, DraftSpec, DraftStep};
use super::version::SchemaVersion;
use super::{ChangeType, Plan, schema};
use jiff::Timestamp;
use jsonc_parser::ast::{Object, Value};
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use jsonc_parser::{CollectOptions, ParseOptions, ParseStringErrorKind, parse_to_ast};
use std::collections::BTreeSet;
use std::ops::Range;

/// More specs than this are no plan.
const SPECS_MAX: usize = 200_000;
/// More values than this are no plan either: each takes a hundred bytes while the text is read, however short it is.
const VALUES_MAX: usize = 4_000_000;

/// What a plan's text does not say itself.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The plan's name where it does not give one: from the file's place and name.
    pub name: Option<PlanName>,
    /// The instances that are configured; nothing where that is not to be checked.
    pub instances: Option<&'a BTreeSet<String>>,
}

/// JSON with comments and trailing commas, and nothing else: what editors call JSONC.
pub(super) fn syntax() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

/// The object that a text is, or the fault that it is not one.
pub(super) fn with_object<R>(
    text: &str,
    what: &str,
    read: impl FnOnce(&Object<'_>, &mut Finds) -> R,
) -> Result<R, Faults> {
    let mut finds = Finds::new();
    if text.bytes().filter(|byte| matches!(byte, b',' | b'{' | b'[')).count() > VALUES_MAX {
        let help = "Make more than one of it.";
        finds.add_help(0..1, format!("{what} has more than {VALUES_MAX} values"), help);
        return Err(finds.into_faults(text));
    }
    let parsed = match parse_to_ast(text, &CollectOptions::default(), &syntax()) {
        Ok(parsed) => parsed,
        Err(error) => {
            finds.push(syntax_fault(text, what, &error));
            return Err(finds.into_faults(text));
        }
    };
    let read = match &parsed.value {
        Some(Value::Object(object)) => read(object, &mut finds),
        Some(other) => {
            finds.add(range(other), format!("{what} must be an object: `{{ … }}`"));
            return Err(finds.into_faults(text));
        }
        None => {
            let message = format!("{what} is empty");
            finds.push(Found { range: 0..0, message, help: None, also: None, unfinished: true });
            return Err(finds.into_faults(text));
        }
    };
    if finds.is_empty() { Ok(read) } else { Err(finds.into_faults(text)) }
}

/// Where the parser stopped. It says of itself where it is not JSON; whether more may come is judged by where that is.
fn syntax_fault(text: &str, what: &str, error: &ParseError) -> Found {
    let at = error.range();
    let end = at.end.max(at.start + 1).min(text.len().max(1));
    // Some ways of copying make the file as long as it will be, and fill it later.
    let whole = text.trim_end_matches(|c: char| c.is_whitespace() || c == '\0');
    let open = matches!(
        error.kind(),
        ParseErrorKind::UnterminatedArray
            | ParseErrorKind::UnterminatedObject
            | ParseErrorKind::UnterminatedCommentBlock
            | ParseErrorKind::String(ParseStringErrorKind::UnterminatedStringLiteral)
    );
    Found {
        range: at.start..end,
        message: format!("{what} cannot be read: {}", error.kind()),
        help: Some("It must be JSON; comments and trailing commas are allowed.".to_owned()),
        also: None,
        unfinished: open || end >= whole.len() || text.ends_with('\0'),
    }
}

/// Reads a plan.
///
/// # Errors
/// Every fault of the text, in the order of their places.
pub fn parse(text: &str, place: &Place<'_>) -> Result<Plan, Faults> {
    let plan = with_object(text, "the plan", |object, finds| plan(object, place, finds))?;
    Ok(plan.expect("a plan without a fault has a name"))
}

fn plan(object: &Object<'_>, place: &Place<'_>, finds: &mut Finds) -> Option<Plan> {
    let fields = Fields::of(object, "a plan", schema::PLAN, finds);
    let name = match fields.string("name", finds) {
        None => {
            if place.name.is_none() {
                let help = "Add it, as in `\"name\": \"projects/shop/plans/2026-11\"`, or give the file and its folder names of letters, digits, `.`, `_` and `-`.";
                finds.add_help(
                    fields.place("name"),
                    "the plan has no `name`, and its file's place gives it none",
                    help,
                );
            }
            place.name.clone()
        }
        Some(text) => match text.value.parse::<PlanName>() {
            Ok(name) => Some(name),
            Err(error) => {
                finds.add(range(text), error.to_string());
                None
            }
        },
    };
    let title = fields.text("title", finds).unwrap_or_default();
    let description = fields.text("description", finds).unwrap_or_default();
    fields.required("a plan", "steps", finds);
    let mut drafts = Vec::new();
    let mut count = 0;
    for value in fields.array("steps", finds).into_iter().flat_map(|steps| &steps.elements) {
        let Value::Object(object) = value else {
            finds.add(range(value), "a step must be an object");
            continue;
        };
        let step = step(object, place, finds);
        count += step.specs.len();
        drafts.push(step);
    }
    if count > SPECS_MAX {
        finds.add(
            fields.place("steps"),
            format!("the plan has {count} specs; more than {SPECS_MAX} are no plan"),
        );
        return None;
    }
    let steps = rules::judge(drafts, finds);
    name.map(|name| Plan { name, title, description, steps })
}

fn step(object: &Object<'_>, place: &Place<'_>, finds: &mut Finds) -> DraftStep {
    let fields = Fields::of(object, "a step", schema::STEP, finds);
    let title = fields.text("title", finds).unwrap_or_default();
    fields.required("a step", "specs", finds);
    let mut specs = Vec::new();
    for value in fields.array("specs", finds).into_iter().flat_map(|specs| &specs.elements) {
        match value {
            Value::Object(object) => specs.push(spec(object, place, finds)),
            other => finds.add(range(other), "a spec must be an object"),
        }
    }
    DraftStep { title, specs }
}

fn spec(object: &Object<'_>, place: &Place<'_>, finds: &mut Finds) -> DraftSpec {
    let fields = Fields::of(object, "a spec", schema::SPEC, finds);
    fields.required("a spec", "id", finds);
    let id = fields.string("id", finds).map(|id| (id.value.clone().into_owned(), range(id)));
    if let Some((text, at)) = &id
        && (text.len() > 128 || text.chars().any(|c| c.is_control() || c == '/' || c.is_whitespace()))
    {
        finds.add(at.clone(), "a spec's id has at most 128 bytes, without blanks and `/`");
    }
    let earliest = fields.string("earliestAllowedTime", finds).and_then(|text| {
        text.value
            .parse::<Timestamp>()
            .map_err(|error| {
                let help = "It is a time with its zone, as in `2026-11-27T22:00:00+01:00` or `…Z`.";
                finds.add_help(
                    range(text),
                    format!("`earliestAllowedTime` is no RFC 3339 time: {error}"),
                    help,
                );
            })
            .ok()
    });
    let mut depends_on: Vec<(String, Range<usize>)> = Vec::new();
    for value in fields.array("dependsOnSpecs", finds).into_iter().flat_map(|ids| &ids.elements) {
        match value {
            Value::StringLit(text) => depends_on.push((text.value.clone().into_owned(), range(text))),
            other => finds.add(range(other), "`dependsOnSpecs` is a list of spec ids"),
        }
    }
    for (name, instead) in [
        ("createDatabaseConfig", "Create the database by a statement of a sheet that runs in another one."),
        ("exportDataConfig", "Export with the engine's own tools."),
    ] {
        if fields.value(name).is_some() {
            finds.add_help(fields.place(name), format!("`{name}` is not built yet"), instead);
        }
    }
    let other = ["createDatabaseConfig", "exportDataConfig"].iter().any(|name| fields.value(name).is_some());
    if !other {
        fields.required("a spec", "changeDatabaseConfig", finds);
    }
    let change = fields.object("changeDatabaseConfig", finds).map(|object| change(object, place, finds));
    let change = change.unwrap_or_default();
    DraftSpec { id, earliest, depends_on, change, range: fields.range }
}

/// What a `changeDatabaseConfig` says, as far as it is sound.
#[derive(Default)]
pub(super) struct Change {
    pub target: Option<Target>,
    pub sheet: Option<SheetName>,
    pub change_type: Option<ChangeType>,
    pub version: Option<(SchemaVersion, Range<usize>)>,
}

fn change(object: &Object<'_>, place: &Place<'_>, finds: &mut Finds) -> Change {
    let fields = Fields::of(object, "`changeDatabaseConfig`", schema::CHANGE, finds);
    for name in ["target", "sheet", "type"] {
        fields.required("`changeDatabaseConfig`", name, finds);
    }
    if fields.value("ghostFlags").is_some() {
        let help = "Use the engine's own online DDL in the sheet.";
        finds.add_help(fields.place("ghostFlags"), "`ghostFlags` is not built yet", help);
    }
    if let Some(backup) = fields.object("preUpdateBackupDetail", finds) {
        let backup = Fields::of(backup, "`preUpdateBackupDetail`", schema::BACKUP, finds);
        if backup.string("database", finds).is_some() {
            let help = "Back the rows up by a statement of the sheet, such as CREATE TABLE … AS SELECT.";
            finds.add_help(backup.place("database"), "`preUpdateBackupDetail` is not built yet", help);
        }
    }
    let sheet = fields.string("sheet", finds).and_then(|text| {
        text.value.parse().map_err(|error: super::BadName| finds.add(range(text), error.to_string())).ok()
    });
    let version =
        fields.string("schemaVersion", finds).and_then(|text| match text.value.parse::<SchemaVersion>() {
            Ok(version) => Some((version, range(text))),
            Err(error) => {
                finds.add(range(text), error.to_string());
                None
            }
        });
    Change { target: target(&fields, place, finds), sheet, change_type: change_type(&fields, finds), version }
}

fn target(fields: &Fields<'_, '_>, place: &Place<'_>, finds: &mut Finds) -> Option<Target> {
    let text = fields.string("target", finds)?;
    for (part, what) in
        [("/databaseGroups/", "a database group"), ("/deploymentConfigs/", "a deployment config")]
    {
        if text.value.starts_with("projects/") && text.value.contains(part) {
            let help = "Name each database in a spec of its own.";
            finds.add_help(range(text), format!("a target that is {what} is not built yet"), help);
            return None;
        }
    }
    let target: Target = match text.value.parse() {
        Ok(target) => target,
        Err(error) => {
            finds.add(range(text), error.to_string());
            return None;
        }
    };
    if let Some(known) = place.instances
        && !known.contains(&target.instance)
    {
        let near = finds.nearest(&target.instance, known.iter().map(String::as_str));
        let help = near.unwrap_or_else(|| match known.len() {
            0 => "The config has no instance yet: add `[instances.NAME]`.".to_owned(),
            _ => format!("The config has: {}.", known.iter().cloned().collect::<Vec<_>>().join(", ")),
        });
        finds.add_help(range(text), format!("the instance `{}` is not in the config", target.instance), help);
    }
    Some(target)
}

fn change_type(fields: &Fields<'_, '_>, finds: &mut Finds) -> Option<ChangeType> {
    let value = fields.value("type")?;
    let found = match value {
        Value::StringLit(text) => schema::TYPES.iter().find(|(word, ..)| *word == text.value),
        Value::NumberLit(number) => {
            schema::TYPES.iter().find(|(_, numeral, _)| number.value == numeral.to_string())
        }
        Value::BooleanLit(_) | Value::Object(_) | Value::Array(_) | Value::NullKeyword(_) => None,
    };
    let Some((word, _, instead)) = found else {
        let words: Vec<&str> = schema::TYPES.iter().map(|(word, ..)| *word).collect();
        let word = match value {
            Value::StringLit(text) => text.value.as_ref(),
            Value::NumberLit(number) => number.value,
            other => {
                finds.add(range(other), format!("`type` must be one of {}", words.join(", ")));
                return None;
            }
        };
        let help = finds
            .nearest(word, words.iter().copied())
            .unwrap_or_else(|| format!("It is one of {}.", words.join(", ")));
        finds.add_help(range(value), format!("`{}` is no type of change", shown(word)), help);
        return None;
    };
    match (instead, *word) {
        (Some(instead), word) => {
            finds.add_help(range(value), format!("the type {word} is not built yet"), *instead);
            None
        }
        (None, "DATA") => Some(ChangeType::Data),
        (None, _) => Some(ChangeType::Migrate),
    }
}
