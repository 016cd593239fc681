//! What was found in sheets, kept for the tasks that share one: a sheet never changes, and an instance whose settings do is another one.

use super::job::Job;
use crate::sheet::{PiecesError, Survey, survey};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many surveys are kept.
const KEPT_MAX: usize = 4_096;

/// The surveys of an instance, by the SHA-256 of the sheet. Only sheets without a fault are kept.
#[derive(Debug, Default)]
pub struct Surveys {
    kept: Mutex<HashMap<String, Arc<Survey>>>,
}

impl Surveys {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Survey>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the sheet of a job holds.
    pub(super) fn of(&self, job: &Job) -> Result<Arc<Survey>, PiecesError> {
        if let Some(kept) = self.lock().get(&job.sheet_sha256) {
            return Ok(Arc::clone(kept));
        }
        // Not under the lock: a sheet may be gigabytes.
        let found = Arc::new(survey(&job.sheet_path, job.instance.driver, &job.instance.settings)?);
        let mut kept = self.lock();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(job.sheet_sha256.clone(), Arc::clone(&found));
        Ok(found)
    }
}
