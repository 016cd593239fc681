// What a call has to say to the daemon: errors, notices and results as the ABI carries them.

#include "c_driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

char *copy_of(rsd_str text) {
    char *copy = malloc(text.len + 1);
    if (copy == NULL) return NULL;
    if (text.len > 0) memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

struct failure failure_of(rsd_class class, const char *message) {
    return (struct failure){
        .class = class, .applied = RSD_APPLIED_NO, .position = -1, .message = text_of(message)};
}

void say_error(const rsd_sink *sink, const struct failure *failure) {
    if (sink == NULL || !HAS(sink, on_error) || sink->on_error == NULL) return;
    rsd_error error = {
        .struct_size = sizeof error,
        .class_ = failure->class,
        .applied = failure->applied,
        .vendor_code = failure->code,
        .position = failure->position,
        .message = failure->message,
        .detail = failure->detail,
        .hint = failure->hint,
        .object = failure->object,
    };
    memcpy(error.sqlstate, failure->sqlstate, sizeof error.sqlstate);
    sink->on_error(sink->ctx, &error);
}

void say_notice(const rsd_sink *sink, const char *severity, rsd_str message) {
    if (sink == NULL || !HAS(sink, on_notice) || sink->on_notice == NULL) return;
    rsd_notice notice = {
        .struct_size = sizeof notice,
        .sqlstate = {'0', '0', '0', '0', '0'},
        .severity = text_of(severity),
        .message = message,
    };
    sink->on_notice(sink->ctx, &notice);
}

void say_result(const rsd_sink *sink, bool in_transaction, int64_t rows, const char *tag) {
    if (sink == NULL || !HAS(sink, on_result) || sink->on_result == NULL) return;
    rsd_result result = {
        .struct_size = sizeof result,
        .transaction = in_transaction ? 1 : 0,
        .rows_affected = rows,
        .tag = text_of(tag),
    };
    sink->on_result(sink->ctx, &result);
}

rsd_status fail(const rsd_sink *sink, const struct failure *failure) {
    say_error(sink, failure);
    return RSD_FAILED;
}

rsd_status fail_memory(const rsd_sink *sink) {
    struct failure failure = failure_of(RSD_CLASS_RESOURCE, "there is not enough memory");
    memcpy(failure.sqlstate, "53200", 5);
    return fail(sink, &failure);
}

rsd_status fail_system(const rsd_sink *sink, const char *what, const char *file, rsd_applied applied) {
    int64_t code = errno;
    char why[128] = "", message[512];
    // The POSIX kind of strerror_r: it fills the buffer.
    if (strerror_r((int)code, why, sizeof why) != 0) why[0] = '\0';
    snprintf(message, sizeof message, "%s: %s", what, why);
    bool refused = code == EACCES || code == EPERM || code == EROFS || code == ENOENT;
    struct failure failure = failure_of(refused ? RSD_CLASS_PERMISSION : RSD_CLASS_RESOURCE, message);
    failure.code = code;
    failure.applied = applied;
    failure.object = text_of(file);
    return fail(sink, &failure);
}
