//! Power cuts. The whole site lies on a disk that keeps what was synced, and of the rest a random part: the state, the inbox, and the
//! databases of SQLite.
#![allow(dead_code, reason = "each test that cuts the power uses another part of it")]

use super::random::Random;
use super::site::Site;
use anyhow::Result;
use runsheet_test_disk::{Disk, Names};
use runsheet_test_relay::Side;
use std::time::Duration;

/// How long a daemon may take until the sync comes that the power fails at, or until it has nothing left to do.
const FAILURE_MAX: Duration = Duration::from_secs(60);

/// A site's disk.
pub struct Power {
    disk: Disk,
}

impl Power {
    /// Puts a disk under a site that is fresh. What the site has written so far must be written again.
    pub fn under(site: &Site) -> Result<Self> {
        let disk = Disk::mount(&site.path(""))?;
        for folder in ["inbox", "databases"] {
            std::fs::create_dir(site.path(folder))?;
        }
        Ok(Self { disk })
    }

    /// Makes durable what a person has written.
    pub fn sync(&self) {
        self.disk.sync();
    }

    /// Runs the daemon until the power fails at a sync, or nothing is left to do; it fails then. True where the sync came.
    pub fn cut_at_sync(
        &mut self,
        nth: u64,
        side: Side,
        site: &mut Site,
        random: &mut Random,
    ) -> Result<bool> {
        self.disk.fail_at_sync(nth, matches!(side, Side::After));
        site.start_with(&["--until-idle"])?;
        let came = self.disk.wait_for_failure(|| !site.runs(), FAILURE_MAX);
        self.cut_now(site, random)?;
        Ok(came)
    }

    /// The power fails, which ends the daemon, and comes back.
    pub fn cut_now(&mut self, site: &mut Site, random: &mut Random) -> Result<()> {
        self.fail(site)?;
        let names = random.pick(&[Names::InOneOrder, Names::FolderByFolder]);
        self.disk.cut(names, |end| random.below(end))
    }

    /// The same, and all is lost that was not synced.
    pub fn cut_and_lose_all(&mut self, site: &mut Site) -> Result<()> {
        self.fail(site)?;
        self.disk.cut(Names::FolderByFolder, |_| 0)
    }

    fn fail(&self, site: &mut Site) -> Result<()> {
        self.disk.fail();
        // The daemon is held by the disk. It must have its SIGKILL before it is let go, so that it never sees an error.
        if site.runs() {
            site.signal("KILL")?;
        }
        self.disk.release();
        site.kill();
        Ok(())
    }
}
