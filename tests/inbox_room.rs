//! Where there is no room on a disk nothing is lost, and it goes on when there is some; and where the folders are on different
//! file systems, files are moved between them whole.

mod inbox_site;
mod site;

use anyhow::{Context, Result};
use inbox_site::{command, files, names, number_sheet, numbers, one_task, site};
use site::{Site, until};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const ENDS: &[&str] = &["DONE", "FAILED", "BLOCKED"];
const QUICK: &str = "settle = \"50ms\"\nrescan = \"1s\"";

/// A small file system in memory, as long as this is held.
struct Disk(PathBuf);

impl Disk {
    /// Only root can mount; for others there is nothing to be shown.
    fn mount(place: PathBuf, size: &str) -> Result<Option<Self>> {
        if !rustix::process::getuid().is_root() {
            return Ok(None);
        }
        fs::create_dir_all(&place)?;
        let size = format!("size={size}");
        command(
            "mount",
            &[
                "-t".as_ref(),
                "tmpfs".as_ref(),
                "-o".as_ref(),
                size.as_ref(),
                "runsheet-test".as_ref(),
                &place,
            ],
        )?;
        Ok(Some(Self(place)))
    }

    /// Fills it but for so many bytes. Gives what fills it.
    fn fill_but(&self, left: usize) -> Result<PathBuf> {
        let place = self.0.join(".filler");
        let mut file = File::create(&place)?;
        while file.write_all(&[0; 4096]).is_ok() {}
        file.set_len(file.metadata()?.len().saturating_sub(left as u64))?;
        Ok(place)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A sheet of half a megabyte that leaves a number.
fn large_sheet(number: u32) -> String {
    format!("-- {}\n{}", "x".repeat(512 << 10), number_sheet(number))
}

fn drop_plan(site: &Site, number: u32) -> Result<()> {
    site.drop_file(&format!("test/{number}.sql"), large_sheet(number))?;
    site.drop_file(&format!("test/p{number}.plan.json"), one_task(&number.to_string()))
}

fn done(site: &Site, number: u32) -> Result<()> {
    let plan = site.wait_for(&format!("p{number}"), ENDS)?;
    assert_eq!(plan["status"], "DONE", "{plan:#}\n{}", site.log());
    Ok(())
}

fn said(site: &Site, what: &str) -> Result<()> {
    until(what, || Ok(site.log().contains(what)))
}

#[test]
fn where_the_state_has_no_room_for_a_sheet_it_is_taken_in_when_there_is_some() -> Result<()> {
    let mut site = site(QUICK)?;
    let Some(disk) = Disk::mount(site.path("state/sheets"), "4m")? else { return Ok(()) };
    site.start()?;
    drop_plan(&site, 1)?;
    done(&site, 1)?;
    let filler = disk.fill_but(64 << 10)?;
    // One whose plan comes with it, and one whose plan waits already.
    site.drop_file("test/p3.plan.json", one_task("3"))?;
    site.wait_for("p3", &["WAITING_FOR_SHEETS"])?;
    drop_plan(&site, 2)?;
    site.drop_file("test/3.sql", large_sheet(3))?;
    said(&site, "test/2.sql: it cannot be stored")?;
    said(&site, "test/3.sql: it cannot be stored")?;
    let left = files(&site, "inbox")?;
    // A plan that was seen before its sheet is taken in, and waits.
    assert!(left.is_superset(&names(&["test/2.sql", "test/3.sql"])), "{left:?}");
    assert!(files(&site, "rejected")?.is_empty());
    fs::remove_file(filler)?;
    done(&site, 2)?;
    done(&site, 3)?;
    assert_eq!(numbers(&site)?, [1, 2, 3]);
    until("the inbox is empty", || Ok(files(&site, "inbox")?.is_empty()))?;
    assert_eq!(site.log().matches("test/2.sql: it cannot be stored").count(), 1, "it is said once");
    Ok(())
}

#[test]
fn where_the_state_cannot_be_recorded_the_daemon_ends_and_the_next_one_goes_on() -> Result<()> {
    let mut site = site(QUICK)?;
    let Some(disk) = Disk::mount(site.path("state"), "24m")? else { return Ok(()) };
    site.start()?;
    drop_plan(&site, 1)?;
    done(&site, 1)?;
    let filler = disk.fill_but(0)?;
    // A plan whose sheet is known needs room only for what is recorded; a long one does not fit into what SQLite has.
    let long = one_task("1").replacen('{', &format!(r#"{{"description": "{}","#, "x".repeat(3 << 20)), 1);
    site.drop_file("test/long.plan.json", &long)?;
    let code = site.wait_for_end()?;
    assert_ne!(code, 0, "{}", site.log());
    assert!(site.log().contains("nothing can be taken in, because it cannot be recorded"), "{}", site.log());
    assert_eq!(files(&site, "inbox")?, names(&["test/long.plan.json"]));
    fs::remove_file(filler)?;
    site.start()?;
    assert_eq!(site.wait_for("long", ENDS)?["status"], "DONE", "{}", site.log());
    assert_eq!(numbers(&site)?, [1, 1]);
    Ok(())
}

#[test]
fn where_accepted_or_rejected_has_no_room_files_stay_and_are_moved_later() -> Result<()> {
    let mut site = site(QUICK)?;
    let Some(accepted) = Disk::mount(site.path("accepted"), "2m")? else { return Ok(()) };
    let Some(rejected) = Disk::mount(site.path("rejected"), "1m")? else { return Ok(()) };
    let fillers = [accepted.fill_but(0)?, rejected.fill_but(0)?];
    site.drop_file("test/bad.plan.json", "[1]")?;
    drop_plan(&site, 1)?;
    site.start()?;
    // It runs all the same: where its original lies is of no importance to the database.
    done(&site, 1)?;
    said(&site, "test/p1.plan.json: it was taken in, but cannot be moved to accepted/")?;
    said(&site, "test/1.sql: it was taken in, but cannot be moved to accepted/")?;
    said(&site, "test/bad.plan.json: it is refused, but cannot be moved to rejected/")?;
    assert_eq!(files(&site, "inbox")?, names(&["test/1.sql", "test/bad.plan.json", "test/p1.plan.json"]));
    for filler in fillers {
        fs::remove_file(filler)?;
    }
    until("the inbox is empty", || Ok(files(&site, "inbox")?.is_empty()))?;
    assert_eq!(files(&site, "accepted")?, names(&["test/p1/1.sql", "test/p1/p1.plan.json"]));
    assert_eq!(fs::read_to_string(site.path("accepted/test/p1/1.sql"))?, large_sheet(1));
    assert!(
        fs::read_to_string(site.path("rejected/test/bad.plan.json.error.txt"))?.contains("must be an object")
    );
    assert_eq!(numbers(&site)?, [1], "nothing ran twice");
    Ok(())
}

#[test]
fn an_inbox_that_is_mounted_under_a_running_daemon_is_moved_from_file_system_to_file_system() -> Result<()> {
    let mut site = site(QUICK)?;
    site.start()?;
    drop_plan(&site, 1)?;
    done(&site, 1)?;
    let Some(_disk) = Disk::mount(site.path("inbox"), "8m")? else { return Ok(()) };
    let device = |path: &Path| -> Result<u64> { Ok(fs::metadata(path)?.dev()) };
    assert_ne!(device(&site.path("inbox"))?, device(&site.path("accepted"))?);
    drop_plan(&site, 2)?;
    fs::set_permissions(site.path("inbox/test/2.sql"), fs::Permissions::from_mode(0o640))?;
    let written = fs::metadata(site.path("inbox/test/2.sql"))?.modified()?;
    site.drop_file("test/bad.plan.json", "[1]")?;
    symlink("/etc/passwd", site.path("inbox/test/link.sql"))?;
    done(&site, 2)?;
    until("the inbox is empty", || Ok(files(&site, "inbox")?.is_empty()))?;
    let sheet = site.path("accepted/test/p2/2.sql");
    assert_eq!(fs::read_to_string(&sheet)?, large_sheet(2));
    let meta = fs::metadata(&sheet)?;
    assert_eq!((meta.permissions().mode() & 0o777, meta.modified()?), (0o640, written), "as it was written");
    assert_eq!(fs::read_link(site.path("rejected/test/link.sql"))?, Path::new("/etc/passwd"));
    assert_eq!(fs::read_to_string(site.path("rejected/test/bad.plan.json"))?, "[1]");
    // The same again is not kept twice on the other side either.
    drop_plan(&site, 2)?;
    until("the inbox is empty again", || Ok(files(&site, "inbox")?.is_empty()))?;
    assert_eq!(files(&site, "accepted")?.len(), 4);
    assert_eq!(numbers(&site)?, [1, 2]);
    Ok(())
}

#[test]
fn folders_that_would_be_taken_in_again_are_refused_at_the_start() -> Result<()> {
    for folder in ["accepted", "rejected"] {
        let mut site = site(QUICK)?;
        let config = fs::read_to_string(site.path("config.toml"))?;
        let inside = format!("[folders]\n{folder} = \"inbox/{folder}\"\n");
        site.write("config.toml", config.replacen("[folders]\n", &inside, 1))?;
        site.start()?;
        assert_ne!(site.wait_for_end()?, 0);
        let log = site.log();
        let told = log.lines().find(|line| line.contains("lies in the inbox")).context("a sentence")?;
        assert!(told.contains("so that what is in it would be taken in again"), "{told}");
    }
    Ok(())
}
