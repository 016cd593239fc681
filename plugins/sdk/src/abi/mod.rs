//! The C ABI between the daemon and a driver, version 1: the one source of
//! `include/runsheet_driver.h`. Types and constants only; the safe side is in
//! the other modules.
//!
//! # Rules
//!
//! 1. **Entry.** A driver exports one symbol, the constant [`rsd_entry_v1`](rsd_entry).
//!    The major version is part of the symbol's name.
//! 2. **Growth.** Every struct but [`rsd_str`], [`rsd_option`] begins with its
//!    `struct_size`. Fields are only appended. A reader uses a field only where
//!    it lies inside the writer's `struct_size`.
//! 3. **Ownership never crosses.** Text goes in as borrowed bytes that live
//!    until the call returns; results come back through the callbacks of
//!    [`rsd_sink`], whose arguments live until the callback returns. Nobody frees
//!    the other side's memory; a driver frees its own objects in `close` and `finish`.
//! 4. **Threads.** Calls on one connection, and on one splitter, come one at a time,
//!    possibly from different threads. Different connections run at the same
//!    time. `cancel` comes from any thread while another call is running on the same
//!    connection; it is never running when `close` is called.
//! 5. **Nothing unwinds** out of a driver or of a callback.
//! 6. **A driver must not** unload itself, install signal handlers, change the
//!    locale, working directory, umask or environment, fork, exit, or write to
//!    standard output or error.
//! 7. A status or kind that the reader does not know is treated as
//!    `RSD_DRIVER_BUG`, a class as `RSD_CLASS_OTHER`, an `applied` as unknown.
#![allow(non_camel_case_types)]

mod extensions;

pub use extensions::*;

use std::ffi::c_void;

/// The minor version: grows when a field or an extension is added.
pub const RSD_ABI_MINOR: u32 = 0;

/// Bytes that belong to the caller, alive until the call or callback returns.
/// UTF-8 everywhere but in the text of statements. Fixed for ever.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rsd_str {
    /// The first byte; may be NULL where `len` is 0.
    pub ptr: *const u8,
    /// How many bytes.
    pub len: usize,
}

/// One setting of an instance. Fixed for ever.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rsd_option {
    /// The setting's name; inside a table `table.name`.
    pub key: rsd_str,
    /// Its value as text: numbers in decimal, booleans as `true` and `false`.
    pub value: rsd_str,
    /// 1 where the value is a secret: it must never appear in any message.
    pub secret: u32,
}

/// What a call came to: one of the `RSD_` status constants.
pub type rsd_status = i32;
/// It did what was asked.
pub const RSD_OK: rsd_status = 0;
/// It did not; `on_error` was called once.
pub const RSD_FAILED: rsd_status = 1;
/// The statement was stopped by `cancel`; `on_error` was called once.
pub const RSD_CANCELED: rsd_status = 2;
/// The connection is gone and only `close` may follow; `on_error` was called once.
pub const RSD_LOST: rsd_status = 3;
/// The caller broke the contract; nothing was done.
pub const RSD_MISUSE: rsd_status = 4;
/// The driver broke its own rules (a panic, say): close the connection, the outcome is unknown.
pub const RSD_DRIVER_BUG: rsd_status = 5;
/// The driver does not have this; nothing was done.
pub const RSD_UNSUPPORTED: rsd_status = 6;
/// The lock is held by another session.
pub const RSD_BUSY: rsd_status = 7;
/// The splitter needs more text.
pub const RSD_MORE: rsd_status = 8;
/// The splitter has no further piece.
pub const RSD_END: rsd_status = 9;

/// The class of an error: one of the `RSD_CLASS_` constants.
pub type rsd_class = u32;
/// None of the others.
pub const RSD_CLASS_OTHER: rsd_class = 0;
/// The statement is not well formed.
pub const RSD_CLASS_SYNTAX: rsd_class = 1;
/// A table, column, function or the like does not exist.
pub const RSD_CLASS_MISSING_OBJECT: rsd_class = 2;
/// What should be created exists already.
pub const RSD_CLASS_ALREADY_EXISTS: rsd_class = 3;
/// A constraint refused the data.
pub const RSD_CLASS_CONSTRAINT: rsd_class = 4;
/// The account may not do this.
pub const RSD_CLASS_PERMISSION: rsd_class = 5;
/// The account or its password was refused.
pub const RSD_CLASS_AUTHENTICATION: rsd_class = 6;
/// A lock was not granted in time.
pub const RSD_CLASS_LOCK_TIMEOUT: rsd_class = 7;
/// Chosen as a deadlock's victim.
pub const RSD_CLASS_DEADLOCK: rsd_class = 8;
/// The transaction could not be serialized with others.
pub const RSD_CLASS_SERIALIZATION: rsd_class = 9;
/// Out of disk, memory, connections or another resource.
pub const RSD_CLASS_RESOURCE: rsd_class = 10;
/// The engine or the driver does not have this.
pub const RSD_CLASS_UNSUPPORTED: rsd_class = 11;
/// The connection could not be made or was lost.
pub const RSD_CLASS_CONNECTION: rsd_class = 12;
/// Stopped by `cancel` or by an administrator.
pub const RSD_CLASS_CANCELED: rsd_class = 13;
/// A statement's own time limit ran out.
pub const RSD_CLASS_TIMEOUT: rsd_class = 14;
/// A setting of the instance is wrong.
pub const RSD_CLASS_SETTING: rsd_class = 15;

/// Whether what was asked took effect although it failed: one of the `RSD_APPLIED_` constants.
pub type rsd_applied = u32;
/// It cannot be known.
pub const RSD_APPLIED_UNKNOWN: rsd_applied = 0;
/// Certainly not.
pub const RSD_APPLIED_NO: rsd_applied = 1;
/// Certainly.
pub const RSD_APPLIED_YES: rsd_applied = 2;

/// Why a call failed.
#[repr(C)]
pub struct rsd_error {
    /// `sizeof(rsd_error)`.
    pub struct_size: u32,
    /// The class.
    pub class_: rsd_class,
    /// Whether it took effect all the same.
    pub applied: rsd_applied,
    /// SQLSTATE, filled up with zeros; all zeros where there is none.
    pub sqlstate: [u8; 8],
    /// The engine's own number (errno, ORA-); 0 where there is none.
    pub vendor_code: i64,
    /// The byte in the text as passed at which the engine saw the error; −1 where unknown.
    pub position: i64,
    /// The engine's message, without code.
    pub message: rsd_str,
    /// More of it, or empty.
    pub detail: rsd_str,
    /// What the engine suggests, or empty.
    pub hint: rsd_str,
    /// The object (or the setting) that it is about, or empty.
    pub object: rsd_str,
}

/// What the server said beside the outcome.
#[repr(C)]
pub struct rsd_notice {
    /// `sizeof(rsd_notice)`.
    pub struct_size: u32,
    /// SQLSTATE, filled up with zeros.
    pub sqlstate: [u8; 8],
    /// The engine's own number or 0.
    pub vendor_code: i64,
    /// `WARNING`, `NOTICE`, `NOTE`, … as the engine calls it.
    pub severity: rsd_str,
    /// The text.
    pub message: rsd_str,
}

/// How a statement ended well.
#[repr(C)]
pub struct rsd_result {
    /// `sizeof(rsd_result)`.
    pub struct_size: u32,
    /// Whether a transaction is open now: 0 no, 1 yes, 2 yes but failed, 3 unknown.
    pub transaction: u32,
    /// Rows changed, or −1 where the statement changes none.
    pub rows_affected: i64,
    /// What the server called it (`INSERT 0 1`), or empty.
    pub tag: rsd_str,
}

/// Who a session is: enough to find it again, and never to take another for it.
#[repr(C)]
pub struct rsd_identity {
    /// `sizeof(rsd_identity)`.
    pub struct_size: u32,
    /// `PostgreSQL`, `MariaDB`, `MySQL`, `SQLite`, …
    pub product: rsd_str,
    /// The server's version as it says it.
    pub version: rsd_str,
    /// The session's number on the server.
    pub session: rsd_str,
    /// When the session began, as the server says it: numbers are given out again.
    pub session_start: rsd_str,
    /// What is the same as long as it is the same server process.
    pub system: rsd_str,
    /// The database.
    pub database: rsd_str,
    /// The account.
    pub user: rsd_str,
    /// What the session is doing now and how far it is, as the server says it to others; or empty.
    pub doing: rsd_str,
}

/// One row of the ledger: a segment of a task that has taken effect.
#[repr(C)]
pub struct rsd_mark {
    /// `sizeof(rsd_mark)`.
    pub struct_size: u32,
    /// The segment's number in its sheet, from 1.
    pub segment: u32,
    /// The first statement of the segment, from 1.
    pub first_statement: u64,
    /// Its last statement.
    pub last_statement: u64,
    /// 1 where it is the sheet's last segment.
    pub complete: u32,
    /// The task: 64 hexadecimal digits, the same on every host for the same plan and spec.
    pub task: rsd_str,
    /// The plan's name.
    pub plan: rsd_str,
    /// The spec's id.
    pub spec: rsd_str,
    /// The sheet's name.
    pub sheet: rsd_str,
    /// SHA-256 of the sheet's bytes, 64 hexadecimal digits.
    pub sheet_sha256: rsd_str,
    /// The schema version that the task brings, or empty.
    pub schema_version: rsd_str,
    /// The host that ran it.
    pub host: rsd_str,
    /// When, RFC 3339; filled in by the driver from the server's clock when it is read.
    pub applied_time: rsd_str,
}

/// How it is found out whether a statement took effect whose answer never came: one of the `RSD_SETTLED_` constants.
pub type rsd_settled = u32;
/// It cannot be: a person must look.
pub const RSD_SETTLED_BY_NOBODY: rsd_settled = 0;
/// It need not be: running it again does no harm.
pub const RSD_SETTLED_BY_REPEAT: rsd_settled = 1;
/// By comparing what it changes with what it was before.
pub const RSD_SETTLED_BY_OBSERVATION: rsd_settled = 2;
/// By a mark that the server itself keeps together with the effect.
pub const RSD_SETTLED_BY_MARK: rsd_settled = 3;

/// What a statement is about to change.
#[repr(C)]
pub struct rsd_observation {
    /// `sizeof(rsd_observation)`.
    pub struct_size: u32,
    /// How its outcome would be found out.
    pub settled: rsd_settled,
    /// The driver's own words, kept on disk before the statement is sent and handed to `execute` and `judge`; at most 64 KiB.
    pub text: rsd_str,
    /// What was seen, for people.
    pub summary: rsd_str,
}

/// What became of a statement: one of the `RSD_RULING_` constants.
pub type rsd_ruling = u32;
/// It cannot be known.
pub const RSD_RULING_UNKNOWN: rsd_ruling = 0;
/// It took effect, as a whole.
pub const RSD_RULING_APPLIED: rsd_ruling = 1;
/// It had no effect.
pub const RSD_RULING_NOT_APPLIED: rsd_ruling = 2;
/// It had half an effect, which `repair` takes back or completes; after it, judge again.
pub const RSD_RULING_REPAIR: rsd_ruling = 3;

/// The judgement on a statement in flight.
#[repr(C)]
pub struct rsd_verdict {
    /// `sizeof(rsd_verdict)`.
    pub struct_size: u32,
    /// What became of it.
    pub ruling: rsd_ruling,
    /// Why, for people: the fact that decides, or what is missing.
    pub reason: rsd_str,
    /// What is seen now, for people.
    pub summary: rsd_str,
    /// One statement that puts half an effect right, which does no harm when it is run twice; or empty.
    pub repair: rsd_str,
}

/// Where a driver puts what it has to say, during the call and on its thread.
#[repr(C)]
pub struct rsd_sink {
    /// `sizeof(rsd_sink)`.
    pub struct_size: u32,
    /// Handed back with each callback.
    pub ctx: *mut c_void,
    /// Called exactly once before FAILED, CANCELED or LOST is returned; `check` may call it often.
    pub on_error: Option<unsafe extern "C" fn(ctx: *mut c_void, error: *const rsd_error)>,
    /// Called for each notice or warning, in order, before the statement's result.
    pub on_notice: Option<unsafe extern "C" fn(ctx: *mut c_void, notice: *const rsd_notice)>,
    /// Called once for a statement that ended well.
    pub on_result: Option<unsafe extern "C" fn(ctx: *mut c_void, result: *const rsd_result)>,
    /// Called by `identify`, and by `try_lock` with the holder where it is known.
    pub on_identity: Option<unsafe extern "C" fn(ctx: *mut c_void, identity: *const rsd_identity)>,
    /// Called for each row of the ledger that was asked for, in the order of segments.
    pub on_mark: Option<unsafe extern "C" fn(ctx: *mut c_void, mark: *const rsd_mark)>,
    /// Called by `observe` and `vet`.
    pub on_observation: Option<unsafe extern "C" fn(ctx: *mut c_void, observation: *const rsd_observation)>,
    /// Called once by `judge`, and by `observe` instead of `on_observation` where the statement took effect before.
    pub on_verdict: Option<unsafe extern "C" fn(ctx: *mut c_void, verdict: *const rsd_verdict)>,
}

/// What the daemon offers to a driver.
#[repr(C)]
pub struct rsd_host {
    /// `sizeof(rsd_host)`.
    pub struct_size: u32,
    /// The minor version that the daemon was built with.
    pub abi_minor: u32,
    /// Handed back to `log`.
    pub ctx: *mut c_void,
    /// Any thread. Levels: 1 error, 2 warning, 3 info, 4 debug, 5 trace.
    pub log: Option<unsafe extern "C" fn(ctx: *mut c_void, level: u32, message: rsd_str)>,
}

/// A connection; the driver's own.
pub struct rsd_connection {
    _private: [u8; 0],
}

/// A sheet being split; the driver's own.
pub struct rsd_splitter {
    _private: [u8; 0],
}

/// The facts of a driver's engine: the `RSD_FACT_` bits.
pub type rsd_facts = u64;
/// DDL is part of a transaction and is rolled back with it.
pub const RSD_FACT_TRANSACTIONAL_DDL: rsd_facts = 0x1;
/// Errors carry their position in the statement.
pub const RSD_FACT_ERROR_POSITION: rsd_facts = 0x2;
/// Notices or warnings reach the sink.
pub const RSD_FACT_NOTICES: rsd_facts = 0x4;
/// `cancel` stops a running statement.
pub const RSD_FACT_CANCEL: rsd_facts = 0x8;
/// There is no server: the engine runs inside the daemon.
pub const RSD_FACT_EMBEDDED: rsd_facts = 0x10;
/// There may be tables that know no transactions: `vet` tells which statements change one.
pub const RSD_FACT_UNSAFE_TABLES: rsd_facts = 0x20;

/// A new connection: to which database, with which settings, in whose name.
#[repr(C)]
pub struct rsd_open_args {
    /// `sizeof(rsd_open_args)`.
    pub struct_size: u32,
    /// How many options.
    pub option_count: u32,
    /// The instance's settings.
    pub options: *const rsd_option,
    /// The database.
    pub database: rsd_str,
    /// What the session calls itself on the server: the task, until `reset` says another.
    pub label: rsd_str,
}

/// A driver's functions. All are required.
#[repr(C)]
pub struct rsd_driver {
    /// `sizeof(rsd_driver)`.
    pub struct_size: u32,
    /// Kept zero.
    pub reserved: u32,
    /// What is true of the engine.
    pub facts: rsd_facts,
    /// Any thread. Judges settings without connecting: `on_error` for each fault, with the setting as `object`.
    pub check: Option<unsafe extern "C" fn(args: *const rsd_open_args, sink: *const rsd_sink) -> rsd_status>,
    /// Any thread. Connects. On failure `*connection` stays NULL.
    pub open: Option<
        unsafe extern "C" fn(
            args: *const rsd_open_args,
            sink: *const rsd_sink,
            connection: *mut *mut rsd_connection,
        ) -> rsd_status,
    >,
    /// Always succeeds, also after LOST, and frees the connection.
    pub close: Option<unsafe extern "C" fn(connection: *mut rsd_connection)>,
    /// Makes the session as new (no transaction, settings, temporary tables, locks) for the task `label`.
    pub reset: Option<
        unsafe extern "C" fn(
            connection: *mut rsd_connection,
            label: rsd_str,
            sink: *const rsd_sink,
        ) -> rsd_status,
    >,
    /// Asks whether the server still answers.
    pub ping:
        Option<unsafe extern "C" fn(connection: *mut rsd_connection, sink: *const rsd_sink) -> rsd_status>,
    /// Says who the session is, by `on_identity`.
    pub identify:
        Option<unsafe extern "C" fn(connection: *mut rsd_connection, sink: *const rsd_sink) -> rsd_status>,
    /// Runs exactly one statement, or fails having run none. A trailing delimiter, blanks and comments are allowed.
    pub execute: Option<
        unsafe extern "C" fn(
            connection: *mut rsd_connection,
            sql: rsd_str,
            sink: *const rsd_sink,
        ) -> rsd_status,
    >,
    /// Opens a transaction.
    pub begin:
        Option<unsafe extern "C" fn(connection: *mut rsd_connection, sink: *const rsd_sink) -> rsd_status>,
    /// OK only where the server says that it committed; everything else is an error with `applied` set.
    pub commit:
        Option<unsafe extern "C" fn(connection: *mut rsd_connection, sink: *const rsd_sink) -> rsd_status>,
    /// Ends the transaction without effect; OK where none is open.
    pub rollback:
        Option<unsafe extern "C" fn(connection: *mut rsd_connection, sink: *const rsd_sink) -> rsd_status>,
    /// Any thread. Asks the running statement to stop and returns soon (at most five seconds); no
    /// effect on an idle session. The daemon repeats it until the statement ends.
    pub cancel: Option<unsafe extern "C" fn(connection: *mut rsd_connection) -> rsd_status>,
    /// Any thread. The table of an extension, alive for ever, or NULL: `rsd.split/1` and so on.
    pub extension: Option<unsafe extern "C" fn(id: rsd_str) -> *const c_void>,
}

/// The one symbol that a driver exports: `const rsd_entry rsd_entry_v1`.
#[repr(C)]
pub struct rsd_entry {
    /// `sizeof(rsd_entry)`.
    pub struct_size: u32,
    /// The minor version that the driver was built with.
    pub abi_minor: u32,
    /// The name that `driver = "…"` in the config means: `[a-z][a-z0-9-]*`.
    pub name: rsd_str,
    /// The driver's own version.
    pub version: rsd_str,
    /// What it speaks to, for people: `MySQL and MariaDB`.
    pub title: rsd_str,
    /// Called once in a process, before anything else; the table lives for ever, NULL refuses this host.
    pub start: Option<unsafe extern "C" fn(host: *const rsd_host) -> *const rsd_driver>,
}

const _: () = {
    assert!(size_of::<rsd_str>() == 16);
    assert!(size_of::<rsd_option>() == 40);
    assert!(size_of::<rsd_error>() == 104);
    assert!(size_of::<rsd_result>() == 32);
    assert!(size_of::<rsd_sink>() == 72);
    assert!(size_of::<rsd_piece>() == 40);
    assert!(size_of::<rsd_driver>() == 112);
};
