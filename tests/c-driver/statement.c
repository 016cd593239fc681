// The statements of the engine: one each call, run whole or not at all.
//
//   PUT key value      sets a key                              INSERT key value   the same, where the key is not there yet
//   DELETE key         removes a key: 0 or 1 rows              CLEAR              removes all keys but the ledger's
//   GET key            says its value as a notice              EXPECT key value   fails where the key has another value
//   NOTICE text        says a notice                           NOTICES n          says 1 to n as notices
//   SLEEP ms           waits                                   FAIL code text     fails with the engine's number `code`
//   KILL session       ends another session of the process     VACUUM             writes the file anew, in no transaction
//   BEGIN, COMMIT, ROLLBACK
//
// A last argument is what stands up to the semicolon: one text in single quotes, or the bytes as they are.

#include "c_driver.h"

#include <stdio.h>
#include <stdlib.h>

static const long SLEEP_MS_MAX = 3600L * 1000;
static const long NOTICES_MAX = 1000000;

// One statement while it runs.
struct call {
    struct rsd_connection *session;
    const rsd_sink *sink;
    // Its arguments, with a zero behind each.
    char *arguments[2];
    size_t places[2];
    // Rows changed, or −1.
    int64_t rows;
};

static rsd_status fail_at(const rsd_sink *sink, rsd_class class, const char *sqlstate, size_t place, const char *message) {
    struct failure failure = failure_of(class, message);
    memcpy(failure.sqlstate, sqlstate, 5);
    failure.position = (int64_t)place;
    return fail(sink, &failure);
}

static rsd_status fail_syntax(const rsd_sink *sink, size_t place, const char *message) {
    return fail_at(sink, RSD_CLASS_SYNTAX, "42601", place, message);
}

static rsd_status fail_key(struct call *call, rsd_class class, const char *sqlstate, const char *message) {
    struct failure failure = failure_of(class, message);
    memcpy(failure.sqlstate, sqlstate, 5);
    failure.position = (int64_t)call->places[0];
    failure.object = text_of(call->arguments[0]);
    return fail(call->sink, &failure);
}

// --- What each does ---------------------------------------------------------------------------------------------

static rsd_status put(struct call *call, bool must_be_new) {
    struct entries *entries;
    bool found;
    rsd_status status = store_change(call->session, call->sink, &entries);
    if (status == RSD_OK) {
        entries_find(entries, call->arguments[0], &found);
        if (found && must_be_new) {
            status = fail_key(call, RSD_CLASS_CONSTRAINT, "23505", "the key is there already");
        } else if (!entries_put(entries, call->arguments[0], call->arguments[1])) {
            status = fail_memory(call->sink);
        }
    }
    call->rows = 1;
    return store_settle(call->session, call->sink, status);
}

static rsd_status run_put(struct call *call) {
    return put(call, false);
}

static rsd_status run_insert(struct call *call) {
    return put(call, true);
}

static rsd_status run_delete(struct call *call) {
    struct entries *entries;
    bool found = false;
    rsd_status status = store_change(call->session, call->sink, &entries);
    if (status == RSD_OK) {
        size_t place = entries_find(entries, call->arguments[0], &found);
        if (found) entries_remove(entries, place);
    }
    call->rows = found ? 1 : 0;
    return store_settle(call->session, call->sink, status);
}

static rsd_status run_clear(struct call *call) {
    static const char LEDGER[] = "runsheet_ledger";
    struct entries *entries;
    rsd_status status = store_change(call->session, call->sink, &entries);
    if (status == RSD_OK) {
        for (size_t at = entries->count; at > 0; at--) {
            if (strncmp(entries->list[at - 1].key, LEDGER, sizeof LEDGER - 1) != 0) entries_remove(entries, at - 1);
        }
    }
    return store_settle(call->session, call->sink, status);
}

// The value of the first argument.
static rsd_status value_of(struct call *call, const char **value) {
    const struct entries *entries;
    bool found;
    rsd_status status = store_view(call->session, call->sink, &entries);
    if (status != RSD_OK) return status;
    size_t place = entries_find(entries, call->arguments[0], &found);
    if (!found) return fail_key(call, RSD_CLASS_MISSING_OBJECT, "42704", "there is no such key");
    *value = entries->list[place].value;
    return RSD_OK;
}

static rsd_status run_get(struct call *call) {
    const char *value;
    rsd_status status = value_of(call, &value);
    if (status == RSD_OK) say_notice(call->sink, "VALUE", text_of(value));
    return status;
}

static rsd_status run_expect(struct call *call) {
    const char *value;
    rsd_status status = value_of(call, &value);
    if (status != RSD_OK || strcmp(value, call->arguments[1]) == 0) return status;
    struct failure failure = failure_of(RSD_CLASS_OTHER, "the key has another value");
    failure.position = (int64_t)call->places[1];
    failure.object = text_of(call->arguments[0]);
    failure.detail = text_of(value);
    return fail(call->sink, &failure);
}

static rsd_status run_notice(struct call *call) {
    say_notice(call->sink, "NOTICE", text_of(call->arguments[0]));
    return RSD_OK;
}

static rsd_status number_of(struct call *call, long most, long *number) {
    char *end;
    *number = strtol(call->arguments[0], &end, 10);
    if (*end == '\0' && *number >= 0 && *number <= most) return RSD_OK;
    return fail_syntax(call->sink, call->places[0], "a whole number must stand here, and not too large a one");
}

static rsd_status run_notices(struct call *call) {
    long count;
    rsd_status status = number_of(call, NOTICES_MAX, &count);
    for (long at = 1; status == RSD_OK && at <= count; at++) {
        char text[24];
        snprintf(text, sizeof text, "%ld", at);
        say_notice(call->sink, "NOTICE", text_of(text));
    }
    return status;
}

static rsd_status run_sleep(struct call *call) {
    long ms;
    rsd_status status = number_of(call, SLEEP_MS_MAX, &ms);
    if (status != RSD_OK) return status;
    enum waited waited = session_wait(call->session, ms);
    return waited == WAITED_WHOLE ? RSD_OK : fail_waiting(call->sink, waited);
}

static rsd_status run_fail(struct call *call) {
    long code;
    rsd_status status = number_of(call, 1000000000, &code);
    if (status != RSD_OK) return status;
    struct failure failure = failure_of(RSD_CLASS_OTHER, call->arguments[1]);
    memcpy(failure.sqlstate, "P0001", 5);
    failure.code = code;
    failure.position = (int64_t)call->places[0];
    return fail(call->sink, &failure);
}

static rsd_status run_kill(struct call *call) {
    return session_kill(text_of(call->arguments[0]), call->sink);
}

static rsd_status run_vacuum(struct call *call) {
    struct entries *entries;
    if (call->session->store.open) {
        return fail_at(call->sink, RSD_CLASS_OTHER, "25001", 0, "VACUUM cannot run in a transaction");
    }
    return store_settle(call->session, call->sink, store_change(call->session, call->sink, &entries));
}

static rsd_status run_begin(struct call *call) {
    return store_begin(call->session, call->sink);
}

static rsd_status run_commit(struct call *call) {
    return store_commit(call->session, call->sink);
}

static rsd_status run_rollback(struct call *call) {
    store_abandon(call->session);
    return RSD_OK;
}

// --- The table of them ------------------------------------------------------------------------------------------

struct verb {
    const char *word;
    unsigned arguments;
    rsd_piece_kind kind;
    rsd_piece_flags flags;
    rsd_status (*run)(struct call *call);
};

static const struct verb VERBS[] = {
    {"PUT", 2, RSD_PIECE_DML, RSD_PIECE_FLAG_REPEATABLE, run_put},
    {"INSERT", 2, RSD_PIECE_DML, 0, run_insert},
    {"DELETE", 1, RSD_PIECE_DML, 0, run_delete},
    {"CLEAR", 0, RSD_PIECE_DDL, RSD_PIECE_FLAG_REPEATABLE, run_clear},
    {"GET", 1, RSD_PIECE_QUERY, RSD_PIECE_FLAG_REPEATABLE, run_get},
    {"EXPECT", 2, RSD_PIECE_QUERY, RSD_PIECE_FLAG_REPEATABLE, run_expect},
    {"NOTICE", 1, RSD_PIECE_OTHER, RSD_PIECE_FLAG_REPEATABLE, run_notice},
    {"NOTICES", 1, RSD_PIECE_OTHER, RSD_PIECE_FLAG_REPEATABLE, run_notices},
    {"SLEEP", 1, RSD_PIECE_QUERY, RSD_PIECE_FLAG_REPEATABLE, run_sleep},
    {"FAIL", 2, RSD_PIECE_OTHER, RSD_PIECE_FLAG_REPEATABLE, run_fail},
    {"KILL", 1, RSD_PIECE_OTHER, 0, run_kill},
    {"VACUUM", 0, RSD_PIECE_MAINTENANCE, RSD_PIECE_FLAG_ALONE | RSD_PIECE_FLAG_REPEATABLE, run_vacuum},
    {"BEGIN", 0, RSD_PIECE_BEGIN, 0, run_begin},
    {"COMMIT", 0, RSD_PIECE_COMMIT, 0, run_commit},
    {"ROLLBACK", 0, RSD_PIECE_ROLLBACK, 0, run_rollback},
};

static const struct verb *verb_of(rsd_str word) {
    for (size_t at = 0; at < sizeof VERBS / sizeof VERBS[0]; at++) {
        const char *name = VERBS[at].word;
        size_t same = 0;
        // In either case, as in SQL.
        while (same < word.len && name[same] != '\0' && (word.ptr[same] & ~0x20) == name[same]) same++;
        if (same == word.len && name[same] == '\0') return &VERBS[at];
    }
    return NULL;
}

void statement_kind(rsd_str word, rsd_piece_kind *kind, rsd_piece_flags *flags) {
    const struct verb *verb = verb_of(word);
    *kind = verb == NULL ? RSD_PIECE_OTHER : verb->kind;
    *flags = verb == NULL ? 0 : verb->flags;
}

// --- Reading one ------------------------------------------------------------------------------------------------

// The first byte that is zero or no UTF-8; `len` where all is well.
static size_t first_bad_byte(rsd_str text) {
    size_t at = 0;
    while (at < text.len) {
        uint8_t lead = text.ptr[at];
        size_t more = 4;
        if (lead > 0 && lead < 0x80) more = 0;
        else if (lead >= 0xC2 && lead < 0xE0) more = 1;
        else if (lead >= 0xE0 && lead < 0xF0) more = 2;
        else if (lead >= 0xF0 && lead < 0xF5) more = 3;
        if (more == 4 || more >= text.len - at) return at;
        for (size_t next = 1; next <= more; next++) {
            if ((text.ptr[at + next] & 0xC0) != 0x80) return at;
        }
        at += more + 1;
    }
    return at;
}

// An argument without its quotes, or NULL where memory is short.
static char *argument_of(rsd_str text) {
    char *copy = copy_of(text);
    if (copy == NULL || text.len == 0 || text.ptr[0] != '\'') return copy;
    size_t to = 0;
    for (size_t at = 1; at + 1 < text.len; at++) {
        copy[to++] = (char)text.ptr[at];
        if (text.ptr[at] == '\'') at++;
    }
    copy[to] = '\0';
    return copy;
}

static rsd_status read_arguments(struct call *call, const struct verb *verb, rsd_str sql, size_t at, size_t end) {
    for (unsigned number = 0; number < verb->arguments; number++) {
        at = scan_blank(sql, at, end);
        if (at >= end) return fail_syntax(call->sink, end, "the statement ends before its arguments do");
        size_t behind = scan_word(sql, at, end);
        bool is_last = number + 1 == verb->arguments;
        // One quoted text and nothing behind it is taken as such, everything else as it stands.
        bool as_it_stands = is_last && scan_blank(sql, behind, end) < end;
        if (as_it_stands) behind = end;
        rsd_str text = {sql.ptr + at, behind - at};
        call->places[number] = at;
        call->arguments[number] = as_it_stands ? copy_of(text) : argument_of(text);
        if (call->arguments[number] == NULL) return fail_memory(call->sink);
        at = behind;
    }
    at = scan_blank(sql, at, end);
    return at == end ? RSD_OK : fail_syntax(call->sink, at, "the statement should end here");
}

// Finds the one statement of the text, and refuses everything else before anything runs.
static rsd_status one_statement(rsd_str sql, const rsd_sink *sink, struct scanned *out) {
    size_t bad = first_bad_byte(sql);
    if (bad < sql.len) return fail_syntax(sink, bad, "a zero byte, or no UTF-8; save the sheet as UTF-8");
    switch (scan_next(sql, true, out)) {
    case SCAN_STATEMENT:
        break;
    case SCAN_UNTERMINATED:
        return fail_syntax(sink, out->start, "the text in single quotes does not end");
    case SCAN_MORE:
    case SCAN_END:
        return fail_syntax(sink, 0, "there is no statement in the text");
    }
    struct scanned second;
    rsd_str rest = {sql.ptr + out->consumed, sql.len - out->consumed};
    if (scan_next(rest, true, &second) == SCAN_END) return RSD_OK;
    return fail_syntax(sink, out->consumed + second.start, "the text has more than one statement; none was run");
}

rsd_status statement_run(struct rsd_connection *session, rsd_str sql, const rsd_sink *sink) {
    struct scanned found;
    rsd_status status = one_statement(sql, sink, &found);
    if (status != RSD_OK) return status;
    size_t word_end = scan_word(sql, found.start, found.end);
    const struct verb *verb = verb_of((rsd_str){sql.ptr + found.start, word_end - found.start});
    if (verb == NULL) return fail_syntax(sink, found.start, "no statement begins like this");
    struct call call = {.session = session, .sink = sink, .rows = -1};
    status = read_arguments(&call, verb, sql, word_end, found.end);
    if (status == RSD_OK) status = verb->run(&call);
    if (status == RSD_OK) {
        say_result(sink, session->store.open, verb->kind == RSD_PIECE_DML ? call.rows : -1, verb->word);
    }
    free(call.arguments[0]);
    free(call.arguments[1]);
    return status;
}
