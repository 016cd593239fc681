//! The fields of a plan by name, as Bytebase writes them: those that are used, those that its own output carries and
//! that mean nothing here, and those whose meaning is not built.

pub(super) const PLAN: &[&str] = &[
    "name",
    "title",
    "description",
    "steps",
    // Written by Bytebase itself; nothing that runs depends on them.
    "issue",
    "vcsSource",
    "creator",
    "createTime",
    "updateTime",
    "planCheckRunStatusCount",
    "releaseSource",
    "deploymentConfigSnapshot",
];

pub(super) const STEP: &[&str] = &["title", "specs"];

pub(super) const SPEC: &[&str] = &[
    "id",
    "earliestAllowedTime",
    "dependsOnSpecs",
    "changeDatabaseConfig",
    "createDatabaseConfig",
    "exportDataConfig",
    // Where a spec came from; nothing that runs depends on it.
    "specReleaseSource",
];

pub(super) const CHANGE: &[&str] =
    &["target", "sheet", "type", "schemaVersion", "ghostFlags", "preUpdateBackupDetail"];

pub(super) const BACKUP: &[&str] = &["database"];

pub(super) const SHEET: &[&str] =
    &["name", "title", "creator", "createTime", "updateTime", "content", "contentSize", "payload", "engine"];

/// The types of a change: the word, protojson's number, and what to do instead where it is not built.
pub(super) const TYPES: &[(&str, u32, Option<&str>)] = &[
    ("MIGRATE", 2, None),
    ("DATA", 6, None),
    ("BASELINE", 1, Some("A baseline runs nothing; leave the spec out.")),
    ("MIGRATE_SDL", 3, Some("Write the statements that lead to the schema into the sheet, and use MIGRATE.")),
    (
        "MIGRATE_GHOST",
        4,
        Some(
            "Use MIGRATE, and the engine's own online DDL, such as `ALGORITHM=INSTANT` or `ALGORITHM=INPLACE`.",
        ),
    ),
];
