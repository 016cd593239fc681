// The C ABI between Runsheet and a database driver, version 1.
//
// Written from plugins/sdk/src/abi by its test; do not edit it by hand:
// RUNSHEET_BLESS=1 cargo test -p runsheet-sdk --test header
//
// Rules
//
// 1. Entry. A driver exports one symbol, the constant `rsd_entry_v1`.
//    The major version is part of the symbol's name.
// 2. Growth. Every struct but `rsd_str`, `rsd_option` begins with its
//    `struct_size`. Fields are only appended. A reader uses a field only where
//    it lies inside the writer's `struct_size`.
// 3. Ownership never crosses. Text goes in as borrowed bytes that live
//    until the call returns; results come back through the callbacks of
//    `rsd_sink`, whose arguments live until the callback returns. Nobody frees
//    the other side's memory; a driver frees its own objects in `close` and `finish`.
// 4. Threads. Calls on one connection, and on one splitter, come one at a time,
//    possibly from different threads. Different connections run at the same
//    time. `cancel` comes from any thread while another call is running on the same
//    connection; it is never running when `close` is called.
// 5. Nothing unwinds out of a driver or of a callback.
// 6. A driver must not unload itself, install signal handlers, change the
//    locale, working directory, umask or environment, fork, exit, or write to
//    standard output or error.
// 7. A status or kind that the reader does not know is treated as
//    `RSD_DRIVER_BUG`, a class as `RSD_CLASS_OTHER`, an `applied` as unknown.

#ifndef RUNSHEET_DRIVER_H
#define RUNSHEET_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The minor version: grows when a field or an extension is added.
#define RSD_ABI_MINOR 0

// Bytes that belong to the caller, alive until the call or callback returns.
// UTF-8 everywhere but in the text of statements. Fixed for ever.
typedef struct rsd_str {
    // The first byte; may be NULL where `len` is 0.
    const uint8_t *ptr;
    // How many bytes.
    size_t len;
} rsd_str;

// One setting of an instance. Fixed for ever.
typedef struct rsd_option {
    // The setting's name; inside a table `table.name`.
    struct rsd_str key;
    // Its value as text: numbers in decimal, booleans as `true` and `false`.
    struct rsd_str value;
    // 1 where the value is a secret: it must never appear in any message.
    uint32_t secret;
} rsd_option;

// What a call came to: one of the `RSD_` status constants.
typedef int32_t rsd_status;

// It did what was asked.
#define RSD_OK 0
// It did not; `on_error` was called once.
#define RSD_FAILED 1
// The statement was stopped by `cancel`; `on_error` was called once.
#define RSD_CANCELED 2
// The connection is gone and only `close` may follow; `on_error` was called once.
#define RSD_LOST 3
// The caller broke the contract; nothing was done.
#define RSD_MISUSE 4
// The driver broke its own rules (a panic, say): close the connection, the outcome is unknown.
#define RSD_DRIVER_BUG 5
// The driver does not have this; nothing was done.
#define RSD_UNSUPPORTED 6
// The lock is held by another session.
#define RSD_BUSY 7
// The splitter needs more text.
#define RSD_MORE 8
// The splitter has no further piece.
#define RSD_END 9

// The class of an error: one of the `RSD_CLASS_` constants.
typedef uint32_t rsd_class;

// None of the others.
#define RSD_CLASS_OTHER 0
// The statement is not well formed.
#define RSD_CLASS_SYNTAX 1
// A table, column, function or the like does not exist.
#define RSD_CLASS_MISSING_OBJECT 2
// What should be created exists already.
#define RSD_CLASS_ALREADY_EXISTS 3
// A constraint refused the data.
#define RSD_CLASS_CONSTRAINT 4
// The account may not do this.
#define RSD_CLASS_PERMISSION 5
// The account or its password was refused.
#define RSD_CLASS_AUTHENTICATION 6
// A lock was not granted in time.
#define RSD_CLASS_LOCK_TIMEOUT 7
// Chosen as a deadlock's victim.
#define RSD_CLASS_DEADLOCK 8
// The transaction could not be serialized with others.
#define RSD_CLASS_SERIALIZATION 9
// Out of disk, memory, connections or another resource.
#define RSD_CLASS_RESOURCE 10
// The engine or the driver does not have this.
#define RSD_CLASS_UNSUPPORTED 11
// The connection could not be made or was lost.
#define RSD_CLASS_CONNECTION 12
// Stopped by `cancel` or by an administrator.
#define RSD_CLASS_CANCELED 13
// A statement's own time limit ran out.
#define RSD_CLASS_TIMEOUT 14
// A setting of the instance is wrong.
#define RSD_CLASS_SETTING 15

// Whether what was asked took effect although it failed: one of the `RSD_APPLIED_` constants.
typedef uint32_t rsd_applied;

// It cannot be known.
#define RSD_APPLIED_UNKNOWN 0
// Certainly not.
#define RSD_APPLIED_NO 1
// Certainly.
#define RSD_APPLIED_YES 2

// Why a call failed.
typedef struct rsd_error {
    // `sizeof(rsd_error)`.
    uint32_t struct_size;
    // The class.
    rsd_class class_;
    // Whether it took effect all the same.
    rsd_applied applied;
    // SQLSTATE, filled up with zeros; all zeros where there is none.
    uint8_t sqlstate[8];
    // The engine's own number (errno, ORA-); 0 where there is none.
    int64_t vendor_code;
    // The byte in the text as passed at which the engine saw the error; −1 where unknown.
    int64_t position;
    // The engine's message, without code.
    struct rsd_str message;
    // More of it, or empty.
    struct rsd_str detail;
    // What the engine suggests, or empty.
    struct rsd_str hint;
    // The object (or the setting) that it is about, or empty.
    struct rsd_str object;
} rsd_error;

// What the server said beside the outcome.
typedef struct rsd_notice {
    // `sizeof(rsd_notice)`.
    uint32_t struct_size;
    // SQLSTATE, filled up with zeros.
    uint8_t sqlstate[8];
    // The engine's own number or 0.
    int64_t vendor_code;
    // `WARNING`, `NOTICE`, `NOTE`, … as the engine calls it.
    struct rsd_str severity;
    // The text.
    struct rsd_str message;
} rsd_notice;

// How a statement ended well.
typedef struct rsd_result {
    // `sizeof(rsd_result)`.
    uint32_t struct_size;
    // Whether a transaction is open now: 0 no, 1 yes, 2 yes but failed, 3 unknown.
    uint32_t transaction;
    // Rows changed, or −1 where the statement changes none.
    int64_t rows_affected;
    // What the server called it (`INSERT 0 1`), or empty.
    struct rsd_str tag;
} rsd_result;

// Who a session is: enough to find it again, and never to take another for it.
typedef struct rsd_identity {
    // `sizeof(rsd_identity)`.
    uint32_t struct_size;
    // `PostgreSQL`, `MariaDB`, `MySQL`, `SQLite`, …
    struct rsd_str product;
    // The server's version as it says it.
    struct rsd_str version;
    // The session's number on the server.
    struct rsd_str session;
    // When the session began, as the server says it: numbers are given out again.
    struct rsd_str session_start;
    // What is the same as long as it is the same server process.
    struct rsd_str system;
    // The database.
    struct rsd_str database;
    // The account.
    struct rsd_str user;
    // What the session is doing now and how far it is, as the server says it to others; or empty.
    struct rsd_str doing;
} rsd_identity;

// One row of the ledger: a segment of a task that has taken effect.
typedef struct rsd_mark {
    // `sizeof(rsd_mark)`.
    uint32_t struct_size;
    // The segment's number in its sheet, from 1.
    uint32_t segment;
    // The first statement of the segment, from 1.
    uint64_t first_statement;
    // Its last statement.
    uint64_t last_statement;
    // 1 where it is the sheet's last segment.
    uint32_t complete;
    // The task: 64 hexadecimal digits, the same on every host for the same plan and spec.
    struct rsd_str task;
    // The plan's name.
    struct rsd_str plan;
    // The spec's id.
    struct rsd_str spec;
    // The sheet's name.
    struct rsd_str sheet;
    // SHA-256 of the sheet's bytes, 64 hexadecimal digits.
    struct rsd_str sheet_sha256;
    // The schema version that the task brings, or empty.
    struct rsd_str schema_version;
    // The host that ran it.
    struct rsd_str host;
    // When, RFC 3339; filled in by the driver from the server's clock when it is read.
    struct rsd_str applied_time;
} rsd_mark;

// How it is found out whether a statement took effect whose answer never came: one of the `RSD_SETTLED_` constants.
typedef uint32_t rsd_settled;

// It cannot be: a person must look.
#define RSD_SETTLED_BY_NOBODY 0
// It need not be: running it again does no harm.
#define RSD_SETTLED_BY_REPEAT 1
// By comparing what it changes with what it was before.
#define RSD_SETTLED_BY_OBSERVATION 2
// By a mark that the server itself keeps together with the effect.
#define RSD_SETTLED_BY_MARK 3

// What a statement is about to change.
typedef struct rsd_observation {
    // `sizeof(rsd_observation)`.
    uint32_t struct_size;
    // How its outcome would be found out.
    rsd_settled settled;
    // The driver's own words, kept on disk before the statement is sent and handed to `execute` and `judge`; at most 64 KiB.
    struct rsd_str text;
    // What was seen, for people.
    struct rsd_str summary;
} rsd_observation;

// What became of a statement: one of the `RSD_RULING_` constants.
typedef uint32_t rsd_ruling;

// It cannot be known.
#define RSD_RULING_UNKNOWN 0
// It took effect, as a whole.
#define RSD_RULING_APPLIED 1
// It had no effect.
#define RSD_RULING_NOT_APPLIED 2
// It had half an effect, which `repair` takes back or completes; after it, judge again.
#define RSD_RULING_REPAIR 3

// The judgement on a statement in flight.
typedef struct rsd_verdict {
    // `sizeof(rsd_verdict)`.
    uint32_t struct_size;
    // What became of it.
    rsd_ruling ruling;
    // Why, for people: the fact that decides, or what is missing.
    struct rsd_str reason;
    // What is seen now, for people.
    struct rsd_str summary;
    // One statement that puts half an effect right, which does no harm when it is run twice; or empty.
    struct rsd_str repair;
} rsd_verdict;

// Where a driver puts what it has to say, during the call and on its thread.
typedef struct rsd_sink {
    // `sizeof(rsd_sink)`.
    uint32_t struct_size;
    // Handed back with each callback.
    void *ctx;
    // Called exactly once before FAILED, CANCELED or LOST is returned; `check` may call it often.
    void (*on_error)(void *ctx, const struct rsd_error *error);
    // Called for each notice or warning, in order, before the statement's result.
    void (*on_notice)(void *ctx, const struct rsd_notice *notice);
    // Called once for a statement that ended well.
    void (*on_result)(void *ctx, const struct rsd_result *result);
    // Called by `identify`, and by `try_lock` with the holder where it is known.
    void (*on_identity)(void *ctx, const struct rsd_identity *identity);
    // Called for each row of the ledger that was asked for, in the order of segments.
    void (*on_mark)(void *ctx, const struct rsd_mark *mark);
    // Called by `observe` and `vet`.
    void (*on_observation)(void *ctx, const struct rsd_observation *observation);
    // Called once by `judge`, and by `observe` instead of `on_observation` where the statement took effect before.
    void (*on_verdict)(void *ctx, const struct rsd_verdict *verdict);
} rsd_sink;

// What the daemon offers to a driver.
typedef struct rsd_host {
    // `sizeof(rsd_host)`.
    uint32_t struct_size;
    // The minor version that the daemon was built with.
    uint32_t abi_minor;
    // Handed back to `log`.
    void *ctx;
    // Any thread. Levels: 1 error, 2 warning, 3 info, 4 debug, 5 trace.
    void (*log)(void *ctx, uint32_t level, struct rsd_str message);
} rsd_host;

// A connection; the driver's own.
typedef struct rsd_connection rsd_connection;

// A sheet being split; the driver's own.
typedef struct rsd_splitter rsd_splitter;

// The facts of a driver's engine: the `RSD_FACT_` bits.
typedef uint64_t rsd_facts;

// DDL is part of a transaction and is rolled back with it.
#define RSD_FACT_TRANSACTIONAL_DDL 1
// Errors carry their position in the statement.
#define RSD_FACT_ERROR_POSITION 2
// Notices or warnings reach the sink.
#define RSD_FACT_NOTICES 4
// `cancel` stops a running statement.
#define RSD_FACT_CANCEL 8
// There is no server: the engine runs inside the daemon.
#define RSD_FACT_EMBEDDED 16
// There may be tables that know no transactions: `vet` tells which statements change one.
#define RSD_FACT_UNSAFE_TABLES 32

// A new connection: to which database, with which settings, in whose name.
typedef struct rsd_open_args {
    // `sizeof(rsd_open_args)`.
    uint32_t struct_size;
    // How many options.
    uint32_t option_count;
    // The instance's settings.
    const struct rsd_option *options;
    // The database.
    struct rsd_str database;
    // What the session calls itself on the server: the task, until `reset` says another.
    struct rsd_str label;
} rsd_open_args;

// A driver's functions. All are required.
typedef struct rsd_driver {
    // `sizeof(rsd_driver)`.
    uint32_t struct_size;
    // Kept zero.
    uint32_t reserved;
    // What is true of the engine.
    rsd_facts facts;
    // Any thread. Judges settings without connecting: `on_error` for each fault, with the setting as `object`.
    rsd_status (*check)(const struct rsd_open_args *args, const struct rsd_sink *sink);
    // Any thread. Connects. On failure `*connection` stays NULL.
    rsd_status (*open)(const struct rsd_open_args *args,
                       const struct rsd_sink *sink,
                       struct rsd_connection **connection);
    // Always succeeds, also after LOST, and frees the connection.
    void (*close)(struct rsd_connection *connection);
    // Makes the session as new (no transaction, settings, temporary tables, locks) for the task `label`.
    rsd_status (*reset)(struct rsd_connection *connection, struct rsd_str label, const struct rsd_sink *sink);
    // Asks whether the server still answers.
    rsd_status (*ping)(struct rsd_connection *connection, const struct rsd_sink *sink);
    // Says who the session is, by `on_identity`.
    rsd_status (*identify)(struct rsd_connection *connection, const struct rsd_sink *sink);
    // Runs exactly one statement, or fails having run none. A trailing delimiter, blanks and comments are allowed.
    rsd_status (*execute)(struct rsd_connection *connection, struct rsd_str sql, const struct rsd_sink *sink);
    // Opens a transaction.
    rsd_status (*begin)(struct rsd_connection *connection, const struct rsd_sink *sink);
    // OK only where the server says that it committed; everything else is an error with `applied` set.
    rsd_status (*commit)(struct rsd_connection *connection, const struct rsd_sink *sink);
    // Ends the transaction without effect; OK where none is open.
    rsd_status (*rollback)(struct rsd_connection *connection, const struct rsd_sink *sink);
    // Any thread. Asks the running statement to stop and returns soon (at most five seconds); no
    // effect on an idle session. The daemon repeats it until the statement ends.
    rsd_status (*cancel)(struct rsd_connection *connection);
    // Any thread. The table of an extension, alive for ever, or NULL: `rsd.split/1` and so on.
    const void *(*extension)(struct rsd_str id);
} rsd_driver;

// The one symbol that a driver exports: `const rsd_entry rsd_entry_v1`.
typedef struct rsd_entry {
    // `sizeof(rsd_entry)`.
    uint32_t struct_size;
    // The minor version that the driver was built with.
    uint32_t abi_minor;
    // The name that `driver = "…"` in the config means: `[a-z][a-z0-9-]*`.
    struct rsd_str name;
    // The driver's own version.
    struct rsd_str version;
    // What it speaks to, for people: `MySQL and MariaDB`.
    struct rsd_str title;
    // Called once in a process, before anything else; the table lives for ever, NULL refuses this host.
    const struct rsd_driver *(*start)(const struct rsd_host *host);
} rsd_entry;

// What a piece of a sheet is: one of the `RSD_PIECE_` constants.
typedef uint32_t rsd_piece_kind;

// Anything else.
#define RSD_PIECE_OTHER 0
// Defines or changes objects.
#define RSD_PIECE_DDL 1
// Changes rows.
#define RSD_PIECE_DML 2
// Reads.
#define RSD_PIECE_QUERY 3
// Opens a transaction.
#define RSD_PIECE_BEGIN 4
// Commits it.
#define RSD_PIECE_COMMIT 5
// Rolls it back as a whole.
#define RSD_PIECE_ROLLBACK 6
// Savepoints: stays inside its transaction.
#define RSD_PIECE_SAVEPOINT 7
// Sets what later statements of the session see.
#define RSD_PIECE_SESSION 8
// Looks after storage: VACUUM, ANALYZE, OPTIMIZE.
#define RSD_PIECE_MAINTENANCE 9
// A procedure or an anonymous block, which may do anything.
#define RSD_PIECE_CALL 10
// A load whose rows follow in the sheet, as `RSD_PIECE_ROWS`.
#define RSD_PIECE_LOAD 11
// Rows of the load before it; flagged LAST at their end, where it may be empty.
#define RSD_PIECE_ROWS 12

// What holds of a piece: the `RSD_PIECE_FLAG_` bits.
typedef uint32_t rsd_piece_flags;

// The engine refuses it inside a transaction.
#define RSD_PIECE_FLAG_ALONE 1
// It commits what is open, and itself.
#define RSD_PIECE_FLAG_COMMITS 2
// Running it twice does what running it once does.
#define RSD_PIECE_FLAG_REPEATABLE 4
// It changes the session, and must be said again to a new session that goes on after it.
#define RSD_PIECE_FLAG_SESSION 8
// The last of the rows of a load.
#define RSD_PIECE_FLAG_LAST 16
// It may commit by itself where no transaction is open around it.
#define RSD_PIECE_FLAG_MAY_COMMIT 32

// One piece of a sheet. Offsets count from the text that was passed.
typedef struct rsd_piece {
    // `sizeof(rsd_piece)`; set by the caller.
    uint32_t struct_size;
    // What it is.
    rsd_piece_kind kind;
    // What holds of it.
    rsd_piece_flags flags;
    // Kept zero.
    uint32_t reserved;
    // Its first byte, after blanks and comments before it.
    size_t start;
    // The byte after its last one, without the delimiter.
    size_t end;
    // How much of the text is done with; the next call's text begins there.
    size_t consumed;
} rsd_piece;

// Extension `rsd.split/1`: cuts a sheet into pieces, incrementally.
typedef struct rsd_split {
    // `sizeof(rsd_split)`.
    uint32_t struct_size;
    // Kept zero.
    uint32_t reserved;
    // Any thread. Begins with a sheet. On failure `*splitter` stays NULL.
    rsd_status (*start)(const struct rsd_open_args *args,
                        const struct rsd_sink *sink,
                        struct rsd_splitter **splitter);
    // The next piece: OK with `piece` filled; MORE where `at_end` is 0 and the piece does not end in
    // this text: the next call's text begins at the same byte of the sheet and is longer; END where only blanks and
    // comments are left and `at_end` is 1; FAILED with the fault's position in `text`.
    rsd_status (*next)(struct rsd_splitter *splitter,
                       struct rsd_str text,
                       uint32_t at_end,
                       struct rsd_piece *piece,
                       const struct rsd_sink *sink);
    // Frees the splitter.
    void (*finish)(struct rsd_splitter *splitter);
} rsd_split;

// Extension `rsd.lock/1`: one runner per database, held by the session itself.
typedef struct rsd_lock {
    // `sizeof(rsd_lock)`.
    uint32_t struct_size;
    // Kept zero.
    uint32_t reserved;
    // OK: held until `unlock` or the session's end. BUSY: by another, who goes to `on_identity` where known.
    rsd_status (*try_lock)(struct rsd_connection *connection, const struct rsd_sink *sink);
    // Lets go; OK where it was not held.
    rsd_status (*unlock)(struct rsd_connection *connection, const struct rsd_sink *sink);
    // May be NULL. Ends the session that holds the lock, if it is the very one that `holder` says by `session`, `session_start`
    // and `system`; OK where it was told to end, FAILED where the holder is another. The lock is asked for again afterwards.
    rsd_status (*end_holder)(struct rsd_connection *connection,
                             const struct rsd_identity *holder,
                             const struct rsd_sink *sink);
} rsd_lock;

// Extension `rsd.ledger/1`: the table `runsheet_ledger` in the target.
typedef struct rsd_ledger {
    // `sizeof(rsd_ledger)`.
    uint32_t struct_size;
    // Kept zero.
    uint32_t reserved;
    // Makes the table where it is missing; fails, changing nothing, where it is another's or newer.
    rsd_status (*prepare)(struct rsd_connection *connection, const struct rsd_sink *sink);
    // Writes a mark: in the open transaction, or by itself where none is open. Fails where the mark is there.
    rsd_status (*write)(struct rsd_connection *connection,
                        const struct rsd_mark *mark,
                        const struct rsd_sink *sink);
    // The marks of a task, by `on_mark`; none where the table is missing.
    rsd_status (*read)(struct rsd_connection *connection, struct rsd_str task, const struct rsd_sink *sink);
    // The complete mark that brought this schema version, by `on_mark`, if any.
    rsd_status (*find_version)(struct rsd_connection *connection,
                               struct rsd_str schema_version,
                               const struct rsd_sink *sink);
} rsd_ledger;

// Extension `rsd.load/1`: rows that stand in the sheet after their statement.
typedef struct rsd_load {
    // `sizeof(rsd_load)`.
    uint32_t struct_size;
    // Kept zero.
    uint32_t reserved;
    // Sends the statement; OK where the server now waits for rows.
    rsd_status (*begin)(struct rsd_connection *connection, struct rsd_str sql, const struct rsd_sink *sink);
    // Sends rows.
    rsd_status (*rows)(struct rsd_connection *connection, struct rsd_str rows, const struct rsd_sink *sink);
    // Ends the load; `on_result` says how many rows came in.
    rsd_status (*end)(struct rsd_connection *connection, const struct rsd_sink *sink);
} rsd_load;

// Extension `rsd.judge/1`: exactly once for statements that commit by themselves. All calls come on a session that holds
// the lock on the database.
typedef struct rsd_judge {
    // `sizeof(rsd_judge)`.
    uint32_t struct_size;
    // Kept zero.
    uint32_t reserved;
    // Looks at what a statement is about to change, by `on_observation`; or, where a mark of the server shows that this very
    // segment took effect before, says so by `on_verdict` with APPLIED: it must not be run. `mark` is what the ledger will say of it.
    rsd_status (*observe)(struct rsd_connection *connection,
                          struct rsd_str sql,
                          const struct rsd_mark *mark,
                          const struct rsd_sink *sink);
    // Runs the statement as `execute` of the driver does, so that the server's own mark goes with it, where there is one.
    rsd_status (*execute)(struct rsd_connection *connection,
                          struct rsd_str sql,
                          const struct rsd_mark *mark,
                          struct rsd_str observation,
                          const struct rsd_sink *sink);
    // Says what became of a statement whose answer never came, by `on_verdict`. It changes nothing.
    rsd_status (*judge)(struct rsd_connection *connection,
                        struct rsd_str sql,
                        const struct rsd_mark *mark,
                        struct rsd_str observation,
                        const struct rsd_sink *sink);
    // Before a statement that changes rows in a transaction: OK where its effect is undone with the transaction. Where it is not,
    // `on_observation` says so; FAILED where the instance's settings forbid it. Asked only with `RSD_FACT_UNSAFE_TABLES`.
    rsd_status (*vet)(struct rsd_connection *connection, struct rsd_str sql, const struct rsd_sink *sink);
    // What the server's settings and the account's rights mean for exactly once, by `on_notice`: one sentence each, `WARNING`
    // where an acknowledged commit may be lost or less can be judged than could be.
    rsd_status (*advise)(struct rsd_connection *connection, const struct rsd_sink *sink);
} rsd_judge;

// Extension `rsd.batch/1`: statements that are sent in one go, so that a large sheet does not wait for the way to the server and
// back at each of them.
typedef struct rsd_batch {
    // `sizeof(rsd_batch)`.
    uint32_t struct_size;
    // Kept zero.
    uint32_t reserved;
    // Runs `count` statements one behind the other in the transaction that is open, each as `execute` of the driver would: its notices,
    // and then `on_result`, before anything is said of the next one. OK where all have run. Else the error is that of the first statement
    // without a result, and none behind it has run. None of them begins or ends a transaction, commits by itself, or loads rows.
    rsd_status (*execute)(struct rsd_connection *connection,
                          const struct rsd_str *statements,
                          size_t count,
                          const struct rsd_sink *sink);
} rsd_batch;

// What the driver defines, and the one symbol that its library shows. Everything else is best hidden:
// cc -std=c11 -shared -fPIC -fvisibility=hidden -Wl,-z,defs -o librunsheet_driver_NAME.so NAME.c
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
extern const rsd_entry rsd_entry_v1;

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // RUNSHEET_DRIVER_H
