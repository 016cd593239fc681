// The lock of one runner per database, and who a session is. The lock is a lock on a file beside the database's, on a
// descriptor of the session's own, so that it ends with the session, whatever ended it.

#include "c_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

void names_of(const struct rsd_connection *session, struct names *names) {
    char host[128] = "";
    gethostname(host, sizeof host - 1);
    snprintf(names->session, sizeof names->session, "%ld.%lu", (long)getpid(), session->number);
    snprintf(names->start, sizeof names->start, "%lld.%09ld", (long long)session->opened.tv_sec,
             session->opened.tv_nsec);
    snprintf(names->system, sizeof names->system, "%s:%s", host, session->file);
    snprintf(names->user, sizeof names->user, "uid %lu", (unsigned long)geteuid());
}

void say_identity(const struct rsd_connection *session, const rsd_sink *sink, const struct names *names) {
    if (sink == NULL || !HAS(sink, on_identity) || sink->on_identity == NULL) return;
    rsd_identity identity = {
        .struct_size = sizeof identity,
        .product = text_of("keyvalue"),
        .version = text_of(KEYVALUE_VERSION),
        .session = text_of(names->session),
        .session_start = text_of(names->start),
        .system = text_of(names->system),
        .database = text_of(session->database),
        .user = text_of(names->user),
    };
    sink->on_identity(sink->ctx, &identity);
}

// Reads one line of who holds the lock.
static void read_line(FILE *file, char *into, int room) {
    if (fgets(into, room, file) == NULL) into[0] = '\0';
    into[strcspn(into, "\n")] = '\0';
}

static rsd_status busy(const struct rsd_connection *session, const rsd_sink *sink, int descriptor) {
    struct names holder;
    FILE *file = fdopen(descriptor, "r");
    if (file == NULL) {
        close(descriptor);
        return RSD_BUSY;
    }
    read_line(file, holder.session, sizeof holder.session);
    read_line(file, holder.start, sizeof holder.start);
    read_line(file, holder.system, sizeof holder.system);
    read_line(file, holder.user, sizeof holder.user);
    fclose(file);
    // A holder that has the lock but has not written yet is not known.
    if (holder.user[0] != '\0') say_identity(session, sink, &holder);
    return RSD_BUSY;
}

rsd_status runner_lock(struct rsd_connection *session, const rsd_sink *sink) {
    if (session->runner_lock >= 0) return RSD_OK;
    char path[4096];
    snprintf(path, sizeof path, "%s-runner", session->file);
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) return fail_system(sink, "cannot open", path, RSD_APPLIED_NO);
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return busy(session, sink, descriptor);
        rsd_status status = fail_system(sink, "cannot lock", path, RSD_APPLIED_NO);
        close(descriptor);
        return status;
    }
    struct names names;
    names_of(session, &names);
    // Who holds it is for people; the lock does not depend on it.
    if (ftruncate(descriptor, 0) == 0) {
        dprintf(descriptor, "%s\n%s\n%s\n%s\n", names.session, names.start, names.system, names.user);
    }
    session->runner_lock = descriptor;
    return RSD_OK;
}

void runner_unlock(struct rsd_connection *session) {
    if (session->runner_lock >= 0) close(session->runner_lock);
    session->runner_lock = -1;
}

bool runner_is_held_by(const struct rsd_connection *session, rsd_str number, rsd_str start) {
    char path[4096];
    snprintf(path, sizeof path, "%s-runner", session->file);
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    struct names holder;
    // Who held it last stays in the file; only a lock that is refused is held.
    bool held = flock(fileno(file), LOCK_SH | LOCK_NB) != 0;
    read_line(file, holder.session, sizeof holder.session);
    read_line(file, holder.start, sizeof holder.start);
    fclose(file);
    return held && is_text(number, holder.session) && is_text(start, holder.start);
}
