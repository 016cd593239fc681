//! Turns a [`Driver`] into the tables of the ABI. Every function catches panics, so that a
//! fault in a driver becomes `RSD_DRIVER_BUG` and not the end of the daemon.

mod extensions;

use crate::abi::*;
use crate::driver::{Canceler, Connection, Driver};
use crate::log;
use crate::settings::Settings;
use crate::sink::{Sink, size};
use crate::text::{bytes, string};
use crate::types::{Error, Failure};
use extensions::*;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A constant of the ABI in a static: the pointers in it are to statics.
#[repr(transparent)]
pub struct Constant<T>(pub T);

// SAFETY: the tables are never written, and what they point to is static.
unsafe impl<T> Sync for Constant<T> {}

/// What `*mut rsd_connection` points to.
struct Session<C> {
    connection: C,
    canceler: Box<dyn Canceler>,
}

/// The tables of one driver. Those of the extensions are references, so that the compiler sees that they live for ever.
pub struct Tables<D>(std::marker::PhantomData<D>);

impl<D: Driver> Tables<D> {
    /// The table of functions.
    pub const DRIVER: rsd_driver = rsd_driver {
        struct_size: size::<rsd_driver>(),
        reserved: 0,
        facts: D::FACTS.0,
        check: Some(check::<D>),
        open: Some(open::<D>),
        close: Some(close::<D>),
        reset: Some(reset::<D>),
        ping: Some(ping::<D>),
        identify: Some(identify::<D>),
        execute: Some(execute::<D>),
        begin: Some(begin::<D>),
        commit: Some(commit::<D>),
        rollback: Some(rollback::<D>),
        cancel: Some(cancel::<D>),
        extension: Some(extension::<D>),
    };

    const SPLIT: &'static Constant<rsd_split> = &Constant(rsd_split {
        struct_size: size::<rsd_split>(),
        reserved: 0,
        start: Some(split_start::<D>),
        next: Some(split_next::<D>),
        finish: Some(split_finish::<D>),
    });

    const LOCK: &'static Constant<rsd_lock> = &Constant(rsd_lock {
        struct_size: size::<rsd_lock>(),
        reserved: 0,
        try_lock: Some(try_lock::<D>),
        unlock: Some(unlock::<D>),
        end_holder: Some(end_holder::<D>),
    });

    const LEDGER: &'static Constant<rsd_ledger> = &Constant(rsd_ledger {
        struct_size: size::<rsd_ledger>(),
        reserved: 0,
        prepare: Some(ledger_prepare::<D>),
        write: Some(ledger_write::<D>),
        read: Some(ledger_read::<D>),
        find_version: Some(ledger_find_version::<D>),
    });

    const LOAD: &'static Constant<rsd_load> = &Constant(rsd_load {
        struct_size: size::<rsd_load>(),
        reserved: 0,
        begin: Some(load_begin::<D>),
        rows: Some(load_rows::<D>),
        end: Some(load_end::<D>),
    });

    const JUDGE: &'static Constant<rsd_judge> = &Constant(rsd_judge {
        struct_size: size::<rsd_judge>(),
        reserved: 0,
        observe: Some(judge_observe::<D>),
        execute: Some(judge_execute::<D>),
        judge: Some(judge_judge::<D>),
        vet: Some(judge_vet::<D>),
        advise: Some(judge_advise::<D>),
    });

    const BATCH: &'static Constant<rsd_batch> = &Constant(rsd_batch {
        struct_size: size::<rsd_batch>(),
        reserved: 0,
        execute: Some(batch_execute::<D>),
    });
}

/// Remembers the host for [`crate::log`], and lets the words of panics go there: a driver writes nothing to standard error
/// (rule 6). A library in Rust has a standard library of its own, so no panic of the daemon's comes here.
pub fn attach(host: *const rsd_host) {
    log::attach(host);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let words = panic.payload_as_str().unwrap_or("it has no words");
        log::line(log::Level::Error, format_args!("a panic at {place}: {words}"));
    }));
}

/// Exports a type that implements [`Driver`] as this library's driver.
#[macro_export]
macro_rules! export_driver {
    ($driver:ty) => {
        static DRIVER_TABLE: $crate::export::Constant<$crate::abi::rsd_driver> =
            $crate::export::Constant($crate::export::Tables::<$driver>::DRIVER);

        unsafe extern "C" fn start(host: *const $crate::abi::rsd_host) -> *const $crate::abi::rsd_driver {
            $crate::export::attach(host);
            &DRIVER_TABLE.0
        }

        /// The entry of this driver.
        // SAFETY: the one symbol that the ABI names, of the type that it names.
        #[unsafe(no_mangle)]
        #[allow(non_upper_case_globals, reason = "the ABI names it in C's way")]
        pub static rsd_entry_v1: $crate::export::Constant<$crate::abi::rsd_entry> =
            $crate::export::Constant($crate::abi::rsd_entry {
                struct_size: $crate::sink::size::<$crate::abi::rsd_entry>(),
                abi_minor: $crate::abi::RSD_ABI_MINOR,
                name: $crate::text::lend_static(<$driver as $crate::Driver>::NAME),
                version: $crate::text::lend_static(<$driver as $crate::Driver>::VERSION),
                title: $crate::text::lend_static(<$driver as $crate::Driver>::TITLE),
                start: Some(start),
            });
    };
}

/// Runs a function's body; a panic becomes `RSD_DRIVER_BUG`.
fn guarded(what: &str, body: impl FnOnce() -> rsd_status) -> rsd_status {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        log::line(log::Level::Error, format_args!("the driver panicked in {what}; its words are above"));
        RSD_DRIVER_BUG
    })
}

/// Says an error and gives its status.
fn fail(sink: &Sink, error: &Error) -> rsd_status {
    match error.failure {
        Failure::Failed | Failure::Canceled | Failure::Lost => sink.error(error),
        Failure::Misuse | Failure::DriverBug | Failure::Unsupported => {}
    }
    error.failure.to_abi()
}

/// Runs a body on a connection; NULL is the caller's fault.
///
/// # Safety
/// `connection` is NULL or came from `open::<D>` and is not closed; no other call runs on it (rule 4).
unsafe fn on_connection<D: Driver>(
    what: &str,
    connection: *mut rsd_connection,
    sink: *const rsd_sink,
    body: impl FnOnce(&mut D::Connection, &Sink) -> Result<(), Error>,
) -> rsd_status {
    guarded(what, || {
        // SAFETY: by the caller; only the field `connection` is borrowed, since `cancel` reads the other at the same time.
        let (session, sink) = unsafe {
            if connection.is_null() {
                return RSD_MISUSE;
            }
            let session = connection.cast::<Session<D::Connection>>();
            (&mut *std::ptr::addr_of_mut!((*session).connection), Sink::new(sink))
        };
        match body(session, &sink) {
            Ok(()) => RSD_OK,
            Err(error) => fail(&sink, &error),
        }
    })
}

/// # Safety
/// `args` is NULL or alive, with its options.
unsafe fn settings_of(args: *const rsd_open_args) -> Option<(Settings, String, String)> {
    // SAFETY: by the caller; texts are copied before the call returns.
    unsafe {
        let args = args.as_ref()?;
        let mut settings = Settings::new();
        if !args.options.is_null() {
            for option in std::slice::from_raw_parts(args.options, args.option_count as usize) {
                settings.set(string(option.key), string(option.value), option.secret != 0);
            }
        }
        Some((settings, string(args.database).into_owned(), string(args.label).into_owned()))
    }
}

unsafe extern "C" fn check<D: Driver>(args: *const rsd_open_args, sink: *const rsd_sink) -> rsd_status {
    guarded("check", || {
        // SAFETY: rule 3: both live during the call.
        let (given, sink) = unsafe { (settings_of(args), Sink::new(sink)) };
        let Some((settings, _, _)) = given else { return RSD_MISUSE };
        let faults = D::check(&settings);
        for fault in &faults {
            sink.error(fault);
        }
        if faults.is_empty() { RSD_OK } else { RSD_FAILED }
    })
}

unsafe extern "C" fn open<D: Driver>(
    args: *const rsd_open_args,
    sink: *const rsd_sink,
    connection: *mut *mut rsd_connection,
) -> rsd_status {
    guarded("open", || {
        // SAFETY: rule 3: all live during the call.
        let (given, sink, place) = unsafe { (settings_of(args), Sink::new(sink), connection.as_mut()) };
        let (Some((settings, database, label)), Some(place)) = (given, place) else { return RSD_MISUSE };
        *place = std::ptr::null_mut();
        match D::open(&settings, &database, &label, &mut |notice| sink.notice(&notice)) {
            Ok(connection) => {
                let canceler = connection.canceler();
                *place = Box::into_raw(Box::new(Session { connection, canceler })).cast();
                RSD_OK
            }
            Err(error) => fail(&sink, &error),
        }
    })
}

unsafe extern "C" fn close<D: Driver>(connection: *mut rsd_connection) {
    guarded("close", || {
        if !connection.is_null() {
            // SAFETY: came from `Box::into_raw` in `open`, and is closed once, with no other call running (rule 4).
            drop(unsafe { Box::from_raw(connection.cast::<Session<D::Connection>>()) });
        }
        RSD_OK
    });
}

unsafe extern "C" fn reset<D: Driver>(
    connection: *mut rsd_connection,
    label: rsd_str,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe { on_connection::<D>("reset", connection, sink, |session, _| session.reset(&string(label))) }
}

unsafe extern "C" fn ping<D: Driver>(connection: *mut rsd_connection, sink: *const rsd_sink) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe { on_connection::<D>("ping", connection, sink, |session, _| session.ping()) }
}

unsafe extern "C" fn identify<D: Driver>(
    connection: *mut rsd_connection,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe {
        on_connection::<D>("identify", connection, sink, |session, sink| {
            sink.identity(&session.identify()?);
            Ok(())
        })
    }
}

unsafe extern "C" fn execute<D: Driver>(
    connection: *mut rsd_connection,
    sql: rsd_str,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe {
        on_connection::<D>("execute", connection, sink, |session, sink| {
            let outcome = session.execute(bytes(sql), &mut |notice| sink.notice(&notice))?;
            sink.result(&outcome);
            Ok(())
        })
    }
}

unsafe extern "C" fn begin<D: Driver>(connection: *mut rsd_connection, sink: *const rsd_sink) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe { on_connection::<D>("begin", connection, sink, |session, _| session.begin()) }
}

unsafe extern "C" fn commit<D: Driver>(connection: *mut rsd_connection, sink: *const rsd_sink) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe {
        on_connection::<D>("commit", connection, sink, |session, sink| {
            session.commit(&mut |notice| sink.notice(&notice))
        })
    }
}

unsafe extern "C" fn rollback<D: Driver>(
    connection: *mut rsd_connection,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe { on_connection::<D>("rollback", connection, sink, |session, _| session.rollback()) }
}

unsafe extern "C" fn cancel<D: Driver>(connection: *mut rsd_connection) -> rsd_status {
    guarded("cancel", || {
        // SAFETY: rule 4: not closed while this runs; the canceler is shared and never written.
        let canceler = unsafe {
            if connection.is_null() {
                return RSD_MISUSE;
            }
            &*std::ptr::addr_of!((*connection.cast::<Session<D::Connection>>()).canceler)
        };
        match canceler.cancel() {
            Ok(()) => RSD_OK,
            Err(error) => {
                log::line(log::Level::Warning, format_args!("cancel did not reach the server: {error}"));
                RSD_FAILED
            }
        }
    })
}

unsafe extern "C" fn extension<D: Driver>(id: rsd_str) -> *const c_void {
    // SAFETY: rule 3.
    match unsafe { bytes(id) } {
        b"rsd.split/1" => std::ptr::from_ref(&Tables::<D>::SPLIT.0).cast(),
        b"rsd.lock/1" => std::ptr::from_ref(&Tables::<D>::LOCK.0).cast(),
        b"rsd.ledger/1" => std::ptr::from_ref(&Tables::<D>::LEDGER.0).cast(),
        b"rsd.load/1" if D::HAS_LOAD => std::ptr::from_ref(&Tables::<D>::LOAD.0).cast(),
        b"rsd.judge/1" if D::HAS_JUDGE => std::ptr::from_ref(&Tables::<D>::JUDGE.0).cast(),
        b"rsd.batch/1" if D::HAS_BATCH => std::ptr::from_ref(&Tables::<D>::BATCH.0).cast(),
        _ => std::ptr::null(),
    }
}
