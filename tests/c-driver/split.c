// Where statements begin and end: texts in single quotes, comments from `--` to the line's end, and a semicolon at the end.

#include "c_driver.h"

#include <stdlib.h>

static bool is_blank(uint8_t byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static bool begins_comment(rsd_str text, size_t at) {
    return text.ptr[at] == '-' && at + 1 < text.len && text.ptr[at + 1] == '-';
}

size_t scan_blank(rsd_str text, size_t at, size_t end) {
    while (at < end) {
        if (is_blank(text.ptr[at])) {
            at++;
        } else if (begins_comment(text, at)) {
            while (at < end && text.ptr[at] != '\n') at++;
        } else {
            break;
        }
    }
    return at;
}

// The byte behind a quoted text that begins at `at`; `end` + 1 where it does not end.
static size_t scan_quote(rsd_str text, size_t at, size_t end) {
    for (at++; at < end; at++) {
        if (text.ptr[at] != '\'') continue;
        if (at + 1 < end && text.ptr[at + 1] == '\'') at++;
        else return at + 1;
    }
    return end + 1;
}

size_t scan_word(rsd_str text, size_t at, size_t end) {
    if (text.ptr[at] == '\'') return scan_quote(text, at, end);
    while (at < end && !is_blank(text.ptr[at]) && text.ptr[at] != ';' && text.ptr[at] != '\'' &&
           !begins_comment(text, at)) {
        at++;
    }
    return at;
}

enum scan scan_next(rsd_str text, bool at_end, struct scanned *out) {
    size_t at = scan_blank(text, 0, text.len);
    while (at < text.len && text.ptr[at] == ';') at = scan_blank(text, at + 1, text.len);
    if (at == text.len) return at_end ? SCAN_END : SCAN_MORE;
    out->start = out->end = at;
    while (at < text.len && text.ptr[at] != ';') {
        size_t behind = scan_word(text, at, text.len);
        if (behind > text.len) {
            out->start = at;
            return at_end ? SCAN_UNTERMINATED : SCAN_MORE;
        }
        out->end = behind;
        at = scan_blank(text, behind, text.len);
    }
    if (at == text.len && !at_end) return SCAN_MORE;
    out->consumed = at < text.len ? at + 1 : at;
    return SCAN_STATEMENT;
}

// Nothing is remembered between two calls but that there is a sheet.
struct rsd_splitter {
    unsigned char unused;
};

rsd_status split_start(const rsd_open_args *args, const rsd_sink *sink, rsd_splitter **splitter) {
    if (args == NULL || splitter == NULL) return RSD_MISUSE;
    *splitter = calloc(1, sizeof **splitter);
    return *splitter == NULL ? fail_memory(sink) : RSD_OK;
}

rsd_status split_next(rsd_splitter *splitter, rsd_str text, uint32_t at_end, rsd_piece *piece, const rsd_sink *sink) {
    struct scanned found;
    if (splitter == NULL || piece == NULL || !HAS(piece, consumed)) return RSD_MISUSE;
    switch (scan_next(text, at_end != 0, &found)) {
    case SCAN_MORE:
        return RSD_MORE;
    case SCAN_END:
        return RSD_END;
    case SCAN_UNTERMINATED: {
        struct failure failure = failure_of(RSD_CLASS_SYNTAX, "the text in single quotes does not end");
        failure.position = (int64_t)found.start;
        return fail(sink, &failure);
    }
    case SCAN_STATEMENT:
        break;
    }
    size_t word_end = scan_word(text, found.start, found.end);
    statement_kind((rsd_str){text.ptr + found.start, word_end - found.start}, &piece->kind, &piece->flags);
    piece->start = found.start;
    piece->end = found.end;
    piece->consumed = found.consumed;
    return RSD_OK;
}

void split_finish(rsd_splitter *splitter) {
    free(splitter);
}
