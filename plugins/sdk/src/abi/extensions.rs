//! The extensions of the ABI: groups of functions that a driver may lack, each asked for by its name and revision.

use super::*;

/// What a piece of a sheet is: one of the `RSD_PIECE_` constants.
pub type rsd_piece_kind = u32;
/// Anything else.
pub const RSD_PIECE_OTHER: rsd_piece_kind = 0;
/// Defines or changes objects.
pub const RSD_PIECE_DDL: rsd_piece_kind = 1;
/// Changes rows.
pub const RSD_PIECE_DML: rsd_piece_kind = 2;
/// Reads.
pub const RSD_PIECE_QUERY: rsd_piece_kind = 3;
/// Opens a transaction.
pub const RSD_PIECE_BEGIN: rsd_piece_kind = 4;
/// Commits it.
pub const RSD_PIECE_COMMIT: rsd_piece_kind = 5;
/// Rolls it back as a whole.
pub const RSD_PIECE_ROLLBACK: rsd_piece_kind = 6;
/// Savepoints: stays inside its transaction.
pub const RSD_PIECE_SAVEPOINT: rsd_piece_kind = 7;
/// Sets what later statements of the session see.
pub const RSD_PIECE_SESSION: rsd_piece_kind = 8;
/// Looks after storage: VACUUM, ANALYZE, OPTIMIZE.
pub const RSD_PIECE_MAINTENANCE: rsd_piece_kind = 9;
/// A procedure or an anonymous block, which may do anything.
pub const RSD_PIECE_CALL: rsd_piece_kind = 10;
/// A load whose rows follow in the sheet, as `RSD_PIECE_ROWS`.
pub const RSD_PIECE_LOAD: rsd_piece_kind = 11;
/// Rows of the load before it; flagged LAST at their end, where it may be empty.
pub const RSD_PIECE_ROWS: rsd_piece_kind = 12;

/// What holds of a piece: the `RSD_PIECE_FLAG_` bits.
pub type rsd_piece_flags = u32;
/// The engine refuses it inside a transaction.
pub const RSD_PIECE_FLAG_ALONE: rsd_piece_flags = 0x1;
/// It commits what is open, and itself.
pub const RSD_PIECE_FLAG_COMMITS: rsd_piece_flags = 0x2;
/// Running it twice does what running it once does.
pub const RSD_PIECE_FLAG_REPEATABLE: rsd_piece_flags = 0x4;
/// It changes the session, and must be said again to a new session that goes on after it.
pub const RSD_PIECE_FLAG_SESSION: rsd_piece_flags = 0x8;
/// The last of the rows of a load.
pub const RSD_PIECE_FLAG_LAST: rsd_piece_flags = 0x10;
/// It may commit by itself where no transaction is open around it.
pub const RSD_PIECE_FLAG_MAY_COMMIT: rsd_piece_flags = 0x20;

/// One piece of a sheet. Offsets count from the text that was passed.
#[repr(C)]
pub struct rsd_piece {
    /// `sizeof(rsd_piece)`; set by the caller.
    pub struct_size: u32,
    /// What it is.
    pub kind: rsd_piece_kind,
    /// What holds of it.
    pub flags: rsd_piece_flags,
    /// Kept zero.
    pub reserved: u32,
    /// Its first byte, after blanks and comments before it.
    pub start: usize,
    /// The byte after its last one, without the delimiter.
    pub end: usize,
    /// How much of the text is done with; the next call's text begins there.
    pub consumed: usize,
}

/// Extension `rsd.split/1`: cuts a sheet into pieces, incrementally.
#[repr(C)]
pub struct rsd_split {
    /// `sizeof(rsd_split)`.
    pub struct_size: u32,
    /// Kept zero.
    pub reserved: u32,
    /// Any thread. Begins with a sheet. On failure `*splitter` stays NULL.
    pub start: Option<
        unsafe extern "C" fn(
            args: *const rsd_open_args,
            sink: *const rsd_sink,
            splitter: *mut *mut rsd_splitter,
        ) -> rsd_status,
    >,
    /// The next piece: OK with `piece` filled; MORE where `at_end` is 0 and the piece does not end in
    /// this text: the next call's text begins at the same byte of the sheet and is longer; END where only blanks and
    /// comments are left and `at_end` is 1; FAILED with the fault's position in `text`.
    pub next: Option<
        unsafe extern "C" fn(
            splitter: *mut rsd_splitter,
            text: rsd_str,
            at_end: u32,
            piece: *mut rsd_piece,
            sink: *const rsd_sink,
        ) -> rsd_status,
    >,
    /// Frees the splitter.
    pub finish: Option<unsafe extern "C" fn(splitter: *mut rsd_splitter)>,
}

/// Extension `rsd.lock/1`: one runner per database, held by the session itself.
#[repr(C)]
pub struct rsd_lock {
    /// `sizeof(rsd_lock)`.
    pub struct_size: u32,
    /// Kept zero.
    pub reserved: u32,
    /// OK: held until `unlock` or the session's end. BUSY: by another, who goes to `on_identity` where known.
    pub try_lock:
        Option<unsafe extern "C" fn(connection: *mut rsd_connection, sink: *const rsd_sink) -> rsd_status>,
    /// Lets go; OK where it was not held.
    pub unlock:
        Option<unsafe extern "C" fn(connection: *mut rsd_connection, sink: *const rsd_sink) -> rsd_status>,
    /// May be NULL. Ends the session that holds the lock, if it is the very one that `holder` says by `session`, `session_start`
    /// and `system`; OK where it was told to end, FAILED where the holder is another. The lock is asked for again afterwards.
    pub end_holder: Option<
        unsafe extern "C" fn(
            connection: *mut rsd_connection,
            holder: *const rsd_identity,
            sink: *const rsd_sink,
        ) -> rsd_status,
    >,
}

/// Extension `rsd.ledger/1`: the table `runsheet_ledger` in the target.
#[repr(C)]
pub struct rsd_ledger {
    /// `sizeof(rsd_ledger)`.
    pub struct_size: u32,
    /// Kept zero.
    pub reserved: u32,
    /// Makes the table where it is missing; fails, changing nothing, where it is another's or newer.
    pub prepare:
        Option<unsafe extern "C" fn(connection: *mut rsd_connection, sink: *const rsd_sink) -> rsd_status>,
    /// Writes a mark: in the open transaction, or by itself where none is open. Fails where the mark is there.
    pub write: Option<
        unsafe extern "C" fn(
            connection: *mut rsd_connection,
            mark: *const rsd_mark,
            sink: *const rsd_sink,
        ) -> rsd_status,
    >,
    /// The marks of a task, by `on_mark`; none where the table is missing.
    pub read: Option<
        unsafe extern "C" fn(
            connection: *mut rsd_connection,
            task: rsd_str,
            sink: *const rsd_sink,
        ) -> rsd_status,
    >,
    /// The complete mark that brought this schema version, by `on_mark`, if any.
    pub find_version: Option<
        unsafe extern "C" fn(
            connection: *mut rsd_connection,
            schema_version: rsd_str,
            sink: *const rsd_sink,
        ) -> rsd_status,
    >,
}

/// Extension `rsd.load/1`: rows that stand in the sheet after their statement.
#[repr(C)]
pub struct rsd_load {
    /// `sizeof(rsd_load)`.
    pub struct_size: u32,
    /// Kept zero.
    pub reserved: u32,
    /// Sends the statement; OK where the server now waits for rows.
    pub begin: Option<
        unsafe extern "C" fn(
            connection: *mut rsd_connection,
            sql: rsd_str,
            sink: *const rsd_sink,
        ) -> rsd_status,
    >,
    /// Sends rows.
    pub rows: Option<
        unsafe extern "C" fn(
            connection: *mut rsd_connection,
            rows: rsd_str,
            sink: *const rsd_sink,
        ) -> rsd_status,
    >,
    /// Ends the load; `on_result` says how many rows came in.
    pub end:
        Option<unsafe extern "C" fn(connection: *mut rsd_connection, sink: *const rsd_sink) -> rsd_status>,
}

/// Extension `rsd.judge/1`: exactly once for statements that commit by themselves. All calls come on a session that holds
/// the lock on the database.
#[repr(C)]
pub struct rsd_judge {
    /// `sizeof(rsd_judge)`.
    pub struct_size: u32,
    /// Kept zero.
    pub reserved: u32,
    /// Looks at what a statement is about to change, by `on_observation`; or, where a mark of the server shows that this very
    /// segment took effect before, says so by `on_verdict` with APPLIED: it must not be run. `mark` is what the ledger will say of it.
    pub observe: Option<
        unsafe extern "C" fn(
            connection: *mut rsd_connection,
            sql: rsd_str,
            mark: *const rsd_mark,
            sink: *const rsd_sink,
        ) -> rsd_status,
    >,
    /// Runs the statement as `execute` of the driver does, so that the server's own mark goes with it, where there is one.
    pub execute: Option<
        unsafe extern "C" fn(
            connection: *mut rsd_connection,
            sql: rsd_str,
            mark: *const rsd_mark,
            observation: rsd_str,
            sink: *const rsd_sink,
        ) -> rsd_status,
    >,
    /// Says what became of a statement whose answer never came, by `on_verdict`. It changes nothing.
    pub judge: Option<
        unsafe extern "C" fn(
            connection: *mut rsd_connection,
            sql: rsd_str,
            mark: *const rsd_mark,
            observation: rsd_str,
            sink: *const rsd_sink,
        ) -> rsd_status,
    >,
    /// Before a statement that changes rows in a transaction: OK where its effect is undone with the transaction. Where it is not,
    /// `on_observation` says so; FAILED where the instance's settings forbid it. Asked only with `RSD_FACT_UNSAFE_TABLES`.
    pub vet: Option<
        unsafe extern "C" fn(
            connection: *mut rsd_connection,
            sql: rsd_str,
            sink: *const rsd_sink,
        ) -> rsd_status,
    >,
    /// What the server's settings and the account's rights mean for exactly once, by `on_notice`: one sentence each, `WARNING`
    /// where an acknowledged commit may be lost or less can be judged than could be.
    pub advise:
        Option<unsafe extern "C" fn(connection: *mut rsd_connection, sink: *const rsd_sink) -> rsd_status>,
}

/// Extension `rsd.batch/1`: statements that are sent in one go, so that a large sheet does not wait for the way to the server and
/// back at each of them.
#[repr(C)]
pub struct rsd_batch {
    /// `sizeof(rsd_batch)`.
    pub struct_size: u32,
    /// Kept zero.
    pub reserved: u32,
    /// Runs `count` statements one behind the other in the transaction that is open, each as `execute` of the driver would: its notices,
    /// and then `on_result`, before anything is said of the next one. OK where all have run. Else the error is that of the first statement
    /// without a result, and none behind it has run. None of them begins or ends a transaction, commits by itself, or loads rows.
    pub execute: Option<
        unsafe extern "C" fn(
            connection: *mut rsd_connection,
            statements: *const rsd_str,
            count: usize,
            sink: *const rsd_sink,
        ) -> rsd_status,
    >,
}
