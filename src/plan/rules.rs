//! The rules between the parts of a plan: unique ids, dependencies within a step and without circles, versions that can be
//! reached in order.

use super::fault::Found;
use super::field::{Finds, nearest};
use super::parse::Change;
use super::version::SchemaVersion;
use super::{Spec, Step, Target};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// How many ids of a circle are named.
const CIRCLE_SHOWN_MAX: usize = 12;

pub(super) struct DraftStep {
    pub title: String,
    pub specs: Vec<DraftSpec>,
}

pub(super) struct DraftSpec {
    pub id: Option<(String, Range<usize>)>,
    pub earliest: Option<Timestamp>,
    pub depends_on: Vec<(String, Range<usize>)>,
    pub change: Change,
    pub range: Range<usize>,
}

/// Judges a plan's steps. What comes back is whole only where nothing was found.
pub(super) fn judge(drafts: Vec<DraftStep>, finds: &mut Finds) -> Vec<Step> {
    let places = ids(&drafts, finds);
    versions_between_steps(&drafts, finds);
    let mut steps = Vec::with_capacity(drafts.len());
    for (index, draft) in drafts.into_iter().enumerate() {
        let edges = dependencies(index, &draft, &places, finds);
        circles(&draft, &edges, finds);
        steps.push(finish(draft, edges));
    }
    steps
}

/// Where each id stands: step, place in the step, bytes.
type Places = HashMap<String, (usize, usize, Range<usize>)>;

fn ids(drafts: &[DraftStep], finds: &mut Finds) -> Places {
    let mut places: Places = HashMap::new();
    for (step, draft) in drafts.iter().enumerate() {
        for (place, spec) in draft.specs.iter().enumerate() {
            let Some((id, range)) = &spec.id else { continue };
            if let Some((_, _, first)) = places.get(id) {
                finds.0.push(Found {
                    range: range.clone(),
                    message: format!("the spec id `{id}` is used twice in the plan"),
                    help: Some("Give each spec an id of its own.".to_owned()),
                    also: Some((first.clone(), "it is first used here".to_owned())),
                });
            } else {
                places.insert(id.clone(), (step, place, range.clone()));
            }
        }
    }
    places
}

/// For each spec of a step, the places of those that it depends on.
fn dependencies(step: usize, draft: &DraftStep, places: &Places, finds: &mut Finds) -> Vec<Vec<usize>> {
    let mut edges = Vec::with_capacity(draft.specs.len());
    for (own, spec) in draft.specs.iter().enumerate() {
        let mut on: Vec<usize> = Vec::new();
        for (id, range) in &spec.depends_on {
            match places.get(id) {
                Some((other, place, _)) if *other == step && *place == own => {
                    finds.add(range.clone(), "a spec cannot depend on itself");
                }
                Some((other, place, _)) if *other == step => {
                    if on.contains(place) {
                        finds.add(range.clone(), format!("`{id}` is in `dependsOnSpecs` twice"));
                    } else {
                        on.push(*place);
                    }
                }
                Some((other, ..)) => {
                    let message =
                        format!("`{id}` is in step {}, but dependencies must be in the same step", other + 1);
                    let help = if *other < step {
                        "Take it out: a later step waits for the whole of an earlier one anyway."
                    } else {
                        "An earlier step cannot wait for a later one: move one of the two specs."
                    };
                    finds.add_help(range.clone(), message, help);
                }
                None => {
                    let known =
                        draft.specs.iter().filter_map(|spec| spec.id.as_ref()).map(|(id, _)| id.as_str());
                    let help = nearest(id, known)
                        .unwrap_or_else(|| "It must be the id of a spec of this step.".to_owned());
                    finds.add_help(range.clone(), format!("no spec of the plan has the id `{id}`"), help);
                }
            }
        }
        edges.push(on);
    }
    edges
}

/// The specs of a draft that bring a version, by their database.
fn versions(draft: &DraftStep) -> BTreeMap<&Target, Vec<(&SchemaVersion, usize)>> {
    let mut found: BTreeMap<&Target, Vec<(&SchemaVersion, usize)>> = BTreeMap::new();
    for (place, spec) in draft.specs.iter().enumerate() {
        if let (Some(target), Some((version, _))) = (&spec.change.target, &spec.change.version) {
            found.entry(target).or_default().push((version, place));
        }
    }
    for list in found.values_mut() {
        list.sort();
    }
    found
}

/// A version that is lower than one of an earlier step could never come in order, and one version with two sheets is two versions.
fn versions_between_steps(drafts: &[DraftStep], finds: &mut Finds) {
    let mut highest: HashMap<&Target, (&SchemaVersion, usize)> = HashMap::new();
    let mut sheets: HashMap<(&Target, &SchemaVersion), (&DraftSpec, usize)> = HashMap::new();
    for (step, draft) in drafts.iter().enumerate() {
        for spec in &draft.specs {
            let (Some(target), Some((version, range))) = (&spec.change.target, &spec.change.version) else {
                continue;
            };
            if let Some((before, earlier)) = highest.get(target)
                && version < *before
                && *earlier < step
            {
                let message = format!(
                    "schema version {version} comes after version {before} of step {}, on the same database",
                    earlier + 1
                );
                finds.add_help(
                    range.clone(),
                    message,
                    "Lower versions must come first: change the order of the steps, or the versions.",
                );
            }
            match sheets.get(&(target, version)) {
                Some((first, _)) if first.change.sheet != spec.change.sheet => {
                    finds.0.push(Found {
                        range: range.clone(),
                        message: format!(
                            "schema version {version} of this database stands for two different sheets"
                        ),
                        help: Some("Give each sheet a version of its own.".to_owned()),
                        also: first
                            .change
                            .version
                            .as_ref()
                            .map(|(_, at)| (at.clone(), "the first".to_owned())),
                    });
                }
                Some(_) => {}
                None => {
                    sheets.insert((target, version), (spec, step));
                }
            }
        }
        for (target, list) in versions(draft) {
            if let Some((version, _)) = list.last() {
                let entry = highest.entry(target).or_insert((version, step));
                if *version > entry.0 {
                    *entry = (version, step);
                }
            }
        }
    }
}

/// Finds a circle of dependencies and lower versions, and names it.
fn circles(draft: &DraftStep, edges: &[Vec<usize>], finds: &mut Finds) {
    let mut all: Vec<Vec<usize>> = edges.to_vec();
    for list in versions(draft).values() {
        // Each waits for all of the next lower version; that those wait for lower ones makes the rest.
        for pair in list.chunk_by(|one, two| one.0 == two.0).collect::<Vec<_>>().windows(2) {
            let [lower, higher] = pair else { continue };
            for (_, place) in *higher {
                if let Some(on) = all.get_mut(*place) {
                    // A long chain of equal versions needs one edge each, not the product.
                    on.extend(lower.iter().map(|(_, place)| *place));
                }
            }
        }
    }
    let Some(circle) = circle(&all) else { return };
    let id = |place: &usize| {
        draft.specs.get(*place).and_then(|spec| spec.id.as_ref()).map_or("?", |(id, _)| id.as_str())
    };
    let mut path: Vec<&str> = circle.iter().take(CIRCLE_SHOWN_MAX).map(id).collect();
    if circle.len() > CIRCLE_SHOWN_MAX {
        path.push("…");
    }
    path.extend(circle.first().map(id));
    let range = circle.first().and_then(|place| draft.specs.get(*place)).map_or(0..0, |spec| {
        spec.depends_on.first().map_or_else(|| spec.range.clone(), |(_, range)| range.clone())
    });
    let message = format!("these specs wait for each other in a circle: {}", path.join(" → "));
    finds.add_help(
        range,
        message,
        "Take one dependency out, or change a schemaVersion: lower ones of a database come first.",
    );
}

/// One circle of a graph, if it has any. Without recursion: a step may have very many specs.
fn circle(edges: &[Vec<usize>]) -> Option<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        No,
        OnPath,
        Done,
    }
    let mut seen = vec![Seen::No; edges.len()];
    for start in 0..edges.len() {
        if seen.get(start) != Some(&Seen::No) {
            continue;
        }
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        *seen.get_mut(start)? = Seen::OnPath;
        while let Some((node, next)) = path.last_mut() {
            let Some(to) = edges.get(*node).and_then(|to| to.get(*next)).copied() else {
                *seen.get_mut(*node)? = Seen::Done;
                path.pop();
                continue;
            };
            *next += 1;
            match seen.get(to)? {
                Seen::No => {
                    *seen.get_mut(to)? = Seen::OnPath;
                    path.push((to, 0));
                }
                Seen::OnPath => {
                    let begin = path.iter().position(|(node, _)| *node == to)?;
                    return Some(path.iter().skip(begin).map(|(node, _)| *node).collect());
                }
                Seen::Done => {}
            }
        }
    }
    None
}

/// A draft without faults becomes a step; one with faults loses what is not whole, and is thrown away by the caller.
fn finish(draft: DraftStep, edges: Vec<Vec<usize>>) -> Step {
    let specs = draft
        .specs
        .into_iter()
        .zip(edges)
        .filter_map(|(spec, depends_on)| {
            Some(Spec {
                id: spec.id?.0,
                earliest_allowed_time: spec.earliest,
                depends_on,
                target: spec.change.target?,
                sheet: spec.change.sheet?,
                change_type: spec.change.change_type?,
                schema_version: spec.change.version.map(|(version, _)| version),
            })
        })
        .collect();
    Step { title: draft.title, specs }
}
