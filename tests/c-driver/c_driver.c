// A driver written in C: it stands for every driver that is not written in Rust, and shows that the header serves.
//
// Its engine is a small key/value store in a file for each database, changed in transactions (store.c), with statements of
// its own (statement.c), one runner per database (runner.c), and a ledger that is part of the store (ledger.c). It has no
// loads, nothing commits by itself, and no server is far away, so the extensions rsd.load/1, rsd.judge/1 and rsd.batch/1 are absent.
//
// Settings: `directory`, an absolute path; `password`, compared with the file `password` in that folder where there is one;
// `lock_timeout_ms`, how long another writer is waited for (default 5000).
//
// This file has the tables that the daemon sees, the settings and the life of a session.

#include "c_driver.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *const KNOWN = "directory, password, lock_timeout_ms";
static const long LOCK_TIMEOUT_MS = 5000;
static const long LOCK_TIMEOUT_MS_MAX = 24L * 3600 * 1000;

static const rsd_host *the_host;

// All open sessions, so that one can end another as an administrator ends a session on a server.
static pthread_mutex_t sessions_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct rsd_connection *sessions;
static atomic_ulong sessions_opened;

static void log_line(uint32_t level, const char *text) {
    if (the_host != NULL && HAS(the_host, log) && the_host->log != NULL) {
        the_host->log(the_host->ctx, level, text_of(text));
    }
}

// --- Settings ---------------------------------------------------------------------------------------------------

struct settings {
    rsd_str directory;
    rsd_str password;
    long lock_timeout_ms;
};

static struct failure setting_fault(rsd_str name, const char *message) {
    struct failure fault = failure_of(RSD_CLASS_SETTING, message);
    fault.object = name;
    return fault;
}

static bool number_of(rsd_str text, long most, long *number) {
    *number = 0;
    for (size_t at = 0; at < text.len; at++) {
        if (text.ptr[at] < '0' || text.ptr[at] > '9' || *number > most) return false;
        *number = *number * 10 + (text.ptr[at] - '0');
    }
    return text.len > 0 && *number <= most;
}

static bool is_folder(rsd_str path) {
    char name[PATH_MAX];
    struct stat found;
    if (path.len >= sizeof name) return false;
    memcpy(name, path.ptr, path.len);
    name[path.len] = '\0';
    return stat(name, &found) == 0 && S_ISDIR(found.st_mode);
}

// Reads the settings. Says every fault, or only the first one, and gives how many there were.
static unsigned read_settings(const rsd_open_args *args, const rsd_sink *sink, bool only_first, struct settings *out) {
    struct failure faults[8];
    unsigned count = 0;
    const unsigned most = sizeof faults / sizeof faults[0];
    *out = (struct settings){.lock_timeout_ms = LOCK_TIMEOUT_MS};
    for (uint32_t at = 0; at < args->option_count && count < most - 2; at++) {
        const rsd_option *option = &args->options[at];
        if (is_text(option->key, "directory")) {
            out->directory = option->value;
        } else if (is_text(option->key, "password")) {
            out->password = option->value;
        } else if (is_text(option->key, "lock_timeout_ms")) {
            if (!number_of(option->value, LOCK_TIMEOUT_MS_MAX, &out->lock_timeout_ms)) {
                faults[count++] = setting_fault(option->key, "`lock_timeout_ms` must be a whole number up to 86400000");
            }
        } else {
            faults[count] = setting_fault(option->key, "this is no setting of this driver; it knows:");
            faults[count++].hint = text_of(KNOWN);
        }
    }
    if (out->directory.len == 0) {
        faults[count++] = setting_fault(text_of("directory"), "the setting `directory` is required and is not set");
    } else if (out->directory.ptr[0] != '/' || !is_folder(out->directory)) {
        faults[count++] = setting_fault(text_of("directory"), "`directory` must be a folder's absolute path");
    }
    for (unsigned at = 0; at < count && !(only_first && at > 0); at++) say_error(sink, &faults[at]);
    return count;
}

static rsd_status driver_check(const rsd_open_args *args, const rsd_sink *sink) {
    struct settings settings;
    if (args == NULL) return RSD_MISUSE;
    return read_settings(args, sink, false, &settings) == 0 ? RSD_OK : RSD_FAILED;
}

// Whether the folder asks for no password, or for this one.
static bool password_is_right(const struct settings *settings) {
    char path[PATH_MAX], wanted[256];
    snprintf(path, sizeof path, "%.*s/password", (int)settings->directory.len, (const char *)settings->directory.ptr);
    FILE *file = fopen(path, "re");
    if (file == NULL) return errno == ENOENT;
    bool read = fgets(wanted, sizeof wanted, file) != NULL;
    fclose(file);
    if (!read) return false;
    wanted[strcspn(wanted, "\n")] = '\0';
    return is_text(settings->password, wanted);
}

// --- A session's life -------------------------------------------------------------------------------------------

static bool is_a_name(rsd_str database) {
    if (database.len == 0 || database.len > 100 || database.ptr[0] == '.') return false;
    return memchr(database.ptr, '/', database.len) == NULL && memchr(database.ptr, '\0', database.len) == NULL;
}

static void free_session(struct rsd_connection *session) {
    free(session->file);
    free(session->database);
    pthread_cond_destroy(&session->wake);
    pthread_mutex_destroy(&session->mutex);
    free(session);
}

static struct rsd_connection *make_session(const struct settings *settings, rsd_str database) {
    struct rsd_connection *session = calloc(1, sizeof *session);
    if (session == NULL) return NULL;
    session->number = atomic_fetch_add(&sessions_opened, 1) + 1;
    session->lock_timeout_ms = settings->lock_timeout_ms;
    session->runner_lock = -1;
    session->store.write_lock = -1;
    clock_gettime(CLOCK_REALTIME, &session->opened);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&session->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&session->mutex, NULL);
    size_t room = settings->directory.len + database.len + sizeof "/.kv";
    session->file = malloc(room);
    session->database = copy_of(database);
    if (session->file == NULL || session->database == NULL) {
        free_session(session);
        return NULL;
    }
    snprintf(session->file, room, "%.*s/%s.kv", (int)settings->directory.len, (const char *)settings->directory.ptr,
             session->database);
    return session;
}

static rsd_status driver_open(const rsd_open_args *args, const rsd_sink *sink, rsd_connection **connection) {
    struct settings settings;
    if (args == NULL || connection == NULL) return RSD_MISUSE;
    *connection = NULL;
    if (read_settings(args, sink, true, &settings) > 0) return RSD_FAILED;
    if (!password_is_right(&settings)) {
        struct failure refused = failure_of(RSD_CLASS_AUTHENTICATION, "the password is not the one of this folder");
        memcpy(refused.sqlstate, "28000", 5);
        return fail(sink, &refused);
    }
    if (!is_a_name(args->database)) {
        struct failure wrong = failure_of(RSD_CLASS_MISSING_OBJECT, "this cannot be a database's name");
        wrong.object = args->database;
        return fail(sink, &wrong);
    }
    struct rsd_connection *session = make_session(&settings, args->database);
    if (session == NULL) return fail_memory(sink);
    pthread_mutex_lock(&sessions_mutex);
    session->next = sessions;
    sessions = session;
    pthread_mutex_unlock(&sessions_mutex);
    log_line(4, "opened a session");
    *connection = session;
    return RSD_OK;
}

// Lets go of all that a session holds, as a server does when the session ends, and not only when it is closed.
static void let_go(struct rsd_connection *session) {
    store_abandon(session);
    runner_unlock(session);
}

static void driver_close(rsd_connection *session) {
    if (session == NULL) return;
    pthread_mutex_lock(&sessions_mutex);
    struct rsd_connection **place = &sessions;
    while (*place != session) place = &(*place)->next;
    *place = session->next;
    pthread_mutex_unlock(&sessions_mutex);
    let_go(session);
    free_session(session);
}

// Ends the sessions of this process that have a number, and a beginning where one is said.
static bool kill_sessions(rsd_str number, rsd_str start) {
    bool found = false;
    pthread_mutex_lock(&sessions_mutex);
    for (struct rsd_connection *session = sessions; session != NULL; session = session->next) {
        struct names names;
        names_of(session, &names);
        if (!is_text(number, names.session) || (start.len > 0 && !is_text(start, names.start))) continue;
        pthread_mutex_lock(&session->mutex);
        session->killed = true;
        // One that runs something lets go by itself when that has ended: nobody may have the lock before.
        if (!session->running) let_go(session);
        pthread_cond_broadcast(&session->wake);
        pthread_mutex_unlock(&session->mutex);
        found = true;
    }
    pthread_mutex_unlock(&sessions_mutex);
    return found;
}

rsd_status session_kill(rsd_str number, const rsd_sink *sink) {
    if (kill_sessions(number, (rsd_str){NULL, 0})) return RSD_OK;
    struct failure missing = failure_of(RSD_CLASS_MISSING_OBJECT, "no such session is open in this process");
    missing.object = number;
    return fail(sink, &missing);
}

static rsd_status lost(const rsd_sink *sink, rsd_applied applied) {
    struct failure gone = failure_of(RSD_CLASS_CONNECTION, "the session was ended by another");
    gone.applied = applied;
    memcpy(gone.sqlstate, "57P01", 5);
    say_error(sink, &gone);
    return RSD_LOST;
}

// Begins a call: from here to `leave` a cancel reaches it.
static rsd_status enter(struct rsd_connection *session, const rsd_sink *sink) {
    if (session == NULL) return RSD_MISUSE;
    pthread_mutex_lock(&session->mutex);
    bool killed = session->killed;
    session->running = !killed;
    session->canceled = false;
    pthread_mutex_unlock(&session->mutex);
    return killed ? lost(sink, RSD_APPLIED_NO) : RSD_OK;
}

static rsd_status leave(struct rsd_connection *session, rsd_status status) {
    pthread_mutex_lock(&session->mutex);
    session->running = false;
    if (session->killed) let_go(session);
    pthread_mutex_unlock(&session->mutex);
    return status;
}

enum waited session_wait(struct rsd_connection *session, long ms) {
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += ms / 1000;
    end.tv_nsec += ms % 1000 * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&session->mutex);
    int ended = 0;
    while (!session->canceled && !session->killed && ended == 0) {
        ended = pthread_cond_timedwait(&session->wake, &session->mutex, &end);
    }
    enum waited waited = session->killed ? WAITED_KILLED : session->canceled ? WAITED_CANCELED : WAITED_WHOLE;
    pthread_mutex_unlock(&session->mutex);
    return waited;
}

rsd_status fail_waiting(const rsd_sink *sink, enum waited waited) {
    if (waited == WAITED_KILLED) return lost(sink, RSD_APPLIED_UNKNOWN);
    struct failure stopped = failure_of(RSD_CLASS_CANCELED, "the statement was canceled");
    memcpy(stopped.sqlstate, "57014", 5);
    say_error(sink, &stopped);
    return RSD_CANCELED;
}

static rsd_status driver_cancel(rsd_connection *session) {
    if (session == NULL) return RSD_MISUSE;
    pthread_mutex_lock(&session->mutex);
    if (session->running) {
        session->canceled = true;
        pthread_cond_broadcast(&session->wake);
    }
    pthread_mutex_unlock(&session->mutex);
    return RSD_OK;
}

// --- Calls on a session -----------------------------------------------------------------------------------------

// The database itself is looked at and not only the session.
static rsd_status driver_ping(rsd_connection *session, const rsd_sink *sink) {
    rsd_status status = enter(session, sink);
    if (status != RSD_OK) return status;
    const struct entries *entries;
    return leave(session, store_view(session, sink, &entries));
}

static rsd_status driver_reset(rsd_connection *session, rsd_str label, const rsd_sink *sink) {
    (void)label;  // There is no server that could show it.
    rsd_status status = enter(session, sink);
    if (status != RSD_OK) return status;
    let_go(session);
    return leave(session, RSD_OK);
}

static rsd_status driver_identify(rsd_connection *session, const rsd_sink *sink) {
    rsd_status status = enter(session, sink);
    if (status != RSD_OK) return status;
    struct names names;
    names_of(session, &names);
    say_identity(session, sink, &names);
    return leave(session, RSD_OK);
}

static rsd_status driver_execute(rsd_connection *session, rsd_str sql, const rsd_sink *sink) {
    rsd_status status = enter(session, sink);
    return status == RSD_OK ? leave(session, statement_run(session, sql, sink)) : status;
}

static rsd_status driver_begin(rsd_connection *session, const rsd_sink *sink) {
    rsd_status status = enter(session, sink);
    return status == RSD_OK ? leave(session, store_begin(session, sink)) : status;
}

static rsd_status driver_commit(rsd_connection *session, const rsd_sink *sink) {
    rsd_status status = enter(session, sink);
    return status == RSD_OK ? leave(session, store_commit(session, sink)) : status;
}

static rsd_status driver_rollback(rsd_connection *session, const rsd_sink *sink) {
    rsd_status status = enter(session, sink);
    if (status != RSD_OK) return status;
    store_abandon(session);
    return leave(session, RSD_OK);
}

static rsd_status lock_try(rsd_connection *session, const rsd_sink *sink) {
    rsd_status status = enter(session, sink);
    return status == RSD_OK ? leave(session, runner_lock(session, sink)) : status;
}

static rsd_status lock_release(rsd_connection *session, const rsd_sink *sink) {
    rsd_status status = enter(session, sink);
    if (status != RSD_OK) return status;
    runner_unlock(session);
    return leave(session, RSD_OK);
}

static rsd_status lock_end_holder(rsd_connection *session, const rsd_identity *holder, const rsd_sink *sink) {
    if (holder == NULL || !HAS(holder, system)) return RSD_MISUSE;
    rsd_status status = enter(session, sink);
    if (status != RSD_OK) return status;
    struct names own;
    names_of(session, &own);
    // Only a session of this process, on this very file, can be ended from here.
    bool here = is_text(holder->system, own.system) && runner_is_held_by(session, holder->session, holder->session_start);
    if (here && kill_sessions(holder->session, holder->session_start)) return leave(session, RSD_OK);
    struct failure failure = failure_of(RSD_CLASS_PERMISSION, "the lock is held by no such session of this process");
    failure.object = holder->session;
    return leave(session, fail(sink, &failure));
}

static rsd_status ledger_call_prepare(rsd_connection *session, const rsd_sink *sink) {
    rsd_status status = enter(session, sink);
    return status == RSD_OK ? leave(session, ledger_prepare(session, sink)) : status;
}

static rsd_status ledger_call_write(rsd_connection *session, const rsd_mark *mark, const rsd_sink *sink) {
    if (mark == NULL) return RSD_MISUSE;
    rsd_status status = enter(session, sink);
    return status == RSD_OK ? leave(session, ledger_write(session, mark, sink)) : status;
}

static rsd_status ledger_call_read(rsd_connection *session, rsd_str task, const rsd_sink *sink) {
    rsd_status status = enter(session, sink);
    return status == RSD_OK ? leave(session, ledger_read(session, task, sink)) : status;
}

static rsd_status ledger_call_find_version(rsd_connection *session, rsd_str version, const rsd_sink *sink) {
    rsd_status status = enter(session, sink);
    return status == RSD_OK ? leave(session, ledger_find_version(session, version, sink)) : status;
}

// --- The tables -------------------------------------------------------------------------------------------------

static const rsd_split SPLIT = {
    .struct_size = sizeof(rsd_split), .start = split_start, .next = split_next, .finish = split_finish};

static const rsd_lock LOCK = {.struct_size = sizeof(rsd_lock),
                              .try_lock = lock_try,
                              .unlock = lock_release,
                              .end_holder = lock_end_holder};

static const rsd_ledger LEDGER = {.struct_size = sizeof(rsd_ledger),
                                  .prepare = ledger_call_prepare,
                                  .write = ledger_call_write,
                                  .read = ledger_call_read,
                                  .find_version = ledger_call_find_version};

static const void *driver_extension(rsd_str id) {
    if (is_text(id, "rsd.split/1")) return &SPLIT;
    if (is_text(id, "rsd.lock/1")) return &LOCK;
    if (is_text(id, "rsd.ledger/1")) return &LEDGER;
    return NULL;
}

static const rsd_driver DRIVER = {
    .struct_size = sizeof(rsd_driver),
    .facts = RSD_FACT_TRANSACTIONAL_DDL | RSD_FACT_ERROR_POSITION | RSD_FACT_NOTICES | RSD_FACT_CANCEL |
             RSD_FACT_EMBEDDED,
    .check = driver_check,
    .open = driver_open,
    .close = driver_close,
    .reset = driver_reset,
    .ping = driver_ping,
    .identify = driver_identify,
    .execute = driver_execute,
    .begin = driver_begin,
    .commit = driver_commit,
    .rollback = driver_rollback,
    .cancel = driver_cancel,
    .extension = driver_extension,
};

static const rsd_driver *start(const rsd_host *host) {
    the_host = host;
    return &DRIVER;
}

#define CONSTANT(text) {(const uint8_t *)(text), sizeof(text) - 1}

const rsd_entry rsd_entry_v1 = {
    .struct_size = sizeof(rsd_entry),
    .abi_minor = RSD_ABI_MINOR,
    .name = CONSTANT("keyvalue"),
    .version = CONSTANT(KEYVALUE_VERSION),
    .title = CONSTANT("a key/value store in a file"),
    .start = start,
};
