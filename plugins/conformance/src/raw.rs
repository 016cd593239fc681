//! Calls over the bare ABI, for what no safe call can show: the order in which a sink is called, structs that are larger than the
//! driver knows, texts that are NULL.

use crate::bench::{Bench, LABEL};
use anyhow::{Context, Result, ensure};
use runsheet_sdk::abi::*;
use runsheet_sdk::sink::size;
use runsheet_sdk::text::{lend, string};
use std::ffi::c_void;

/// What the sink was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Error(String),
    Notice(String),
    Result,
    Identity,
    Mark,
    Observation,
    Verdict,
}

/// A struct of the ABI as a later minor version may have it: with more behind what the driver knows.
#[repr(C)]
struct Larger<T> {
    known: T,
    tail: [u8; TAIL],
}

/// How much is behind.
const TAIL: usize = 64;
/// What is in it.
const FILLING: u8 = 0xA5;

impl<T> Larger<T> {
    fn new(known: T) -> Self {
        Self { known, tail: [FILLING; TAIL] }
    }
}

/// What the structs say of their size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// As the driver knows them.
    Known,
    /// That of a later version.
    Larger,
}

impl Sizes {
    fn of<T>(self) -> u32 {
        match self {
            Self::Known => size::<T>(),
            Self::Larger => size::<Larger<T>>(),
        }
    }
}

unsafe extern "C" fn on_error(ctx: *mut c_void, error: *const rsd_error) {
    // SAFETY: `ctx` is the list of the running call, and the error is alive during the callback (rule 3).
    unsafe { record(ctx, Event::Error(string((*error).message).into_owned())) }
}

unsafe extern "C" fn on_notice(ctx: *mut c_void, notice: *const rsd_notice) {
    // SAFETY: as in `on_error`.
    unsafe { record(ctx, Event::Notice(string((*notice).message).into_owned())) }
}

unsafe extern "C" fn on_result(ctx: *mut c_void, _result: *const rsd_result) {
    // SAFETY: as in `on_error`.
    unsafe { record(ctx, Event::Result) }
}

unsafe extern "C" fn on_identity(ctx: *mut c_void, _identity: *const rsd_identity) {
    // SAFETY: as in `on_error`.
    unsafe { record(ctx, Event::Identity) }
}

unsafe extern "C" fn on_mark(ctx: *mut c_void, _mark: *const rsd_mark) {
    // SAFETY: as in `on_error`.
    unsafe { record(ctx, Event::Mark) }
}

unsafe extern "C" fn on_observation(ctx: *mut c_void, _observation: *const rsd_observation) {
    // SAFETY: as in `on_error`.
    unsafe { record(ctx, Event::Observation) }
}

unsafe extern "C" fn on_verdict(ctx: *mut c_void, _verdict: *const rsd_verdict) {
    // SAFETY: as in `on_error`.
    unsafe { record(ctx, Event::Verdict) }
}

/// # Safety
/// `ctx` is the list of the running call.
unsafe fn record(ctx: *mut c_void, event: Event) {
    // SAFETY: by the caller.
    unsafe { (*ctx.cast::<Vec<Event>>()).push(event) }
}

/// A session over the bare ABI. Dropped means closed.
pub(crate) struct RawSession {
    table: &'static rsd_driver,
    raw: *mut rsd_connection,
    sizes: Sizes,
}

impl RawSession {
    /// Opens a session.
    pub fn open(bench: &Bench) -> Result<Self> {
        Self::sized(bench, Sizes::Known, Some(LABEL))
    }

    /// Opens a session with structs of these sizes; its label is a NULL text where there is none.
    pub fn sized(bench: &Bench, sizes: Sizes, label: Option<&str>) -> Result<Self> {
        let table = bench.library.table();
        let options: Vec<rsd_option> = bench
            .target
            .settings
            .iter()
            .map(|(key, value, secret)| rsd_option {
                key: lend(key.as_bytes()),
                value: lend(value.as_bytes()),
                secret: u32::from(secret),
            })
            .collect();
        let none = rsd_str { ptr: std::ptr::null(), len: 0 };
        let args = Larger::new(rsd_open_args {
            struct_size: sizes.of::<rsd_open_args>(),
            option_count: u32::try_from(options.len())?,
            options: options.as_ptr(),
            database: lend(bench.target.database.as_bytes()),
            label: label.map_or(none, |label| lend(label.as_bytes())),
        });
        let mut raw = std::ptr::null_mut();
        let open = table.open.context("there is no `open`")?;
        // SAFETY: rule 3: all arguments live during the call.
        let (status, events) = collect(sizes, |sink| unsafe { open(&args.known, sink, &mut raw) })?;
        ensure!(status == RSD_OK && !raw.is_null(), "`open` came to {status}, {events:?}");
        ensure!(args.tail == [FILLING; TAIL], "`open` wrote behind its arguments");
        Ok(Self { table, raw, sizes })
    }

    /// Runs a statement, and gives its status and what was said, in order.
    pub fn execute(&mut self, text: &str) -> Result<(rsd_status, Vec<Event>)> {
        let execute = self.table.execute.context("there is no `execute`")?;
        // SAFETY: rules 3 and 4.
        collect(self.sizes, |sink| unsafe { execute(self.raw, lend(text.as_bytes()), sink) })
    }

    /// Makes a call that only takes a sink.
    pub fn call(
        &mut self,
        call: Option<unsafe extern "C" fn(*mut rsd_connection, *const rsd_sink) -> rsd_status>,
    ) -> Result<(rsd_status, Vec<Event>)> {
        let call = call.context("there is no such function")?;
        // SAFETY: rules 3 and 4.
        collect(self.sizes, |sink| unsafe { call(self.raw, sink) })
    }

    /// The table of the driver's functions.
    pub fn table(&self) -> &'static rsd_driver {
        self.table
    }
}

impl Drop for RawSession {
    fn drop(&mut self) {
        if let Some(close) = self.table.close {
            // SAFETY: closed once, here, with no other call running.
            unsafe { close(self.raw) }
        }
    }
}

/// Makes a call with a sink of its own.
fn collect(
    sizes: Sizes,
    call: impl FnOnce(*const rsd_sink) -> rsd_status,
) -> Result<(rsd_status, Vec<Event>)> {
    let mut events: Vec<Event> = Vec::new();
    let sink = Larger::new(rsd_sink {
        struct_size: sizes.of::<rsd_sink>(),
        ctx: std::ptr::from_mut(&mut events).cast(),
        on_error: Some(on_error),
        on_notice: Some(on_notice),
        on_result: Some(on_result),
        on_identity: Some(on_identity),
        on_mark: Some(on_mark),
        on_observation: Some(on_observation),
        on_verdict: Some(on_verdict),
    });
    let status = call(&sink.known);
    ensure!(sink.tail == [FILLING; TAIL], "the driver wrote behind the sink");
    Ok((status, events))
}

/// What is wrong with what a call said, given its status; nothing where all is right.
pub(crate) fn fault(status: rsd_status, events: &[Event], says_result: bool) -> Option<String> {
    let count = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
    let errors = count(|event| matches!(event, Event::Error(_)));
    let results = count(|event| matches!(event, Event::Result));
    let late = events
        .iter()
        .rposition(|event| matches!(event, Event::Notice(_)))
        .zip(events.iter().position(|event| matches!(event, Event::Result)))
        .is_some_and(|(notice, result)| notice > result);
    let (errors_due, results_due) = match status {
        RSD_OK => (0, usize::from(says_result)),
        RSD_FAILED | RSD_CANCELED | RSD_LOST => (1, 0),
        other => return Some(format!("the status is {other}")),
    };
    if errors != errors_due || results != results_due {
        return Some(format!(
            "with status {status} there were {errors} errors and {results} results instead of {errors_due} and {results_due}"
        ));
    }
    late.then(|| "a notice came after the result".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_that_is_called_against_the_rules_is_noticed() {
        let error = || Event::Error("no".to_owned());
        let notice = || Event::Notice("by the way".to_owned());
        let said = |status, events: &[Event]| fault(status, events, true);
        assert_eq!(said(RSD_OK, &[notice(), Event::Result]), None);
        assert_eq!(said(RSD_FAILED, &[notice(), error()]), None);
        assert_eq!(fault(RSD_OK, &[Event::Mark], false), None);
        for (status, events) in [
            (RSD_OK, vec![]),
            (RSD_OK, vec![Event::Result, Event::Result]),
            (RSD_OK, vec![Event::Result, notice()]),
            (RSD_OK, vec![error(), Event::Result]),
            (RSD_FAILED, vec![]),
            (RSD_FAILED, vec![error(), error()]),
            (RSD_LOST, vec![error(), Event::Result]),
            (RSD_DRIVER_BUG, vec![]),
        ] {
            assert!(said(status, &events).is_some(), "{status} with {events:?}");
        }
    }
}
