//! What the inbox would say to a plan and the sheets beside it: names it does not look at, sizes, and what is known under the
//! same name with other bytes.

use crate::config::Config;
use crate::inbox::{is_plan, sheet_places};
use crate::plan::{Plan, SheetName};
use crate::store::{Reader, StateFolder, plan_by_name, sheet_by_name};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// One thing that the inbox would say.
pub(super) struct Said {
    /// Whether the plan would not run.
    pub error: bool,
    /// About this file.
    pub file: PathBuf,
    /// What.
    pub message: String,
}

/// What the inbox would say to a plan that has no faults.
pub(super) fn said(config: &Config, file: &Path, plan: &Plan) -> Vec<Said> {
    let mut said = Vec::new();
    // The state is the daemon's own: who may not read it is told less.
    let mut state = StateFolder::read(&config.folders.state).ok();
    if let Some(message) = of_plan(config, &mut state, file, plan, &mut said) {
        said.push(Said { error: true, file: file.to_path_buf(), message });
    }
    let names: BTreeSet<&SheetName> =
        plan.steps.iter().flat_map(|step| &step.specs).map(|spec| &spec.sheet).collect();
    let folder = file.parent().unwrap_or(Path::new("."));
    for name in names {
        // The first two places are those beside the plan.
        let beside = sheet_places(folder, name).into_iter().take(2).find(|place| place.is_file());
        let Some(sheet) = beside else { continue };
        if let Some(message) = of_sheet(config, &mut state, &sheet, name) {
            said.push(Said { error: true, file: sheet, message });
        }
    }
    said
}

fn of_plan(
    config: &Config,
    state: &mut Option<Reader>,
    file: &Path,
    plan: &Plan,
    said: &mut Vec<Said>,
) -> Option<String> {
    if !file.file_name().is_some_and(|name| is_plan(Path::new(name))) {
        let message = "the inbox does not look at a file of this name; call it *.plan.json, *.plan.jsonc, plan.json or plan.jsonc";
        said.push(Said { error: false, file: file.to_path_buf(), message: message.to_owned() });
    }
    let (size, most) = (file.metadata().ok()?.len(), config.inbox.max_plan_bytes);
    if size > most {
        return Some(format!("the plan has {size} bytes, and `inbox.max_plan_bytes` allows {most}"));
    }
    let name = plan.name.to_string();
    let known = state.as_mut()?.read(|connection| plan_by_name(connection, &name)).ok()??;
    let message = format!("the plan {name} was taken in before");
    if known.sha256 == sha256_of(file).ok()? {
        let message = format!("{message}, with the same bytes; it would not run again");
        said.push(Said { error: false, file: file.to_path_buf(), message });
        return None;
    }
    Some(format!("{message}, with other bytes; give this one another name"))
}

fn of_sheet(config: &Config, state: &mut Option<Reader>, file: &Path, name: &SheetName) -> Option<String> {
    let (size, most) = (file.metadata().ok()?.len(), config.inbox.max_sheet_bytes);
    if size == 0 {
        return Some(format!("the sheet {name} is empty; one that is to do nothing holds a comment"));
    }
    if size > most {
        return Some(format!("the sheet {name} has {size} bytes, and `inbox.max_sheet_bytes` allows {most}"));
    }
    let text = name.to_string();
    let known = state.as_mut()?.read(|connection| sheet_by_name(connection, &text)).ok()??;
    let differs = known.sha256 != sha256_of(file).ok()?;
    differs.then(|| {
        format!("the sheet {name} was taken in before, with other bytes; give this one another name, and say that name in the plan")
    })
}

fn sha256_of(file: &Path) -> io::Result<String> {
    let mut file = File::open(file)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            read => hash.update(chunk.get(..read).unwrap_or_default()),
        }
    }
    Ok(hex::encode(hash.finalize()))
}
