//! Both ends of `rsd_sink`: a driver's end, which gives owned values as borrowed text, and the
//! daemon's end, which collects what a driver says into owned values.

use crate::abi::{
    rsd_error, rsd_identity, rsd_mark, rsd_notice, rsd_observation, rsd_result, rsd_sink, rsd_verdict,
};
use crate::text::{lend, sqlstate, sqlstate_text, string};
use crate::types::{
    Applied, Class, Error, Failure, Identity, Mark, Notice, Observation, Outcome, Ruling, Settled,
    Transaction, Verdict,
};
use std::ffi::c_void;
use std::mem::offset_of;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The size of a struct as the ABI writes it.
pub const fn size<T>() -> u32 {
    size_of::<T>() as u32
}

/// Whether the field that ends at byte `end` lies inside a struct of the writer.
pub const fn reaches(struct_size: u32, end: usize) -> bool {
    struct_size as usize >= end
}

/// The driver's end: where a call puts what it has to say.
pub struct Sink(*const rsd_sink);

/// The callback of a sink with its context, where the daemon has one (rule 2).
macro_rules! callback {
    ($sink:expr, $field:ident) => {{
        let table = $sink.0;
        let end = offset_of!(rsd_sink, $field) + size_of::<*const c_void>();
        // SAFETY: by `new`, NULL or alive; a field is read only where it lies inside the writer's struct.
        unsafe {
            if table.is_null() || !reaches((*table).struct_size, end) {
                return;
            }
            let Some(call) = (*table).$field else { return };
            (call, (*table).ctx)
        }
    }};
}

impl Sink {
    /// Wraps the sink of a call.
    ///
    /// # Safety
    /// `sink` is NULL or alive, and used only during its call (rule 3).
    pub unsafe fn new(sink: *const rsd_sink) -> Self {
        Self(sink)
    }

    /// Says why the call fails.
    pub fn error(&self, error: &Error) {
        let (call, ctx) = callback!(self, on_error);
        let raw = rsd_error {
            struct_size: size::<rsd_error>(),
            class_: error.class.to_abi(),
            applied: error.applied.to_abi(),
            sqlstate: sqlstate(&error.sqlstate),
            vendor_code: error.code,
            position: error.position.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1),
            message: lend(error.message.as_bytes()),
            detail: lend(error.detail.as_bytes()),
            hint: lend(error.hint.as_bytes()),
            object: lend(error.object.as_bytes()),
        };
        // SAFETY: the callback and its context belong together, and all text outlives the callback.
        unsafe { call(ctx, &raw) }
    }

    /// Passes a notice on.
    pub fn notice(&self, notice: &Notice) {
        let (call, ctx) = callback!(self, on_notice);
        let raw = rsd_notice {
            struct_size: size::<rsd_notice>(),
            sqlstate: sqlstate(&notice.sqlstate),
            vendor_code: notice.code,
            severity: lend(notice.severity.as_bytes()),
            message: lend(notice.message.as_bytes()),
        };
        // SAFETY: as in `error`.
        unsafe { call(ctx, &raw) }
    }

    /// Says how the statement ended.
    pub fn result(&self, outcome: &Outcome) {
        let (call, ctx) = callback!(self, on_result);
        let raw = rsd_result {
            struct_size: size::<rsd_result>(),
            transaction: outcome.transaction.to_abi(),
            rows_affected: outcome.rows_affected.and_then(|rows| i64::try_from(rows).ok()).unwrap_or(-1),
            tag: lend(outcome.tag.as_bytes()),
        };
        // SAFETY: as in `error`.
        unsafe { call(ctx, &raw) }
    }

    /// Says who a session is.
    pub fn identity(&self, identity: &Identity) {
        let (call, ctx) = callback!(self, on_identity);
        let raw = identity_to_abi(identity);
        // SAFETY: as in `error`.
        unsafe { call(ctx, &raw) }
    }

    /// Says what a statement is about to change.
    pub fn observation(&self, observation: &Observation) {
        let (call, ctx) = callback!(self, on_observation);
        let raw = rsd_observation {
            struct_size: size::<rsd_observation>(),
            settled: observation.settled.to_abi(),
            text: lend(observation.text.as_bytes()),
            summary: lend(observation.summary.as_bytes()),
        };
        // SAFETY: as in `error`.
        unsafe { call(ctx, &raw) }
    }

    /// Says what became of a statement.
    pub fn verdict(&self, verdict: &Verdict) {
        let (call, ctx) = callback!(self, on_verdict);
        let raw = rsd_verdict {
            struct_size: size::<rsd_verdict>(),
            ruling: verdict.ruling.to_abi(),
            reason: lend(verdict.reason.as_bytes()),
            summary: lend(verdict.summary.as_bytes()),
            repair: lend(verdict.repair.as_bytes()),
        };
        // SAFETY: as in `error`.
        unsafe { call(ctx, &raw) }
    }

    /// Passes a row of the ledger on.
    pub fn mark(&self, mark: &Mark) {
        let (call, ctx) = callback!(self, on_mark);
        let raw = mark_to_abi(mark);
        // SAFETY: as in `error`.
        unsafe { call(ctx, &raw) }
    }
}

/// An identity as the ABI carries it, borrowing from `identity`.
pub fn identity_to_abi(identity: &Identity) -> rsd_identity {
    rsd_identity {
        struct_size: size::<rsd_identity>(),
        product: lend(identity.product.as_bytes()),
        version: lend(identity.version.as_bytes()),
        session: lend(identity.session.as_bytes()),
        session_start: lend(identity.session_start.as_bytes()),
        system: lend(identity.system.as_bytes()),
        database: lend(identity.database.as_bytes()),
        user: lend(identity.user.as_bytes()),
        doing: lend(identity.doing.as_bytes()),
    }
}

/// An identity back from the ABI.
///
/// # Safety
/// `raw` and its text are alive.
pub unsafe fn identity_from_abi(raw: &rsd_identity) -> Identity {
    // SAFETY: passed on to the caller.
    unsafe {
        Identity {
            product: string(raw.product).into_owned(),
            version: string(raw.version).into_owned(),
            session: string(raw.session).into_owned(),
            session_start: string(raw.session_start).into_owned(),
            system: string(raw.system).into_owned(),
            database: string(raw.database).into_owned(),
            user: string(raw.user).into_owned(),
            doing: string(raw.doing).into_owned(),
        }
    }
}

/// A mark as the ABI carries it, borrowing from `mark`.
pub fn mark_to_abi(mark: &Mark) -> rsd_mark {
    rsd_mark {
        struct_size: size::<rsd_mark>(),
        segment: mark.segment,
        first_statement: mark.first_statement,
        last_statement: mark.last_statement,
        complete: u32::from(mark.complete),
        task: lend(mark.task.as_bytes()),
        plan: lend(mark.plan.as_bytes()),
        spec: lend(mark.spec.as_bytes()),
        sheet: lend(mark.sheet.as_bytes()),
        sheet_sha256: lend(mark.sheet_sha256.as_bytes()),
        schema_version: lend(mark.schema_version.as_bytes()),
        host: lend(mark.host.as_bytes()),
        applied_time: lend(mark.applied_time.as_bytes()),
    }
}

/// A mark back from the ABI.
///
/// # Safety
/// `raw` and its text are alive.
pub unsafe fn mark_from_abi(raw: &rsd_mark) -> Mark {
    // SAFETY: passed on to the caller.
    unsafe {
        Mark {
            task: string(raw.task).into_owned(),
            segment: raw.segment,
            first_statement: raw.first_statement,
            last_statement: raw.last_statement,
            complete: raw.complete != 0,
            plan: string(raw.plan).into_owned(),
            spec: string(raw.spec).into_owned(),
            sheet: string(raw.sheet).into_owned(),
            sheet_sha256: string(raw.sheet_sha256).into_owned(),
            schema_version: string(raw.schema_version).into_owned(),
            host: string(raw.host).into_owned(),
            applied_time: string(raw.applied_time).into_owned(),
        }
    }
}

/// The daemon's end: collects what one call says. Notices go on at once, so that a
/// statement with a million of them needs no memory for them.
pub struct Collected<'n> {
    /// The errors that were said; one for a failed call.
    pub errors: Vec<Error>,
    /// The results that were said; more than one only for a batch.
    pub outcomes: Vec<Outcome>,
    /// The last identity that was said.
    pub identity: Option<Identity>,
    /// The rows of the ledger that were said.
    pub marks: Vec<Mark>,
    /// What was observed.
    pub observation: Option<Observation>,
    /// What was judged.
    pub verdict: Option<Verdict>,
    /// The struct that was smaller than version 1 of the ABI has it, and so was not read.
    broken: Option<&'static str>,
    notices: &'n mut dyn FnMut(usize, Notice),
}

impl<'n> Collected<'n> {
    /// Nothing yet; notices go to `notices`, each with how many results had been said before it.
    pub fn new(notices: &'n mut dyn FnMut(usize, Notice)) -> Self {
        Self {
            errors: Vec::new(),
            outcomes: Vec::new(),
            identity: None,
            marks: Vec::new(),
            observation: None,
            verdict: None,
            broken: None,
            notices,
        }
    }

    /// The sink for a call; valid while `self` is neither moved nor used otherwise.
    pub fn sink(&mut self) -> rsd_sink {
        rsd_sink {
            struct_size: size::<rsd_sink>(),
            ctx: std::ptr::from_mut(self).cast::<c_void>(),
            on_error: Some(on_error),
            on_notice: Some(on_notice),
            on_result: Some(on_result),
            on_identity: Some(on_identity),
            on_mark: Some(on_mark),
            on_observation: Some(on_observation),
            on_verdict: Some(on_verdict),
        }
    }

    /// Whether the driver's struct has all that version 1 has.
    fn is_whole<T>(&mut self, name: &'static str, struct_size: u32) -> bool {
        let whole = reaches(struct_size, size_of::<T>());
        if !whole {
            self.broken = Some(name);
        }
        whole
    }

    /// The error of a call in which the driver broke the sink's contract, if it did. What was said then is not
    /// known, so the call has failed whatever its status is.
    pub fn breach(&self) -> Option<Error> {
        let name = self.broken?;
        let message = format!(
            "the driver said a {name} whose struct_size is smaller than version 1 of the driver ABI has it; it must be set to sizeof({name})"
        );
        let error = Error::new(Class::Other, message);
        Some(Error { failure: Failure::DriverBug, applied: Applied::Unknown, ..error })
    }

    /// The error of a call that ended with `failure`, also where the driver forgot to say one.
    pub fn error(&mut self, failure: Failure) -> Error {
        let mut error = self.errors.pop().or_else(|| self.breach()).unwrap_or_else(|| match failure {
            Failure::DriverBug => Error {
                applied: Applied::Unknown,
                ..Error::new(Class::Other, "the driver broke down (a panic, or a status it does not have)")
            },
            Failure::Unsupported => Error::new(Class::Unsupported, "the driver does not have this function"),
            Failure::Misuse => Error::new(Class::Other, "the driver was called against its contract"),
            Failure::Failed | Failure::Canceled => Error {
                applied: Applied::Unknown,
                ..Error::new(Class::Other, "the driver failed without saying why")
            },
            Failure::Lost => Error::lost("the connection was lost", Applied::Unknown),
        });
        error.failure = failure;
        error
    }
}

/// Runs a callback's body so that nothing unwinds into the driver (rule 5).
fn contained(body: impl FnOnce()) {
    // A panic here is a bug of the daemon: the hook has printed it, and what was being said is lost.
    let _ = catch_unwind(AssertUnwindSafe(body));
}

unsafe extern "C" fn on_error(ctx: *mut c_void, raw: *const rsd_error) {
    contained(|| {
        // SAFETY: `ctx` is the `Collected` of the running call, `raw` alive during the callback (rule 3).
        unsafe {
            let (Some(collected), Some(raw)) = (ctx.cast::<Collected>().as_mut(), raw.as_ref()) else {
                return;
            };
            if !collected.is_whole::<rsd_error>("rsd_error", raw.struct_size) {
                return;
            }
            collected.errors.push(Error {
                failure: Failure::Failed,
                class: Class::from_abi(raw.class_),
                applied: Applied::from_abi(raw.applied),
                sqlstate: sqlstate_text(&raw.sqlstate),
                code: raw.vendor_code,
                position: usize::try_from(raw.position).ok(),
                message: string(raw.message).into_owned(),
                detail: string(raw.detail).into_owned(),
                hint: string(raw.hint).into_owned(),
                object: string(raw.object).into_owned(),
            });
        }
    });
}

unsafe extern "C" fn on_notice(ctx: *mut c_void, raw: *const rsd_notice) {
    contained(|| {
        // SAFETY: as in `on_error`.
        unsafe {
            let (Some(collected), Some(raw)) = (ctx.cast::<Collected>().as_mut(), raw.as_ref()) else {
                return;
            };
            if !collected.is_whole::<rsd_notice>("rsd_notice", raw.struct_size) {
                return;
            }
            let notice = Notice {
                severity: string(raw.severity).into_owned(),
                sqlstate: sqlstate_text(&raw.sqlstate),
                code: raw.vendor_code,
                message: string(raw.message).into_owned(),
            };
            (collected.notices)(collected.outcomes.len(), notice);
        }
    });
}

unsafe extern "C" fn on_result(ctx: *mut c_void, raw: *const rsd_result) {
    contained(|| {
        // SAFETY: as in `on_error`.
        unsafe {
            let (Some(collected), Some(raw)) = (ctx.cast::<Collected>().as_mut(), raw.as_ref()) else {
                return;
            };
            if !collected.is_whole::<rsd_result>("rsd_result", raw.struct_size) {
                return;
            }
            collected.outcomes.push(Outcome {
                rows_affected: u64::try_from(raw.rows_affected).ok(),
                transaction: Transaction::from_abi(raw.transaction),
                tag: string(raw.tag).into_owned(),
            });
        }
    });
}

unsafe extern "C" fn on_identity(ctx: *mut c_void, raw: *const rsd_identity) {
    contained(|| {
        // SAFETY: as in `on_error`.
        unsafe {
            let (Some(collected), Some(raw)) = (ctx.cast::<Collected>().as_mut(), raw.as_ref()) else {
                return;
            };
            if !collected.is_whole::<rsd_identity>("rsd_identity", raw.struct_size) {
                return;
            }
            collected.identity = Some(identity_from_abi(raw));
        }
    });
}

unsafe extern "C" fn on_mark(ctx: *mut c_void, raw: *const rsd_mark) {
    contained(|| {
        // SAFETY: as in `on_error`.
        unsafe {
            let (Some(collected), Some(raw)) = (ctx.cast::<Collected>().as_mut(), raw.as_ref()) else {
                return;
            };
            if !collected.is_whole::<rsd_mark>("rsd_mark", raw.struct_size) {
                return;
            }
            collected.marks.push(mark_from_abi(raw));
        }
    });
}

unsafe extern "C" fn on_observation(ctx: *mut c_void, raw: *const rsd_observation) {
    contained(|| {
        // SAFETY: as in `on_error`.
        unsafe {
            let (Some(collected), Some(raw)) = (ctx.cast::<Collected>().as_mut(), raw.as_ref()) else {
                return;
            };
            if !collected.is_whole::<rsd_observation>("rsd_observation", raw.struct_size) {
                return;
            }
            collected.observation = Some(Observation {
                settled: Settled::from_abi(raw.settled),
                text: string(raw.text).into_owned(),
                summary: string(raw.summary).into_owned(),
            });
        }
    });
}

unsafe extern "C" fn on_verdict(ctx: *mut c_void, raw: *const rsd_verdict) {
    contained(|| {
        // SAFETY: as in `on_error`.
        unsafe {
            let (Some(collected), Some(raw)) = (ctx.cast::<Collected>().as_mut(), raw.as_ref()) else {
                return;
            };
            if !collected.is_whole::<rsd_verdict>("rsd_verdict", raw.struct_size) {
                return;
            }
            collected.verdict = Some(Verdict {
                ruling: Ruling::from_abi(raw.ruling),
                reason: string(raw.reason).into_owned(),
                summary: string(raw.summary).into_owned(),
                repair: string(raw.repair).into_owned(),
            });
        }
    });
}
