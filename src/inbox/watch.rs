//! The file system's own word that something has changed. It wakes the scan, and it says which files are still held open by
//! their writers; what it misses, the next scan finds.

use super::name::{is_hidden, kind};
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A watched inbox, as long as this is held.
pub(super) struct Watch {
    /// Nothing where the file system does not tell.
    _watcher: Option<RecommendedWatcher>,
    written: Arc<Written>,
}

impl Watch {
    /// Wakes at every change below a folder.
    pub fn start(folder: &Path, wake: impl Fn() + Send + 'static) -> Self {
        let written = Arc::new(Written::default());
        let told = Arc::clone(&written);
        let heard = move |event: notify::Result<Event>| {
            if told.hear(&event) {
                wake();
            }
        };
        // A link may lead anywhere; what is behind it is not ours to watch.
        let config = Config::default().with_follow_symlinks(false);
        let watcher = RecommendedWatcher::new(heard, config).and_then(|mut watcher| {
            watcher.watch(&absolute(folder), RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        if let Err(error) = &watcher {
            tracing::warn!(
                "the inbox {} cannot be watched ({error}), so that it is only looked at every `rescan`; where it is the limit of watches, raise fs.inotify.max_user_watches or max_user_instances",
                folder.display()
            );
        }
        Self { _watcher: watcher.ok(), written }
    }

    /// The files below `folder` that have been written to and not been closed since, as far as that is known.
    pub fn held_open(&self, folder: &Path) -> HashSet<PathBuf> {
        let folder = absolute(folder);
        let files = self.written.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.iter().filter_map(|file| file.strip_prefix(&folder).ok().map(Path::to_path_buf)).collect()
    }
}

fn absolute(folder: &Path) -> PathBuf {
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf())
}

/// Files that have been written to and not been closed since.
#[derive(Default)]
struct Written {
    files: Mutex<HashSet<PathBuf>>,
}

impl Written {
    /// Takes note of an event. True where the inbox is to be looked at.
    fn hear(&self, event: &notify::Result<Event>) -> bool {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let event = match event {
            Ok(event) if !event.need_rescan() => event,
            // Events were lost, and a file may have been closed in one of them.
            Ok(_) => {
                tracing::info!(
                    "more happened in the inbox than the system could tell; all of it is looked at"
                );
                files.clear();
                return true;
            }
            Err(error) => {
                tracing::warn!("the inbox is not watched wholly ({error}); the rest is found every `rescan`");
                files.clear();
                return true;
            }
        };
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => {
                files.extend(event.paths.iter().filter(|path| is_ours(path)).cloned());
            }
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
                event.paths.iter().for_each(|path| {
                    files.remove(path);
                });
            }
            // Our own reading makes these.
            EventKind::Access(_) => return false,
            // Under its new name nothing is known of it, and nothing of what is in it.
            EventKind::Modify(ModifyKind::Name(_)) | EventKind::Remove(_) => {
                files.retain(|file| !event.paths.iter().any(|path| file.starts_with(path)));
            }
            EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Other => {}
        }
        true
    }
}

fn is_ours(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| !is_hidden(name) && kind(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{DataChange, Flag, RemoveKind, RenameMode};

    fn hears(written: &Written, kind: EventKind, path: &str) -> bool {
        written.hear(&Ok(Event::new(kind).add_path(PathBuf::from(path))))
    }

    const WRITE: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CLOSE: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

    #[test]
    fn a_file_is_held_open_from_its_first_write_to_its_close() {
        let written = Written::default();
        assert!(hears(&written, WRITE, "/in/a/x.sql") && hears(&written, WRITE, "/in/.y.sql.tmp"));
        assert_eq!(written.files.lock().unwrap().len(), 1);
        assert!(!hears(&written, EventKind::Access(AccessKind::Open(AccessMode::Any)), "/in/a/x.sql"));
        assert_eq!(written.files.lock().unwrap().len(), 1);
        assert!(hears(&written, CLOSE, "/in/a/x.sql"));
        assert!(written.files.lock().unwrap().is_empty());
    }

    #[test]
    fn what_is_moved_or_lost_count_of_is_not_held_for_ever() {
        for kind in
            [EventKind::Modify(ModifyKind::Name(RenameMode::From)), EventKind::Remove(RemoveKind::Folder)]
        {
            let written = Written::default();
            hears(&written, WRITE, "/in/a/x.sql");
            hears(&written, kind, "/in/a");
            assert!(written.files.lock().unwrap().is_empty());
        }
        let written = Written::default();
        hears(&written, WRITE, "/in/a/x.sql");
        assert!(written.hear(&Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan))));
        assert!(written.files.lock().unwrap().is_empty());
    }
}
