//! The file system's own word that something has changed. It only wakes the scan: what it misses, the next scan finds.

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::path::Path;

/// Wakes at every change below a folder, as long as what it gives is held. Nothing where the file system does not tell.
pub(super) fn start(folder: &Path, wake: impl Fn() + Send + 'static) -> Option<RecommendedWatcher> {
    let heard = move |event: notify::Result<Event>| match event {
        // Our own reading makes these.
        Ok(Event { kind: EventKind::Access(_), .. }) => {}
        // An overflow comes as an event that asks for a scan, and an error may hide anything: both wake.
        Ok(_) | Err(_) => wake(),
    };
    let watcher = notify::recommended_watcher(heard).and_then(|mut watcher| {
        watcher.watch(folder, RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    watcher
        .map_err(|error| {
            tracing::warn!(
                "the inbox {} cannot be watched ({error}), so that it is only looked at every `rescan`; where it is the limit of watches, raise fs.inotify.max_user_watches",
                folder.display()
            );
        })
        .ok()
}
