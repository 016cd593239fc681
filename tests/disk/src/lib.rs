//! A disk that loses power: a file system in memory that is honest and forgetful. What a program has synced is there after a cut;
//! of what it has not, a random part is, so that a test finds the sync that a program forgot. It stands for ext4 or XFS on a disk that
//! keeps its word. It cannot show what a disk does that lies about its cache or rots, a full disk, and nothing of the kernel's own
//! file systems.
//!
//! - `fsync` and `fdatasync` of a file make its bytes and its size durable, and not its name in the folder. `fsync` of a folder
//!   makes its names durable. Nothing else does, `close` and `rename` included.
//! - Each page of a file that was written since is there as it was at some moment, one by one and in no order, and may be torn at
//!   sectors of 512 bytes. Its size is one that it has had.
//! - Names are there up to some moment: see [`Names`].
//! - `syncfs` and `sync` never come here, because the kernel does not pass them on to a program that serves a file system: they say yes
//!   and do nothing. `O_SYNC` works.

mod content;
mod journal;
mod luck;
mod served;
mod tree;

pub use journal::Names;

use anyhow::{Context, Result};
use fuser::{BackgroundSession, Config, MountOption, Session};
use luck::Luck;
use rustix::mount::{UnmountFlags, unmount};
use served::{Served, Trap};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tree::{Meta, Tree};

/// A disk in a folder. It is taken out of there when this is dropped, and also when the test's process is killed.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    served: Served,
    session: Option<BackgroundSession>,
    /// Takes the disk out of the folder where this process cannot any more.
    guard: Child,
}

impl Disk {
    /// Puts an empty disk over a folder.
    ///
    /// # Errors
    /// Where the system lets this process mount nothing.
    pub fn mount(folder: &Path) -> Result<Self> {
        let folder = folder.canonicalize()?;
        let stat = std::fs::metadata(&folder)?;
        let served = Served::new(Tree::new(Meta::new(stat.mode(), stat.uid(), stat.gid())));
        let guard = guard(&folder)?;
        let mut disk = Self { folder, served, session: None, guard };
        disk.attach()?;
        Ok(disk)
    }

    fn attach(&mut self) -> Result<()> {
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("runsheet-test-disk".to_owned()),
            MountOption::DefaultPermissions,
            MountOption::NoAtime,
        ];
        let session = Session::new(self.served.clone(), &self.folder, &config)
            .and_then(Session::spawn)
            .with_context(|| {
                format!("no disk can be mounted at {}; this needs /dev/fuse, and root or fusermount3 of the package fuse3", self.folder.display())
            })?;
        self.session = Some(session);
        Ok(())
    }

    /// Takes the disk out of the folder, even where a program still has files open on it.
    fn detach(&mut self) {
        let Some(session) = self.session.take() else { return };
        if unmount(&self.folder, UnmountFlags::DETACH).is_err() {
            // Only root may do it by itself. A disk that stays is seen by whoever uses the folder next.
            let _ = Command::new("fusermount3").args(["-u", "-z", "-q"]).arg(&self.folder).status();
        }
        drop(session);
    }

    /// Puts everything on the disk, as a person does by `sync`.
    pub fn sync(&self) {
        self.served.sync_all();
    }

    /// The power fails at the `nth` sync from now on, before it takes effect or after; it is not answered.
    pub fn fail_at_sync(&self, nth: u64, takes_effect: bool) {
        self.served.set_trap(Some(Trap { nth, takes_effect }));
    }

    /// The power fails: from now on nothing is written any more, and no program that asks gets an answer.
    pub fn fail(&self) {
        self.served.fail();
    }

    /// Whether the power has failed.
    pub fn has_failed(&self) -> bool {
        !self.served.works()
    }

    /// Waits until the power fails by itself, or `is_over`.
    pub fn wait_for_failure(&self, mut is_over: impl FnMut() -> bool, at_most: Duration) -> bool {
        let begun = Instant::now();
        while !self.has_failed() && !is_over() && begun.elapsed() < at_most {
            std::thread::sleep(Duration::from_micros(500));
        }
        self.has_failed()
    }

    /// Lets go of the programs that wait for an answer: whoever uses the disk must have been sent its SIGKILL before, so that it
    /// never sees the error.
    pub fn release(&self) {
        self.served.turn_off();
    }

    /// The power comes back: the folder has what the cut has left. `below` gives numbers from 0 to below its argument, and decides
    /// what that is. No program may use the disk any more.
    pub fn cut(&mut self, names: Names, mut below: impl FnMut(u64) -> u64) -> Result<()> {
        self.served.turn_off();
        self.detach();
        let tree =
            self.served.take().context("a disk that could not be mounted again has nothing to lose")?;
        self.served = Served::new(tree.cut(names, &mut Luck::new(&mut below)));
        self.attach()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Programs that wait for an answer would wait for ever.
        self.served.turn_off();
        self.detach();
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

/// A process that waits for the end of this one.
fn guard(folder: &Path) -> Result<Child> {
    let wait = "read -r _; umount -l -- \"$0\" 2>/dev/null || fusermount3 -u -z -q -- \"$0\"";
    // Its input is a pipe that nobody writes to: it ends with the last process that holds the other end, which is this one. What is sent
    // to a whole group of processes, as by Ctrl-C, must not end it first.
    Command::new("sh")
        .process_group(0)
        .args(["-c", wait])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("sh")
}
