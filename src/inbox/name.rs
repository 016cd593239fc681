//! What a file is by its name, what a plan is called by its place, and where a sheet is looked for: pure.

use crate::plan::{PlanName, SheetName};
use std::path::{Path, PathBuf};

/// Endings of files that are still being written.
const UNFINISHED: &[&str] = &["~", ".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp", ".swx"];
/// The project of a plan that is dropped into the inbox's root without a name.
const DEFAULT_PROJECT: &str = "default";

/// How the folders begin that `submit` makes.
pub const SUBMITTED: &str = "submitted-";

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plan,
    Sheet,
    SheetJson,
}

/// Whether a file or folder of this name does not exist for us.
pub(super) fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || UNFINISHED.iter().any(|ending| name.ends_with(ending))
}

/// A place as it may be shown on a terminal and in a log: a name may hold anything but `/`.
pub(super) fn shown(place: &Path) -> String {
    place.display().to_string().chars().fold(String::new(), |mut text, c| {
        if c.is_control() {
            text.extend(c.escape_default())
        } else {
            text.push(c)
        }
        text
    })
}

/// What a file of this name is, if it is anything to us.
pub(super) fn kind(name: &str) -> Option<Kind> {
    let plan = name == "plan.json"
        || name == "plan.jsonc"
        || name.ends_with(".plan.json")
        || name.ends_with(".plan.jsonc");
    if plan {
        Some(Kind::Plan)
    } else if name.ends_with(".sheet.json") {
        Some(Kind::SheetJson)
    } else if name.ends_with(".sql") {
        Some(Kind::Sheet)
    } else {
        None
    }
}

/// Whether what is dropped at a place is looked at as a plan.
pub fn is_plan(place: &Path) -> bool {
    is_seen_as(place, |kind| kind == Kind::Plan)
}

/// Whether what is dropped at a place is looked at as a sheet.
pub fn is_sheet(place: &Path) -> bool {
    is_seen_as(place, |kind| kind != Kind::Plan)
}

fn is_seen_as(place: &Path, fits: impl Fn(Kind) -> bool) -> bool {
    let seen = place.iter().all(|part| part.to_str().is_some_and(|part| !is_hidden(part)));
    let name = place.file_name().and_then(|name| name.to_str());
    seen && name.and_then(kind).is_some_and(fits)
}

/// The name of a plan that does not give one, from its place in the inbox; nothing where the place makes no good name.
pub fn plan_name(place: &Path) -> Option<PlanName> {
    let parts: Vec<&str> = place.iter().map(|part| part.to_str()).collect::<Option<_>>()?;
    let (file, folders) = parts.split_last()?;
    let stem = [".plan.jsonc", ".plan.json"].iter().find_map(|ending| file.strip_suffix(ending));
    let plan = match (stem, folders.last()) {
        (Some(stem), _) => stem,
        // `plan.json` is called by its folder.
        (None, Some(folder)) => folder,
        (None, None) => "plan",
    };
    let project = match folders {
        ["projects", project, ..] => project,
        [project, ..] => project,
        [] => DEFAULT_PROJECT,
    };
    format!("projects/{project}/plans/{plan}").parse().ok()
}

/// Where a sheet is looked for, first place first: beside its plan, then from the inbox's root.
pub fn sheet_places(folder: &Path, sheet: &SheetName) -> Vec<PathBuf> {
    let short = PathBuf::from(format!("{}.sql", sheet.sheet));
    let long = PathBuf::from(format!("{sheet}.sql"));
    let mut places = vec![folder.join(&short), folder.join(&long)];
    if folder != Path::new("") {
        places.extend([short, long]);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_without_a_name_is_called_by_its_place() {
        let name = |place: &str| plan_name(Path::new(place)).map(|name| name.to_string());
        assert_eq!(name("x.plan.json").as_deref(), Some("projects/default/plans/x"));
        assert_eq!(name("shop/x.plan.jsonc").as_deref(), Some("projects/shop/plans/x"));
        assert_eq!(name("shop/2026-11/plan.json").as_deref(), Some("projects/shop/plans/2026-11"));
        assert_eq!(name("projects/shop/plans/x.plan.json").as_deref(), Some("projects/shop/plans/x"));
        assert_eq!(name("a b/x.plan.json"), None);
    }

    #[test]
    fn files_that_are_still_being_written_do_not_exist() {
        for name in [".x.plan.json", "x.sql.part", "x.sql~", ".nfs000", "x.plan.json.tmp"] {
            assert!(is_hidden(name), "{name}");
        }
        assert!(!is_hidden("x.sql"));
    }

    #[test]
    fn a_sheet_is_looked_for_beside_its_plan_and_then_from_the_root() {
        let sheet: SheetName = "projects/p/sheets/7".parse().unwrap();
        let places = sheet_places(Path::new("a"), &sheet);
        let texts: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        assert_eq!(texts, ["a/7.sql", "a/projects/p/sheets/7.sql", "7.sql", "projects/p/sheets/7.sql"]);
    }
}
