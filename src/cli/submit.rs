//! `submit`: a plan and its sheets into the inbox as one: copied beside it under a hidden name, made durable, and then renamed
//! into place at once.

use super::check;
use super::exit::Exit;
use super::follow;
use super::paint;
use super::source;
use crate::config::Config;
use crate::control::Request;
use crate::inbox::{SUBMITTED, is_plan, is_sheet, plan_name, sheet_places};
use crate::plan::{self, SheetName};
use crate::store::make_folders;
use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the inbox is waited for beyond its own time to settle.
const TAKE_TIME_MAX: Duration = Duration::from_secs(60);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(config: &Config, file: &Path, sheets: &[PathBuf], wait: bool) -> anyhow::Result<Exit> {
    let (folder, plan_file) = folder_and_file(file)?;
    let Some(parsed) = check::parse(config, file)? else { return Ok(Exit::Failed) };
    let inbox = &config.folders.inbox;
    make_folders(inbox).with_context(|| format!("the inbox {} cannot be made", inbox.display()))?;
    let staging = tempfile::Builder::new()
        .prefix(".submitting-")
        .tempdir_in(inbox)
        .with_context(|| format!("nothing can be put into the inbox {}", inbox.display()))?;
    let like = fs::metadata(inbox)?;
    open_to_the_daemon(staging.path(), &like)?;
    let target = make_folder(staging.path(), &folder, &like)?;
    for (from, name) in files(file, sheets, &parsed)? {
        copy(&from, &target.join(name), &like)?;
    }
    // The plan last: nothing but the rename makes it visible, but a reader of the folder finds it whole.
    copy(file, &target.join(&plan_file), &like)?;
    let sha256 = sha256(&fs::read(target.join(&plan_file))?);
    let parent = make_folder(inbox, &Path::new("projects").join(&parsed.name.project), &like)?;
    let name = format!("{SUBMITTED}{}-{}", jiff::Timestamp::now().as_microsecond(), std::process::id());
    let place = parent.join(&name);
    for folder in [&target, staging.path()] {
        File::open(folder)?.sync_all()?;
    }
    fs::rename(staging.path(), &place)?;
    // The names of the folders around it too: what is in one whose own name is lost is lost with it.
    for folder in parent.ancestors().take_while(|folder| folder.starts_with(inbox)) {
        File::open(folder)?.sync_all()?;
    }
    // Renamed away: there is nothing left to remove.
    let _ = staging.keep();
    let told = source::order(config, &Request::Scan);
    paint::print(&format!("submitted {}\n", parsed.name))?;
    if told.is_err() {
        paint::say(&format!(
            "no daemon answers on {}; the plan is taken in when one starts",
            config.daemon.socket.display()
        ));
    }
    if !wait {
        return Ok(Exit::Fine);
    }
    if told.is_err() {
        // Nobody can say when one starts.
        return Ok(Exit::Unreachable);
    }
    let relative = place.strip_prefix(inbox).unwrap_or(&place).join(folder).join(plan_file);
    match taken(config, &parsed.name.to_string(), &sha256, &relative)? {
        Ok(()) => follow::plan(config, &parsed.name.to_string(), false),
        Err(why) => {
            paint::say(&format!("runsheet: the plan was refused:\n{}", why.trim_end()));
            Ok(Exit::Failed)
        }
    }
}

/// The plan's name may come from its place, so a `plan.json` keeps the name of its folder.
fn folder_and_file(file: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let name = file.file_name().context("the plan is no file")?;
    let file_name = PathBuf::from(name);
    let is_plain = name == "plan.json" || name == "plan.jsonc";
    if !is_plain {
        if !is_plan(&file_name) {
            bail!(
                "{} is no plan to the inbox: it must be called *.plan.json, *.plan.jsonc, plan.json or plan.jsonc, and not begin with a dot",
                file.display()
            );
        }
        return Ok((PathBuf::new(), file_name));
    }
    let folder = fs::canonicalize(file)?;
    let folder = folder.parent().and_then(Path::file_name).map(PathBuf::from).unwrap_or_default();
    // The inbox does not look into every folder; a plan in such a one has its name from elsewhere.
    let is_seen = is_plan(&folder.join(&file_name));
    Ok((if is_seen { folder } else { PathBuf::new() }, file_name))
}

/// The sheets that go with a plan, and their names beside it.
fn files(file: &Path, sheets: &[PathBuf], parsed: &plan::Plan) -> anyhow::Result<Vec<(PathBuf, PathBuf)>> {
    let mut found = Vec::new();
    for sheet in sheets {
        let name = sheet.file_name().with_context(|| format!("{} is no sheet", sheet.display()))?;
        if !is_sheet(Path::new(name)) {
            bail!(
                "{} is no sheet: it must be called *.sql or *.sheet.json, and not begin with a dot",
                sheet.display()
            );
        }
        found.push((sheet.clone(), PathBuf::from(name)));
    }
    let names: BTreeSet<&SheetName> =
        parsed.steps.iter().flat_map(|step| &step.specs).map(|spec| &spec.sheet).collect();
    let beside = file.parent().unwrap_or(Path::new("."));
    for name in names {
        let short = PathBuf::from(format!("{}.sql", name.sheet));
        if found.iter().any(|(_, given)| *given == short) {
            continue;
        }
        // The first two places are those beside the plan.
        let place = sheet_places(beside, name).into_iter().take(2).find(|place| place.is_file());
        if let Some(place) = place {
            found.push((place, short));
        }
    }
    Ok(found)
}

/// Makes folders below one that is there, as open to the daemon as the inbox is.
fn make_folder(below: &Path, folder: &Path, inbox: &Metadata) -> anyhow::Result<PathBuf> {
    let mut place = below.to_path_buf();
    for part in folder {
        place.push(part);
        match fs::create_dir(&place) {
            Ok(()) => open_to_the_daemon(&place, inbox)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("{} cannot be made", place.display())),
        }
    }
    Ok(place)
}

/// Gives a file or folder the inbox's own group and mode, whatever the umask is: the daemon, which is another user, must read
/// it and move it away.
fn open_to_the_daemon(place: &Path, inbox: &Metadata) -> anyhow::Result<()> {
    // Who is not in the group cannot give it; then the daemon is of the same user, or says that it cannot read.
    let _ = chown(place, None, Some(inbox.gid()));
    let of_kind = if place.is_dir() { 0o7777 } else { 0o666 };
    fs::set_permissions(place, Permissions::from_mode(inbox.mode() & of_kind))
        .with_context(|| format!("{} cannot be opened to the daemon", place.display()))
}

fn copy(from: &Path, to: &Path, inbox: &Metadata) -> anyhow::Result<()> {
    let context = || format!("{} cannot be copied into the inbox", from.display());
    let mut source = File::open(from).with_context(context)?;
    let mut copy = File::create_new(to).with_context(context)?;
    io::copy(&mut source, &mut copy).with_context(context)?;
    open_to_the_daemon(to, inbox)?;
    copy.sync_all().with_context(context)
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Waits until the plan is known, with these bytes, or refused.
fn taken(config: &Config, name: &str, sha256: &str, place: &Path) -> anyhow::Result<Result<(), String>> {
    let begun = Instant::now();
    let mut why = config.folders.rejected.join(place).into_os_string();
    why.push(".error.txt");
    loop {
        if let Ok(text) = fs::read_to_string(&why) {
            return Ok(Err(text));
        }
        let known = source::Source::find(config).and_then(|mut source| source.plan(name));
        // Under the same name there may be an earlier plan with other bytes; then this one is refused.
        if known.is_ok_and(|plan| plan.plan == name && plan.sha256 == sha256) {
            return Ok(Ok(()));
        }
        if begun.elapsed() > config.inbox.settle + TAKE_TIME_MAX {
            bail!("the inbox has not taken the plan in; is a daemon running? (`runsheet status`)");
        }
        std::thread::sleep(LOOK);
    }
}

/// What a plan is called that does not say it.
pub(super) fn default_name(file: &Path) -> Option<plan::PlanName> {
    let unseen = |_| file.file_name().map(|name| (PathBuf::new(), PathBuf::from(name)));
    let (folder, name) = folder_and_file(file).map_or_else(unseen, Some)?;
    plan_name(&Path::new("projects/default").join(folder).join(name))
}
