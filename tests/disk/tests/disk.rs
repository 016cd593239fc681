//! The disk keeps what it must and forgets what it may: both are shown, because a disk that keeps too much finds no fault, and one
//! that forgets too much finds faults that are none.

#[path = "../../crash/random.rs"]
#[allow(dead_code, reason = "the crash matrix uses all of it")]
mod random;

use anyhow::{Context, Result};
use random::Random;
use runsheet_test_disk::{Disk, Names};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const NAMES: [Names; 2] = [Names::InOneOrder, Names::FolderByFolder];
const CUTS: u64 = 60;

/// A fresh disk, and the folder that it is mounted at.
struct Mounted {
    // Taken away before the folder is.
    disk: Disk,
    folder: TempDir,
}

impl Mounted {
    fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("runsheet-disk-").tempdir()?;
        Ok(Self { disk: Disk::mount(folder.path())?, folder })
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn cut(&mut self, names: Names, seed: u64) -> Result<()> {
        let mut random = Random::new(seed);
        self.disk.cut(names, |end| random.below(end))
    }
}

fn sync(path: &Path) -> Result<()> {
    Ok(File::open(path)?.sync_all()?)
}

/// What is seen after each of many cuts of what `before` does.
fn seen<T>(
    names: Names,
    before: impl Fn(&Mounted) -> Result<()>,
    see: impl Fn(&Mounted) -> T,
) -> Result<Vec<T>> {
    (0..CUTS)
        .map(|seed| {
            let mut mounted = Mounted::new()?;
            before(&mounted)?;
            mounted.cut(names, seed)?;
            Ok(see(&mounted))
        })
        .collect()
}

fn some<T>(seen: &[T], is: impl Fn(&T) -> bool) -> bool {
    seen.iter().any(is)
}

#[test]
fn what_was_synced_is_there_and_what_was_not_may_be_gone() -> Result<()> {
    for names in NAMES {
        let seen = seen(
            names,
            |mounted| {
                fs::write(mounted.path("kept"), "synced")?;
                fs::write(mounted.path("nameless"), "synced, but for its name")?;
                sync(&mounted.path("kept"))?;
                sync(mounted.folder.path())?;
                fs::write(mounted.path("lost"), "not synced")?;
                fs::write(mounted.path("late"), "synced, but for its name")?;
                sync(&mounted.path("late"))
            },
            |mounted| ["kept", "lost", "late"].map(|name| fs::read_to_string(mounted.path(name)).ok()),
        )?;
        assert!(seen.iter().all(|[kept, ..]| kept.as_deref() == Some("synced")), "{names:?}: {seen:?}");
        for state in [None, Some(""), Some("not synced")] {
            assert!(
                some(&seen, |[_, lost, _]| lost.as_deref() == state),
                "{names:?}: never {state:?}: {seen:?}"
            );
        }
        assert!(some(&seen, |[.., late]| late.is_none()), "{names:?}: {seen:?}");
        let whole =
            |[.., late]: &[Option<String>; 3]| late.as_deref().is_none_or(|text| text.starts_with("synced"));
        assert!(seen.iter().all(whole), "{names:?}: {seen:?}");
    }
    Ok(())
}

#[test]
fn a_rename_may_be_undone_until_its_folder_is_synced() -> Result<()> {
    for names in NAMES {
        for synced in [false, true] {
            let seen = seen(
                names,
                |mounted| {
                    fs::write(mounted.path("old"), "text")?;
                    sync(&mounted.path("old"))?;
                    sync(mounted.folder.path())?;
                    fs::rename(mounted.path("old"), mounted.path("new"))?;
                    if synced { sync(mounted.folder.path()) } else { Ok(()) }
                },
                |mounted| ["old", "new"].map(|name| mounted.path(name).exists()),
            )?;
            assert_eq!(some(&seen, |seen| *seen == [true, false]), !synced, "{names:?}: {seen:?}");
            assert!(some(&seen, |seen| *seen == [false, true]), "{names:?}: {seen:?}");
            assert!(!some(&seen, |seen| seen[0] == seen[1]), "{names:?}: half a rename: {seen:?}");
        }
    }
    Ok(())
}

#[test]
fn names_of_two_folders_come_in_one_order_or_in_none() -> Result<()> {
    for names in NAMES {
        let seen = seen(
            names,
            |mounted| {
                fs::create_dir(mounted.path("one"))?;
                fs::create_dir(mounted.path("two"))?;
                mounted.disk.sync();
                fs::create_dir(mounted.path("one/first"))?;
                fs::create_dir(mounted.path("two/second"))?;
                fs::create_dir(mounted.path("one/third"))?;
                Ok(())
            },
            |mounted| ["one/first", "two/second", "one/third"].map(|name| mounted.path(name).exists()),
        )?;
        assert!(!some(&seen, |[first, _, third]| *third && !first), "{names:?}: {seen:?}");
        let out_of_order = some(&seen, |[first, second, _]| *second && !first);
        assert_eq!(out_of_order, names == Names::FolderByFolder, "{seen:?}");
    }
    Ok(())
}

#[test]
fn a_synced_folder_in_one_that_is_not_synced_may_be_gone() -> Result<()> {
    for names in NAMES {
        let seen = seen(
            names,
            |mounted| {
                mounted.disk.sync();
                fs::create_dir(mounted.path("folder"))?;
                fs::write(mounted.path("folder/file"), "text")?;
                sync(&mounted.path("folder/file"))?;
                if names == Names::FolderByFolder { sync(&mounted.path("folder")) } else { Ok(()) }
            },
            |mounted| mounted.path("folder/file").exists(),
        )?;
        assert!(some(&seen, |there| !there) && some(&seen, |there| *there), "{names:?}: {seen:?}");
    }
    Ok(())
}

#[test]
fn a_page_that_was_not_synced_is_old_or_new_or_torn_at_its_sectors() -> Result<()> {
    let seen = seen(
        Names::InOneOrder,
        |mounted| {
            let mut file = File::create(mounted.path("file"))?;
            file.write_all(&[b'o'; 16_384])?;
            mounted.disk.sync();
            file.write_at(&[b'n'; 16_384], 0)?;
            Ok(())
        },
        |mounted| fs::read(mounted.path("file")).unwrap_or_default(),
    )?;
    assert!(seen.iter().all(|bytes| bytes.len() == 16_384));
    for sector in seen.iter().flat_map(|bytes| bytes.chunks(512)) {
        assert!(sector.iter().all(|byte| *byte == sector[0]) && matches!(sector[0], b'o' | b'n'));
    }
    let pages: Vec<&[u8]> = seen.iter().flat_map(|bytes| bytes.chunks(4096)).collect();
    let is = |page: &[u8], letter| page.iter().all(|byte| *byte == letter);
    assert!(some(&pages, |page| is(page, b'o')) && some(&pages, |page| is(page, b'n')));
    assert!(some(&pages, |page| !is(page, b'o') && !is(page, b'n')), "no page was torn");
    // A later page may be there without an earlier one.
    assert!(some(&seen, |bytes| is(&bytes[..4096], b'o') && is(&bytes[12_288..], b'n')));
    Ok(())
}

#[test]
fn the_power_fails_at_the_sync_that_was_asked_for() -> Result<()> {
    for takes_effect in [false, true] {
        let mut mounted = Mounted::new()?;
        fs::write(mounted.path("file"), "")?;
        mounted.disk.sync();
        mounted.disk.fail_at_sync(3, takes_effect);
        let script = "for n in 1 2 3 4; do printf $n >> file; sync file; echo $n; done";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .current_dir(mounted.folder.path())
            .stdout(Stdio::piped())
            .spawn()?;
        assert!(mounted.disk.wait_for_failure(|| false, Duration::from_secs(10)), "the power stays on");
        // The program that syncs is the shell's child, and both are held by the disk.
        Command::new("pkill").args(["-9", "-P", &child.id().to_string()]).status()?;
        child.kill()?;
        mounted.disk.release();
        let mut said = String::new();
        child.stdout.take().context("its output")?.read_to_string(&mut said)?;
        child.wait()?;
        assert_eq!(said, "1\n2\n", "nobody hears of the third");
        // Whoever keeps nothing that was not synced.
        mounted.disk.cut(Names::InOneOrder, |_| 0)?;
        let text = fs::read_to_string(mounted.path("file"))?;
        assert_eq!(text, if takes_effect { "123" } else { "12" });
    }
    Ok(())
}

#[test]
fn a_write_that_is_to_wait_for_the_disk_does() -> Result<()> {
    let mut mounted = Mounted::new()?;
    fs::write(mounted.path("file"), "")?;
    mounted.disk.sync();
    let mut file = File::options()
        .write(true)
        .custom_flags(rustix::fs::OFlags::DSYNC.bits() as i32)
        .open(mounted.path("file"))?;
    file.write_all(b"text")?;
    drop(file);
    mounted.disk.cut(Names::InOneOrder, |_| 0)?;
    assert_eq!(fs::read_to_string(mounted.path("file"))?, "text");
    Ok(())
}

/// The kernel answers for the disk, and asks it nothing. Where this fails one day, the kernel has begun to ask, and the disk should answer.
#[test]
fn a_sync_of_the_whole_file_system_says_yes_and_does_nothing() -> Result<()> {
    let mut mounted = Mounted::new()?;
    fs::write(mounted.path("file"), "text")?;
    rustix::fs::syncfs(File::open(mounted.folder.path())?)?;
    mounted.disk.cut(Names::InOneOrder, |_| 0)?;
    assert!(!mounted.path("file").exists());
    Ok(())
}

#[test]
fn it_is_a_file_system_like_any_other() -> Result<()> {
    let mounted = Mounted::new()?;
    let path = |name: &str| mounted.path(name);
    fs::create_dir_all(path("folder/in/folder"))?;
    for number in 0..500 {
        fs::write(path(&format!("folder/{number}")), vec![b'x'; number])?;
    }
    assert_eq!(fs::read_dir(path("folder"))?.count(), 501);
    assert_eq!(fs::metadata(path("folder/499"))?.len(), 499);
    fs::hard_link(path("folder/1"), path("linked"))?;
    std::os::unix::fs::symlink("linked", path("pointed"))?;
    assert_eq!(fs::read(path("pointed"))?, b"x");
    assert_eq!(std::os::unix::fs::MetadataExt::nlink(&fs::metadata(path("linked"))?), 2);
    fs::set_permissions(path("linked"), PermissionsExt::from_mode(0o600))?;
    assert_eq!(fs::metadata(path("folder/1"))?.permissions().mode() & 0o777, 0o600);
    let refused = rustix::fs::renameat_with(
        rustix::fs::CWD,
        path("folder/2"),
        rustix::fs::CWD,
        path("folder/3"),
        rustix::fs::RenameFlags::NOREPLACE,
    );
    assert_eq!(refused, Err(rustix::io::Errno::EXIST));
    fs::rename(path("folder/2"), path("folder/3"))?;
    assert_eq!(fs::read(path("folder/3"))?, b"xx");
    assert!(fs::remove_dir(path("folder")).is_err());
    // A file that is open is there until it is closed, its name gone or not.
    let mut open = File::options().read(true).write(true).open(path("folder/4"))?;
    fs::remove_file(path("folder/4"))?;
    open.set_len(2)?;
    let mut text = String::new();
    open.read_to_string(&mut text)?;
    assert_eq!(text, "xx");
    let lock = File::open(path("linked"))?;
    lock.lock()?;
    assert!(matches!(File::open(path("linked"))?.try_lock(), Err(fs::TryLockError::WouldBlock)));
    let _socket = std::os::unix::net::UnixListener::bind(path("socket"))?;
    std::os::unix::net::UnixStream::connect(path("socket"))?;
    fs::remove_dir_all(path("folder"))?;
    assert!(!path("folder").exists());
    Ok(())
}

/// Whoever kills a test leaves no folder behind that hangs or cannot be removed.
#[test]
fn the_disk_is_taken_away_with_the_process_that_has_it() -> Result<()> {
    const FOLDER: &str = "RUNSHEET_TEST_DISK_FOLDER";
    if let Ok(folder) = std::env::var(FOLDER) {
        let _disk = Disk::mount(Path::new(&folder))?;
        fs::write(Path::new(&folder).join("there"), "")?;
        std::thread::sleep(Duration::from_secs(60));
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--exact", "the_disk_is_taken_away_with_the_process_that_has_it"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::null())
        .spawn()?;
    let wait = |wanted: bool| {
        for _ in 0..1_000 {
            if folder.path().join("there").exists() == wanted {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    };
    assert!(wait(true), "the other process mounts its disk");
    child.kill()?;
    child.wait()?;
    assert!(wait(false), "the disk is taken away");
    for _ in 0..500 {
        if fs::read_dir(folder.path()).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    anyhow::bail!("the folder is left without its disk")
}
