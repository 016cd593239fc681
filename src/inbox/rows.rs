//! What a plan file becomes in the store: pure.

use crate::plan;
use crate::store::{Millis, NewPlan, NewStage, NewTask};
use std::path::Path;

/// A plan as it is taken in from a folder of the inbox.
pub fn new_plan(
    parsed: &plan::Plan,
    sha256: String,
    text: &str,
    folder: &Path,
    accepted_time: Millis,
) -> NewPlan {
    let stages = parsed
        .steps
        .iter()
        .map(|step| NewStage { title: step.title.clone(), tasks: step.specs.iter().map(new_task).collect() });
    NewPlan {
        name: parsed.name.to_string(),
        title: parsed.title.clone(),
        sha256,
        text: text.to_owned(),
        folder: folder.to_string_lossy().into_owned(),
        accepted_time,
        stages: stages.collect(),
    }
}

/// The first whole millisecond that is not before a time: times are stored in milliseconds.
fn not_before(time: jiff::Timestamp) -> Millis {
    let millis = time.as_millisecond();
    if jiff::Timestamp::from_millisecond(millis).is_ok_and(|whole| whole < time) {
        millis + 1
    } else {
        millis
    }
}

fn new_task(spec: &plan::Spec) -> NewTask {
    NewTask {
        spec_id: spec.id.clone(),
        instance: spec.target.instance.clone(),
        database: spec.target.database.clone(),
        sheet: spec.sheet.to_string(),
        change_type: spec.change_type.word().to_owned(),
        schema_version: spec.schema_version.as_ref().map(|version| version.as_str().to_owned()),
        earliest_time: spec.earliest_allowed_time.map(not_before),
        depends_on: spec.depends_on.clone(),
    }
}
