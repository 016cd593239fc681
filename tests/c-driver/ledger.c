// The ledger: keys of the store itself, so that a mark is committed with what it marks. `runsheet_ledger` has the version,
// and `runsheet_ledger/TASK/SEGMENT` one mark.

#include "c_driver.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const VERSION_KEY = "runsheet_ledger";
static const char *const VERSION = "1";
static const char *const PREFIX = "runsheet_ledger/";

// The fields of a mark's value, in their order, each ended by a tab.
enum { FIRST, LAST, COMPLETE, PLAN, SPEC, SHEET, SHA256, SCHEMA_VERSION, HOST, APPLIED_TIME, FIELDS };

static rsd_status refuse(const rsd_sink *sink, rsd_class class, const char *message) {
    struct failure failure = failure_of(class, message);
    failure.object = text_of(VERSION_KEY);
    return fail(sink, &failure);
}

// Whether the ledger is there; fails where what is there is not ours.
static rsd_status look(const struct entries *entries, const rsd_sink *sink, bool *there) {
    size_t place = entries_find(entries, VERSION_KEY, there);
    if (!*there || strcmp(entries->list[place].value, VERSION) == 0) return RSD_OK;
    return refuse(sink, RSD_CLASS_ALREADY_EXISTS,
                  "the key runsheet_ledger is not this ledger's, and was not touched; rename it, or install a newer driver");
}

rsd_status ledger_prepare(struct rsd_connection *session, const rsd_sink *sink) {
    const struct entries *seen;
    struct entries *entries;
    bool there = false;
    rsd_status status = store_view(session, sink, &seen);
    if (status == RSD_OK) status = look(seen, sink, &there);
    if (status != RSD_OK || there) return status;
    status = store_change(session, sink, &entries);
    // Another may have been quicker, before the lock was held.
    if (status == RSD_OK) status = look(entries, sink, &there);
    if (status == RSD_OK && !there && !entries_put(entries, VERSION_KEY, VERSION)) status = fail_memory(sink);
    return store_settle(session, sink, status);
}

static char *key_of(rsd_str task, uint32_t segment) {
    size_t room = strlen(PREFIX) + task.len + 12;
    char *key = malloc(room);
    if (key != NULL) {
        snprintf(key, room, "%s%.*s/%010u", PREFIX, (int)task.len, (const char *)task.ptr, (unsigned)segment);
    }
    return key;
}

static char *value_of(const rsd_mark *mark) {
    const rsd_str texts[] = {mark->plan, mark->spec, mark->sheet, mark->sheet_sha256, mark->schema_version, mark->host};
    const size_t count = sizeof texts / sizeof texts[0];
    size_t room = 128;
    for (size_t at = 0; at < count; at++) room += texts[at].len + 1;
    char *value = malloc(room);
    if (value == NULL) return NULL;
    int used = snprintf(value, room, "%llu\t%llu\t%u\t", (unsigned long long)mark->first_statement,
                        (unsigned long long)mark->last_statement, (unsigned)(mark->complete != 0));
    for (size_t at = 0; at < count; at++) {
        if (texts[at].len > 0) memcpy(value + used, texts[at].ptr, texts[at].len);
        used += (int)texts[at].len;
        value[used++] = '\t';
    }
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    used += (int)strftime(value + used, room - (size_t)used, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(value + used, room - (size_t)used, ".%03ldZ\t", now.tv_nsec / 1000000);
    return value;
}

rsd_status ledger_write(struct rsd_connection *session, const rsd_mark *mark, const rsd_sink *sink) {
    struct entries *entries;
    bool there = false;
    if (!HAS(mark, host)) return RSD_MISUSE;
    char *key = key_of(mark->task, mark->segment), *value = value_of(mark);
    rsd_status status = key == NULL || value == NULL ? fail_memory(sink) : store_change(session, sink, &entries);
    if (status == RSD_OK) {
        status = look(entries, sink, &there);
        if (status == RSD_OK && !there) {
            status = refuse(sink, RSD_CLASS_MISSING_OBJECT, "there is no ledger; it is made by `prepare`");
        }
    }
    if (status == RSD_OK) {
        entries_find(entries, key, &there);
        if (there) status = refuse(sink, RSD_CLASS_ALREADY_EXISTS, "the ledger already has this mark");
        else if (!entries_put(entries, key, value)) status = fail_memory(sink);
    }
    free(key);
    free(value);
    return store_settle(session, sink, status);
}

// Says the mark of an entry. Gives false where it is not of its form.
static bool say_mark(const rsd_sink *sink, const struct entry *entry) {
    rsd_str fields[FIELDS];
    const char *at = entry->value;
    for (int field = 0; field < FIELDS; field++) {
        const char *tab = strchr(at, '\t');
        if (tab == NULL) return false;
        fields[field] = (rsd_str){(const uint8_t *)at, (size_t)(tab - at)};
        at = tab + 1;
    }
    const char *task = entry->key + strlen(PREFIX), *segment = strrchr(task, '/');
    if (segment == NULL) return false;
    rsd_mark mark = {
        .struct_size = sizeof mark,
        .segment = (uint32_t)strtoul(segment + 1, NULL, 10),
        .first_statement = strtoull((const char *)fields[FIRST].ptr, NULL, 10),
        .last_statement = strtoull((const char *)fields[LAST].ptr, NULL, 10),
        .complete = is_text(fields[COMPLETE], "1"),
        .task = {(const uint8_t *)task, (size_t)(segment - task)},
        .plan = fields[PLAN],
        .spec = fields[SPEC],
        .sheet = fields[SHEET],
        .sheet_sha256 = fields[SHA256],
        .schema_version = fields[SCHEMA_VERSION],
        .host = fields[HOST],
        .applied_time = fields[APPLIED_TIME],
    };
    if (sink != NULL && HAS(sink, on_mark) && sink->on_mark != NULL) sink->on_mark(sink->ctx, &mark);
    return true;
}

static rsd_status damaged(const rsd_sink *sink) {
    return refuse(sink, RSD_CLASS_OTHER, "a mark of the ledger is damaged, so what has run here cannot be told");
}

rsd_status ledger_read(struct rsd_connection *session, rsd_str task, const rsd_sink *sink) {
    const struct entries *entries;
    bool there;
    rsd_status status = store_view(session, sink, &entries);
    if (status == RSD_OK) status = look(entries, sink, &there);
    if (status != RSD_OK) return status;
    char *first = key_of(task, 0);
    if (first == NULL) return fail_memory(sink);
    // Up to the segment's number, which ten digits are kept for.
    size_t same = strlen(first) - 10;
    for (size_t at = entries_find(entries, first, &there); at < entries->count && status == RSD_OK; at++) {
        if (strncmp(entries->list[at].key, first, same) != 0) break;
        if (!say_mark(sink, &entries->list[at])) status = damaged(sink);
    }
    free(first);
    return status;
}

// A field of a mark's value by its number.
static rsd_str field_of(const char *value, int number) {
    for (; number > 0 && *value != '\0'; number--) value += strcspn(value, "\t") + 1;
    return (rsd_str){(const uint8_t *)value, strcspn(value, "\t")};
}

rsd_status ledger_find_version(struct rsd_connection *session, rsd_str version, const rsd_sink *sink) {
    const struct entries *entries;
    bool there;
    rsd_status status = store_view(session, sink, &entries);
    if (status == RSD_OK) status = look(entries, sink, &there);
    if (status != RSD_OK) return status;
    const struct entry *found = NULL;
    for (size_t at = 0; at < entries->count; at++) {
        const struct entry *entry = &entries->list[at];
        if (strncmp(entry->key, PREFIX, strlen(PREFIX)) != 0) continue;
        rsd_str brought = field_of(entry->value, SCHEMA_VERSION);
        bool same = brought.len == version.len && (version.len == 0 || memcmp(brought.ptr, version.ptr, version.len) == 0);
        if (version.len == 0 || !same || !is_text(field_of(entry->value, COMPLETE), "1")) continue;
        // The earliest one brought it.
        if (found == NULL || strcmp((const char *)field_of(entry->value, APPLIED_TIME).ptr,
                                    (const char *)field_of(found->value, APPLIED_TIME).ptr) < 0) {
            found = entry;
        }
    }
    if (found != NULL && !say_mark(sink, found)) return damaged(sink);
    return RSD_OK;
}
