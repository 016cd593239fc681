// What the parts of the driver share: texts, failures, the session, and each part's functions.

#ifndef C_DRIVER_H
#define C_DRIVER_H

// For flock and the threads; before any header of the system.
#define _DEFAULT_SOURCE

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "runsheet_driver.h"

#define KEYVALUE_VERSION "1.0"

// Rule 2 of the ABI: whether the writer of a struct has this field.
#define HAS(table, field) ((table)->struct_size >= (size_t)((const char *)(&(table)->field + 1) - (const char *)(table)))

// --- Texts ---

static inline rsd_str text_of(const char *text) {
    return (rsd_str){(const uint8_t *)text, strlen(text)};
}

static inline bool is_text(rsd_str text, const char *other) {
    return text.len == strlen(other) && (text.len == 0 || memcmp(text.ptr, other, text.len) == 0);
}

// A copy with a zero behind it, or NULL where memory is short.
char *copy_of(rsd_str text);

// --- What a call says (say.c) ---

struct failure {
    rsd_class class;
    rsd_applied applied;
    char sqlstate[8];
    int64_t code;
    int64_t position;
    rsd_str message;
    rsd_str detail;
    rsd_str hint;
    rsd_str object;
};

// A failure that certainly had no effect, at no position.
struct failure failure_of(rsd_class class, const char *message);
void say_error(const rsd_sink *sink, const struct failure *failure);
void say_notice(const rsd_sink *sink, const char *severity, rsd_str message);
void say_result(const rsd_sink *sink, bool in_transaction, int64_t rows, const char *tag);
// Says it and gives RSD_FAILED.
rsd_status fail(const rsd_sink *sink, const struct failure *failure);
rsd_status fail_memory(const rsd_sink *sink);
// Says what the system said, as `errno` has it.
rsd_status fail_system(const rsd_sink *sink, const char *what, const char *file, rsd_applied applied);

// --- The store (store.c) ---

struct entry {
    char *key;
    char *value;
};

// Keys and values in the order of keys.
struct entries {
    struct entry *list;
    size_t count;
    size_t room;
};

struct store {
    // The file's lock, held from the first change to the end of the transaction; or −1.
    int write_lock;
    // Whether a transaction was begun.
    bool open;
    // Whether `changed` is what the file will hold.
    bool is_changed;
    struct entries changed;
    // What was last read without a change.
    struct entries seen;
};

// Where an entry is, or where it would be.
size_t entries_find(const struct entries *entries, const char *key, bool *found);
// All false where memory is short.
bool entries_put(struct entries *entries, const char *key, const char *value);
void entries_remove(struct entries *entries, size_t place);
void entries_clear(struct entries *entries);

// --- A session (c_driver.c) ---

struct rsd_connection {
    struct rsd_connection *next;
    unsigned long number;
    struct timespec opened;
    char *file;
    char *database;
    long lock_timeout_ms;
    int runner_lock;
    struct store store;
    // Guards what follows, which other threads read and write.
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool running;
    bool canceled;
    bool killed;
};

// How waiting ended.
enum waited { WAITED_WHOLE, WAITED_CANCELED, WAITED_KILLED };

enum waited session_wait(struct rsd_connection *session, long ms);
// Says why waiting did not come to its end, and gives the call's status.
rsd_status fail_waiting(const rsd_sink *sink, enum waited waited);
// Ends another session.
rsd_status session_kill(rsd_str number, const rsd_sink *sink);

// --- Transactions (store.c) ---

// What the session sees now; valid until its next call.
rsd_status store_view(struct rsd_connection *session, const rsd_sink *sink, const struct entries **entries);
// The same to be changed, under the file's lock; ended by `store_settle`.
rsd_status store_change(struct rsd_connection *session, const rsd_sink *sink, struct entries **entries);
// Ends a change: by a commit where no transaction is open, without effect where `status` is not OK.
rsd_status store_settle(struct rsd_connection *session, const rsd_sink *sink, rsd_status status);
rsd_status store_begin(struct rsd_connection *session, const rsd_sink *sink);
rsd_status store_commit(struct rsd_connection *session, const rsd_sink *sink);
// Ends the transaction without effect, if one is open.
void store_abandon(struct rsd_connection *session);

// --- One runner per database (runner.c) ---

// Who a session is, as text.
struct names {
    char session[48];
    char start[48];
    char system[512];
    char user[32];
};

void names_of(const struct rsd_connection *session, struct names *names);
void say_identity(const struct rsd_connection *session, const rsd_sink *sink, const struct names *names);
rsd_status runner_lock(struct rsd_connection *session, const rsd_sink *sink);
void runner_unlock(struct rsd_connection *session);
// Whether the lock is held now, and by the session of this number and beginning.
bool runner_is_held_by(const struct rsd_connection *session, rsd_str number, rsd_str start);

// --- Statements (split.c, statement.c) ---

enum scan { SCAN_STATEMENT, SCAN_MORE, SCAN_END, SCAN_UNTERMINATED };

struct scanned {
    // The statement's first byte, or that of the quote that does not end.
    size_t start;
    size_t end;
    size_t consumed;
};

// Finds the next statement of a text.
enum scan scan_next(rsd_str text, bool at_end, struct scanned *out);
// The byte behind a word or a quoted text that begins at `at`, at most `end`.
size_t scan_word(rsd_str text, size_t at, size_t end);
// The first byte from `at` on that is neither blank nor comment, at most `end`.
size_t scan_blank(rsd_str text, size_t at, size_t end);

rsd_status split_start(const rsd_open_args *args, const rsd_sink *sink, rsd_splitter **splitter);
rsd_status split_next(rsd_splitter *splitter, rsd_str text, uint32_t at_end, rsd_piece *piece, const rsd_sink *sink);
void split_finish(rsd_splitter *splitter);

// The kind and flags of a statement, by its first word.
void statement_kind(rsd_str word, rsd_piece_kind *kind, rsd_piece_flags *flags);
rsd_status statement_run(struct rsd_connection *session, rsd_str sql, const rsd_sink *sink);

// --- The ledger (ledger.c) ---

rsd_status ledger_prepare(struct rsd_connection *session, const rsd_sink *sink);
rsd_status ledger_write(struct rsd_connection *session, const rsd_mark *mark, const rsd_sink *sink);
rsd_status ledger_read(struct rsd_connection *session, rsd_str task, const rsd_sink *sink);
rsd_status ledger_find_version(struct rsd_connection *session, rsd_str version, const rsd_sink *sink);

#endif
