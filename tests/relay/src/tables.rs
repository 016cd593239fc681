//! The tables of the ABI with a way through [`pass`] before and behind each function.

use crate::point::{Side, pass};
use runsheet_sdk::abi::*;
use runsheet_sdk::text::bytes;
use std::ffi::c_void;
use std::ptr::{from_ref, null};
use std::sync::OnceLock;

/// One table: a module with a function for each of its functions, the table made of them, and their names.
macro_rules! table {
    ($module:ident: $table:ident { $($function:ident($($name:ident: $type:ty),*) $(-> $answer:ty)?;)* }) => {
        mod $module {
            use super::*;

            /// The driver's own.
            pub(super) static REAL: OnceLock<&'static $table> = OnceLock::new();

            $(
                unsafe extern "C" fn $function($($name: $type),*) $(-> $answer)? {
                    let point = concat!(stringify!($module), ".", stringify!($function));
                    pass(point, Side::Before);
                    let real = REAL.get().and_then(|table| table.$function).expect("the driver has it");
                    // SAFETY: the arguments are the daemon's own, and it keeps the rules of the ABI.
                    let answer = unsafe { real($($name),*) };
                    pass(point, Side::After);
                    answer
                }
            )*

            /// The table with a way through here, where the driver has a function at all.
            pub(super) fn relay(real: &'static $table) -> &'static $table {
                let real = REAL.get_or_init(|| real);
                Box::leak(Box::new($table {
                    $($function: real.$function.map(|_| $function as _),)*
                    ..**real
                }))
            }

            /// The points of a driver's table.
            pub(super) fn points(real: &$table) -> Vec<&'static str> {
                [$((real.$function.is_some(), concat!(stringify!($module), ".", stringify!($function)))),*]
                    .into_iter()
                    .filter_map(|(there, point)| there.then_some(point))
                    .collect()
            }
        }
    };
}

type Connection = *mut rsd_connection;
type Splitter = *mut rsd_splitter;
type Args = *const rsd_open_args;
type Sink = *const rsd_sink;
type Mark = *const rsd_mark;

table!(driver: rsd_driver {
    check(args: Args, sink: Sink) -> rsd_status;
    open(args: Args, sink: Sink, connection: *mut Connection) -> rsd_status;
    close(connection: Connection);
    reset(connection: Connection, label: rsd_str, sink: Sink) -> rsd_status;
    ping(connection: Connection, sink: Sink) -> rsd_status;
    identify(connection: Connection, sink: Sink) -> rsd_status;
    execute(connection: Connection, sql: rsd_str, sink: Sink) -> rsd_status;
    begin(connection: Connection, sink: Sink) -> rsd_status;
    commit(connection: Connection, sink: Sink) -> rsd_status;
    rollback(connection: Connection, sink: Sink) -> rsd_status;
    cancel(connection: Connection) -> rsd_status;
});

table!(split: rsd_split {
    start(args: Args, sink: Sink, splitter: *mut Splitter) -> rsd_status;
    next(splitter: Splitter, text: rsd_str, at_end: u32, piece: *mut rsd_piece, sink: Sink) -> rsd_status;
    finish(splitter: Splitter);
});

table!(lock: rsd_lock {
    try_lock(connection: Connection, sink: Sink) -> rsd_status;
    unlock(connection: Connection, sink: Sink) -> rsd_status;
    end_holder(connection: Connection, holder: *const rsd_identity, sink: Sink) -> rsd_status;
});

table!(ledger: rsd_ledger {
    prepare(connection: Connection, sink: Sink) -> rsd_status;
    write(connection: Connection, mark: Mark, sink: Sink) -> rsd_status;
    read(connection: Connection, task: rsd_str, sink: Sink) -> rsd_status;
    find_version(connection: Connection, schema_version: rsd_str, sink: Sink) -> rsd_status;
});

table!(load: rsd_load {
    begin(connection: Connection, sql: rsd_str, sink: Sink) -> rsd_status;
    rows(connection: Connection, rows: rsd_str, sink: Sink) -> rsd_status;
    end(connection: Connection, sink: Sink) -> rsd_status;
});

table!(judge: rsd_judge {
    observe(connection: Connection, sql: rsd_str, mark: Mark, sink: Sink) -> rsd_status;
    execute(connection: Connection, sql: rsd_str, mark: Mark, observation: rsd_str, sink: Sink) -> rsd_status;
    judge(connection: Connection, sql: rsd_str, mark: Mark, observation: rsd_str, sink: Sink) -> rsd_status;
    vet(connection: Connection, sql: rsd_str, sink: Sink) -> rsd_status;
    advise(connection: Connection, sink: Sink) -> rsd_status;
});

table!(batch: rsd_batch {
    execute(connection: Connection, statements: *const rsd_str, count: usize, sink: Sink) -> rsd_status;
});

/// The driver's table, and behind it those of its extensions, with a way through here.
pub(crate) fn relay(real: &'static rsd_driver) -> *const rsd_driver {
    let relayed = driver::relay(real);
    Box::leak(Box::new(rsd_driver { extension: Some(extension), ..*relayed }))
}

/// The driver's own table of an extension.
fn real_extension<T>(real: &rsd_driver, id: &str) -> Option<&'static T> {
    let ask = real.extension?;
    // SAFETY: may be called from any thread; the table is a constant of the library, which stays.
    unsafe { ask(runsheet_sdk::text::lend(id.as_bytes())).cast::<T>().as_ref() }
}

unsafe extern "C" fn extension(id: rsd_str) -> *const c_void {
    let Some(real) = driver::REAL.get() else { return null() };
    // SAFETY: the text lives during the call.
    let id = String::from_utf8_lossy(unsafe { bytes(id) });
    fn give<T>(real: &rsd_driver, id: &str, relay: fn(&'static T) -> &'static T) -> *const c_void {
        real_extension(real, id).map_or(null(), |table| from_ref(relay(table)).cast())
    }
    match id.as_ref() {
        "rsd.split/1" => give(real, &id, split::relay),
        "rsd.lock/1" => give(real, &id, lock::relay),
        "rsd.ledger/1" => give(real, &id, ledger::relay),
        "rsd.load/1" => give(real, &id, load::relay),
        "rsd.judge/1" => give(real, &id, judge::relay),
        "rsd.batch/1" => give(real, &id, batch::relay),
        // One that is not known here goes past: nothing can be aimed at it.
        other => real_extension::<c_void>(real, other).map_or(null(), from_ref),
    }
}

/// Every point of a driver, as it stands in the daemon's hands.
pub fn points(real: &rsd_driver) -> Vec<&'static str> {
    let mut all = driver::points(real);
    all.extend(real_extension(real, "rsd.split/1").iter().flat_map(|table| split::points(table)));
    all.extend(real_extension(real, "rsd.lock/1").iter().flat_map(|table| lock::points(table)));
    all.extend(real_extension(real, "rsd.ledger/1").iter().flat_map(|table| ledger::points(table)));
    all.extend(real_extension(real, "rsd.load/1").iter().flat_map(|table| load::points(table)));
    all.extend(real_extension(real, "rsd.judge/1").iter().flat_map(|table| judge::points(table)));
    all.extend(real_extension(real, "rsd.batch/1").iter().flat_map(|table| batch::points(table)));
    all
}
