//! The rules between the parts of a plan: unique ids, dependencies within a step and without circles, versions that can be
//! reached in order.

use super::fault::Found;
use super::field::{Finds, shown};
use super::parse::Change;
use super::version::SchemaVersion;
use super::{Spec, Step, Target};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

/// How many ids of a circle are named.
const CIRCLE_SHOWN_MAX: usize = 12;
/// How many circles of a step are told of.
const CIRCLES_MAX: usize = 20;

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
                finds.push(Found {
                    range: range.clone(),
                    message: format!("the spec id `{}` is used twice in the plan", shown(id)),
                    help: Some("Give each spec an id of its own.".to_owned()),
                    also: Some((first.clone(), "it is first used here".to_owned())),
                    unfinished: false,
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
        let mut known: HashSet<usize> = HashSet::new();
        for (id, range) in &spec.depends_on {
            match places.get(id) {
                Some((other, place, _)) if *other == step && *place == own => {
                    finds.add(range.clone(), "a spec cannot depend on itself");
                }
                Some((other, place, _)) if *other == step => {
                    if known.insert(*place) {
                        on.push(*place);
                    } else {
                        finds.add(range.clone(), format!("`{}` is in `dependsOnSpecs` twice", shown(id)));
                    }
                }
                Some((other, ..)) => {
                    let message = format!(
                        "`{}` is in step {}, but dependencies must be in the same step",
                        shown(id),
                        other + 1
                    );
                    let help = if *other < step {
                        "Take it out: a later step waits for the whole of an earlier one anyway."
                    } else {
                        "An earlier step cannot wait for a later one: move one of the two specs."
                    };
                    finds.add_help(range.clone(), message, help);
                }
                None => {
                    let ids =
                        draft.specs.iter().filter_map(|spec| spec.id.as_ref()).map(|(id, _)| id.as_str());
                    let help = finds
                        .nearest(id, ids)
                        .unwrap_or_else(|| "It must be the id of a spec of this step.".to_owned());
                    finds.add_help(
                        range.clone(),
                        format!("no spec of the plan has the id `{}`", shown(id)),
                        help,
                    );
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
                    finds.push(Found {
                        unfinished: false,
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

/// Finds circles of dependencies and lower versions, and names them.
fn circles(draft: &DraftStep, edges: &[Vec<usize>], finds: &mut Finds) {
    for circle in find_circles(&with_versions(draft, edges)) {
        let specs: Vec<&DraftSpec> = circle.iter().filter_map(|place| draft.specs.get(*place)).collect();
        let id = |spec: &&DraftSpec| spec.id.as_ref().map_or_else(|| "?".to_owned(), |(id, _)| shown(id));
        let mut path: Vec<String> = specs.iter().take(CIRCLE_SHOWN_MAX).map(id).collect();
        if specs.len() > CIRCLE_SHOWN_MAX {
            path.push("…".to_owned());
        }
        path.extend(specs.first().map(id));
        let message = format!("these specs wait for each other in a circle: {}", path.join(" → "));
        let help = "Take one dependency out, or change a schemaVersion: lower ones of a database come first.";
        finds.add_help(place_of(&specs), message, help);
    }
}

/// Where a circle is shown: at the entry by which its first spec waits for the second, where there is one.
fn place_of(circle: &[&DraftSpec]) -> Range<usize> {
    let Some(first) = circle.first() else { return 0..0 };
    let next = circle.get(1).unwrap_or(first).id.as_ref().map(|(id, _)| id);
    let entry = first.depends_on.iter().find(|(id, _)| Some(id) == next);
    entry.map_or_else(|| first.range.clone(), |(_, range)| range.clone())
}

/// What each spec waits for, lower versions included. Between two versions stands a node of its own, past the specs, so that
/// many specs of one version and many of the next make a sum of edges and not a product.
fn with_versions(draft: &DraftStep, edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = edges.to_vec();
    for list in versions(draft).values() {
        // Each waits for all of the next lower version; that those wait for lower ones makes the rest.
        for pair in list.chunk_by(|one, two| one.0 == two.0).collect::<Vec<_>>().windows(2) {
            let [lower, higher] = pair else { continue };
            let between = all.len();
            all.push(lower.iter().map(|(_, place)| *place).collect());
            for (_, place) in *higher {
                if let Some(on) = all.get_mut(*place) {
                    on.push(between);
                }
            }
        }
    }
    all
}

/// Circles of a graph, none of them twice. Without recursion: a step may have very many specs.
fn find_circles(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    #[derive(Clone, Copy)]
    enum Seen {
        /// At this place of the path.
        OnPath(usize),
        Done,
    }
    let mut seen: HashMap<usize, Seen> = HashMap::with_capacity(edges.len());
    let mut told: HashSet<usize> = HashSet::new();
    let mut found: Vec<Vec<usize>> = Vec::new();
    for start in 0..edges.len() {
        // The nodes from the start to here, each with how many of its edges were followed.
        let mut path: Vec<(usize, usize)> = Vec::new();
        let mut next = (!seen.contains_key(&start)).then_some(start);
        loop {
            if let Some(node) = next.take() {
                seen.insert(node, Seen::OnPath(path.len()));
                path.push((node, 0));
            }
            let Some((node, followed)) = path.last_mut() else { break };
            let Some(to) = edges.get(*node).and_then(|to| to.get(*followed)) else {
                seen.insert(*node, Seen::Done);
                path.pop();
                continue;
            };
            *followed += 1;
            match seen.get(to) {
                None => next = Some(*to),
                Some(Seen::OnPath(begin)) if !told.contains(to) && !told.contains(node) => {
                    let circle: Vec<usize> = path.iter().skip(*begin).map(|(node, _)| *node).collect();
                    told.extend(&circle);
                    found.push(circle);
                    if found.len() == CIRCLES_MAX {
                        return found;
                    }
                }
                Some(Seen::OnPath(_) | Seen::Done) => {}
            }
        }
    }
    found
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
