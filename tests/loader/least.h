// The least driver there can be, with a macro for each thing that can be wrong with it. A test defines some of them, and
// includes this file. Its splitter takes the whole sheet as one statement; everything else is unsupported.

#include <stdlib.h>
#include <string.h>

#include "runsheet_driver.h"

#ifndef NAME
#define NAME "least"
#endif
#ifndef ENTRY_SYMBOL
#define ENTRY_SYMBOL "rsd_entry_v1"
#endif
#ifndef ENTRY_SIZE
#define ENTRY_SIZE sizeof ENTRY
#endif
#ifndef DRIVER_SIZE
#define DRIVER_SIZE sizeof DRIVER
#endif
#ifndef SPLIT_SIZE
#define SPLIT_SIZE sizeof SPLIT
#endif
#ifndef SPLIT_ID
#define SPLIT_ID "rsd.split/1"
#endif
#ifndef START
#define START start
#endif
#ifndef STARTED
#define STARTED &DRIVER.table
#endif
#ifndef CANCEL
#define CANCEL cancel
#endif
#ifndef NEXT
#define NEXT next
#endif
// What a later version would have behind the tables.
#ifndef TAIL
#define TAIL
#define TAIL_BYTES
#endif

// What runs as soon as the library is mapped.
#ifdef CONSTRUCTOR
CONSTRUCTOR
#endif

// Not every variant uses all of them.
#define MAY_BE_UNUSED __attribute__((unused))

static rsd_status check(const rsd_open_args *args, const rsd_sink *sink) {
    (void)args, (void)sink;
    return RSD_OK;
}

static rsd_status connect_to(const rsd_open_args *args, const rsd_sink *sink, rsd_connection **connection) {
    (void)args, (void)sink;
    *connection = NULL;
    return RSD_UNSUPPORTED;
}

static void disconnect(rsd_connection *connection) {
    (void)connection;
}

static rsd_status plain(rsd_connection *connection, const rsd_sink *sink) {
    (void)connection, (void)sink;
    return RSD_UNSUPPORTED;
}

static rsd_status with_text(rsd_connection *connection, rsd_str text, const rsd_sink *sink) {
    (void)connection, (void)text, (void)sink;
    return RSD_UNSUPPORTED;
}

MAY_BE_UNUSED static rsd_status cancel(rsd_connection *connection) {
    (void)connection;
    return RSD_OK;
}

static rsd_status begin_split(const rsd_open_args *args, const rsd_sink *sink, rsd_splitter **splitter) {
    (void)args, (void)sink;
    *splitter = malloc(1);
    return RSD_OK;
}

MAY_BE_UNUSED static rsd_status next(rsd_splitter *splitter, rsd_str text, uint32_t at_end, rsd_piece *piece,
                                     const rsd_sink *sink) {
    (void)splitter, (void)sink;
    if (!at_end) return RSD_MORE;
    if (text.len == 0) return RSD_END;
    piece->kind = RSD_PIECE_QUERY;
    piece->flags = 0;
    piece->start = 0;
    piece->end = piece->consumed = text.len;
    return RSD_OK;
}

static void end_split(rsd_splitter *splitter) {
    free(splitter);
}

static const struct {
    rsd_split table;
    TAIL
} SPLIT = {{.struct_size = SPLIT_SIZE, .start = begin_split, .next = NEXT, .finish = end_split}, TAIL_BYTES};

static const void *extension(rsd_str id) {
    return id.len == strlen(SPLIT_ID) && memcmp(id.ptr, SPLIT_ID, id.len) == 0 ? &SPLIT : NULL;
}

MAY_BE_UNUSED static const struct {
    rsd_driver table;
    TAIL
} DRIVER = {{.struct_size = DRIVER_SIZE,
             .check = check,
             .open = connect_to,
             .close = disconnect,
             .reset = with_text,
             .ping = plain,
             .identify = plain,
             .execute = with_text,
             .begin = plain,
             .commit = plain,
             .rollback = plain,
             .cancel = CANCEL,
             .extension = extension},
            TAIL_BYTES};

MAY_BE_UNUSED static const rsd_driver *start(const rsd_host *host) {
    (void)host;
    return STARTED;
}

#define CONSTANT(text) {(const uint8_t *)(text), sizeof(text) - 1}

// Named by its symbol, since with a tail it is not of the type that the header has for it.
struct entry {
    rsd_entry table;
    TAIL
};
__attribute__((visibility("default"))) extern const struct entry ENTRY __asm__(ENTRY_SYMBOL);
const struct entry ENTRY = {{.struct_size = ENTRY_SIZE,
                             .abi_minor = RSD_ABI_MINOR,
                             .name = CONSTANT(NAME),
                             .version = CONSTANT("1"),
                             .title = CONSTANT("nothing"),
                             .start = START},
                            TAIL_BYTES};
