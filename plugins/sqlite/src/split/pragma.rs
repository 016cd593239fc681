//! What each PRAGMA does to the file, to the session, or to nothing.

use runsheet_sdk::{Flags, Kind};

/// Settings of the session that a transaction refuses, ignores, or takes only in part.
const SESSION_ALONE: &[&str] = &[
    "auto_vacuum",
    "encoding",
    "foreign_keys",
    "journal_mode",
    "locking_mode",
    "page_size",
    "synchronous",
    "temp_store",
];

/// Settings of the session that work anywhere.
const SESSION: &[&str] = &[
    "analysis_limit",
    "automatic_index",
    "busy_timeout",
    "cache_size",
    "cache_spill",
    "case_sensitive_like",
    "cell_size_check",
    "checkpoint_fullfsync",
    "count_changes",
    "empty_result_callbacks",
    "full_column_names",
    "fullfsync",
    "ignore_check_constraints",
    "journal_size_limit",
    "legacy_alter_table",
    "legacy_file_format",
    "max_page_count",
    "mmap_size",
    "query_only",
    "read_uncommitted",
    "recursive_triggers",
    "reverse_unordered_selects",
    "secure_delete",
    "short_column_names",
    "threads",
    "trusted_schema",
    "wal_autocheckpoint",
    "writable_schema",
];

/// Numbers in the file's header, written in a transaction like rows.
const STORED: &[&str] = &["application_id", "default_cache_size", "schema_version", "user_version"];

/// The kind and flags of `PRAGMA name`, with a value or without.
pub(super) fn classify(name: &str, assigns: bool) -> (Kind, Flags) {
    match name {
        "wal_checkpoint" => (Kind::Maintenance, Flags::ALONE.with(Flags::REPEATABLE)),
        "incremental_vacuum" | "optimize" => (Kind::Maintenance, Flags::REPEATABLE),
        _ if !assigns => (Kind::Query, Flags::none()),
        // Ends with its transaction, so there is nothing to be said again to another session.
        "defer_foreign_keys" => (Kind::Session, Flags::none()),
        _ if SESSION_ALONE.contains(&name) => (Kind::Session, Flags::ALONE.with(Flags::SESSION)),
        _ if SESSION.contains(&name) => (Kind::Session, Flags::SESSION),
        _ if STORED.contains(&name) => (Kind::Ddl, Flags::none()),
        _ => (Kind::Query, Flags::none()),
    }
}
