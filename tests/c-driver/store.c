// The engine: keys and values in one file, changed in transactions. The first change of a transaction takes the file's lock
// and reads it; the commit writes a new file and renames it over the old one, so that a reader and a crash see all of it or
// none. Whoever changes nothing sees what was committed last.

#include "c_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const FIRST_LINE = "keyvalue 1";
static const long LOCK_POLL_MS = 5;

// --- Entries ----------------------------------------------------------------------------------------------------

size_t entries_find(const struct entries *entries, const char *key, bool *found) {
    size_t low = 0, high = entries->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(entries->list[middle].key, key);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

bool entries_put(struct entries *entries, const char *key, const char *value) {
    bool found;
    size_t place = entries_find(entries, key, &found);
    char *new_value = strdup(value);
    if (new_value == NULL) return false;
    if (found) {
        free(entries->list[place].value);
        entries->list[place].value = new_value;
        return true;
    }
    if (entries->count == entries->room) {
        size_t room = entries->room * 2 + 16;
        struct entry *list = realloc(entries->list, room * sizeof *list);
        if (list == NULL) {
            free(new_value);
            return false;
        }
        entries->list = list;
        entries->room = room;
    }
    char *new_key = strdup(key);
    if (new_key == NULL) {
        free(new_value);
        return false;
    }
    memmove(&entries->list[place + 1], &entries->list[place], (entries->count - place) * sizeof *entries->list);
    entries->list[place] = (struct entry){new_key, new_value};
    entries->count++;
    return true;
}

void entries_remove(struct entries *entries, size_t place) {
    free(entries->list[place].key);
    free(entries->list[place].value);
    entries->count--;
    memmove(&entries->list[place], &entries->list[place + 1], (entries->count - place) * sizeof *entries->list);
}

void entries_clear(struct entries *entries) {
    while (entries->count > 0) entries_remove(entries, entries->count - 1);
    free(entries->list);
    *entries = (struct entries){0};
}

// --- The file: a line for each entry, key and value with a tab between them -------------------------------------

static void write_text(FILE *file, const char *text) {
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at < 0x20 || *at == '%' || *at == 0x7F) fprintf(file, "%%%02X", *at);
        else fputc(*at, file);
    }
}

// Undoes `write_text` in place; false where it is not of its form.
static bool read_text(char *text) {
    char *to = text;
    for (const char *at = text; *at != '\0'; at++) {
        unsigned byte = (unsigned char)*at;
        if (byte == '%') {
            if (sscanf(at, "%%%2X", &byte) != 1 || byte == 0 || at[1] == '\0' || at[2] == '\0') return false;
            at += 2;
        }
        *to++ = (char)byte;
    }
    *to = '\0';
    return true;
}

static rsd_status damaged(struct rsd_connection *session, const rsd_sink *sink) {
    struct failure failure = failure_of(RSD_CLASS_OTHER, "the file is no key/value store, or it is damaged");
    failure.object = text_of(session->file);
    return fail(sink, &failure);
}

static rsd_status read_lines(struct rsd_connection *session, const rsd_sink *sink, FILE *file, struct entries *into) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    rsd_status status = RSD_OK;
    for (unsigned long number = 0; status == RSD_OK && (length = getline(&line, &room, file)) > 0; number++) {
        if (line[length - 1] == '\n') line[length - 1] = '\0';
        char *tab = strchr(line, '\t');
        if (number == 0) {
            if (strcmp(line, FIRST_LINE) != 0) status = damaged(session, sink);
            continue;
        }
        if (tab == NULL) {
            status = damaged(session, sink);
            continue;
        }
        *tab = '\0';
        if (!read_text(line) || !read_text(tab + 1)) status = damaged(session, sink);
        else if (!entries_put(into, line, tab + 1)) status = fail_memory(sink);
    }
    free(line);
    return status;
}

static rsd_status load(struct rsd_connection *session, const rsd_sink *sink, struct entries *into) {
    entries_clear(into);
    FILE *file = fopen(session->file, "re");
    if (file == NULL) {
        // A database that nobody has written to has no file.
        return errno == ENOENT ? RSD_OK : fail_system(sink, "cannot read", session->file, RSD_APPLIED_NO);
    }
    rsd_status status = read_lines(session, sink, file, into);
    if (status == RSD_OK && ferror(file)) status = fail_system(sink, "cannot read", session->file, RSD_APPLIED_NO);
    fclose(file);
    if (status != RSD_OK) entries_clear(into);
    return status;
}

// The rename is only safe from a power cut once the folder is on the disk.
static int sync_folder(const char *path) {
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    int descriptor = open(folder[0] == '\0' ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return -1;
    int synced = fsync(descriptor);
    close(descriptor);
    return synced;
}

static rsd_status save(struct rsd_connection *session, const rsd_sink *sink, const struct entries *entries) {
    char path[4096];
    snprintf(path, sizeof path, "%s-new", session->file);
    FILE *file = fopen(path, "we");
    if (file == NULL) return fail_system(sink, "cannot make", path, RSD_APPLIED_NO);
    fprintf(file, "%s\n", FIRST_LINE);
    for (size_t at = 0; at < entries->count; at++) {
        write_text(file, entries->list[at].key);
        fputc('\t', file);
        write_text(file, entries->list[at].value);
        fputc('\n', file);
    }
    bool written = fflush(file) == 0 && !ferror(file) && fsync(fileno(file)) == 0;
    written = fclose(file) == 0 && written;
    if (!written || rename(path, session->file) != 0) {
        rsd_status status = fail_system(sink, "cannot write", path, RSD_APPLIED_NO);
        unlink(path);
        return status;
    }
    if (sync_folder(session->file) != 0) {
        return fail_system(sink, "cannot sync the folder of", session->file, RSD_APPLIED_UNKNOWN);
    }
    return RSD_OK;
}

// --- Transactions -----------------------------------------------------------------------------------------------

static rsd_status take_write_lock(struct rsd_connection *session, const rsd_sink *sink) {
    char path[4096];
    snprintf(path, sizeof path, "%s-write", session->file);
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) return fail_system(sink, "cannot open", path, RSD_APPLIED_NO);
    for (long waited = 0;; waited += LOCK_POLL_MS) {
        if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) break;
        if (errno != EWOULDBLOCK && errno != EINTR) {
            rsd_status status = fail_system(sink, "cannot lock", path, RSD_APPLIED_NO);
            close(descriptor);
            return status;
        }
        if (waited >= session->lock_timeout_ms) {
            close(descriptor);
            struct failure failure = failure_of(RSD_CLASS_LOCK_TIMEOUT, "another session is writing to the file");
            memcpy(failure.sqlstate, "55P03", 5);
            failure.hint = text_of("Wait for it, or set a longer `lock_timeout_ms` on the instance");
            return fail(sink, &failure);
        }
        enum waited how = session_wait(session, LOCK_POLL_MS);
        if (how != WAITED_WHOLE) {
            close(descriptor);
            return fail_waiting(sink, how);
        }
    }
    session->store.write_lock = descriptor;
    return RSD_OK;
}

rsd_status store_view(struct rsd_connection *session, const rsd_sink *sink, const struct entries **entries) {
    struct store *store = &session->store;
    if (store->is_changed) {
        *entries = &store->changed;
        return RSD_OK;
    }
    *entries = &store->seen;
    return load(session, sink, &store->seen);
}

rsd_status store_change(struct rsd_connection *session, const rsd_sink *sink, struct entries **entries) {
    struct store *store = &session->store;
    *entries = &store->changed;
    if (store->is_changed) return RSD_OK;
    rsd_status status = take_write_lock(session, sink);
    if (status == RSD_OK) status = load(session, sink, &store->changed);
    store->is_changed = status == RSD_OK;
    return status;
}

void store_abandon(struct rsd_connection *session) {
    struct store *store = &session->store;
    entries_clear(&store->changed);
    entries_clear(&store->seen);
    if (store->write_lock >= 0) close(store->write_lock);
    store->write_lock = -1;
    store->is_changed = false;
    store->open = false;
}

rsd_status store_settle(struct rsd_connection *session, const rsd_sink *sink, rsd_status status) {
    struct store *store = &session->store;
    if (store->open) return status;
    if (status == RSD_OK && store->is_changed) status = save(session, sink, &store->changed);
    store_abandon(session);
    return status;
}

rsd_status store_begin(struct rsd_connection *session, const rsd_sink *sink) {
    if (session->store.open) {
        struct failure failure = failure_of(RSD_CLASS_OTHER, "a transaction is open already");
        memcpy(failure.sqlstate, "25001", 5);
        return fail(sink, &failure);
    }
    session->store.open = true;
    return RSD_OK;
}

rsd_status store_commit(struct rsd_connection *session, const rsd_sink *sink) {
    if (!session->store.open) {
        struct failure failure = failure_of(RSD_CLASS_OTHER, "there is no transaction to commit");
        memcpy(failure.sqlstate, "25P01", 5);
        return fail(sink, &failure);
    }
    session->store.open = false;
    return store_settle(session, sink, RSD_OK);
}
