//! What each field of a plan may hold, and what its author is told where it holds something else.

mod plan_text;

use plan_text::{faults, lines, read, spec, spec_with_target, step};

/// The one fault that a further field of a change makes, without its place.
fn fault_of_change(change: &str) -> String {
    let found = faults(&step(&spec("a", "", change)));
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].split_once(' ').expect("a place").1.to_owned()
}

#[test]
fn null_and_empty_values_mean_unset() {
    for unset in ["null", "\"\"", "{}", "[]"] {
        let more = format!(
            r#""earliestAllowedTime": {unset}, "dependsOnSpecs": {unset}, "createDatabaseConfig": {unset}, "exportDataConfig": {unset},"#
        );
        let change =
            format!(r#""schemaVersion": {unset}, "ghostFlags": {unset}, "preUpdateBackupDetail": {unset},"#);
        let plan = read(&step(&spec("a", &more, &change))).map_err(|found| lines(&found));
        let spec = plan.expect(unset).steps[0].specs[0].clone();
        assert_eq!((spec.earliest_allowed_time, spec.schema_version), (None, None), "{unset}");
        let needed = step(&spec_with_target(unset));
        assert_eq!(
            faults(&needed),
            ["2:48 `changeDatabaseConfig` needs the field `target`, and it is not set"],
            "{unset}"
        );
    }
}

#[test]
fn what_bytebase_writes_into_a_plan_itself_is_ignored() {
    let text = r#"{
        "name": "projects/shop/plans/101", "issue": "projects/shop/issues/102", "title": "t", "description": "d",
        "vcsSource": {"vcsType": "GITHUB"}, "creator": "users/a@example.com", "createTime": "2024-07-01T00:00:00Z",
        "updateTime": "2024-07-01T00:00:00Z", "planCheckRunStatusCount": {"SUCCESS": 3}, "releaseSource": {"release": "r"},
        "deploymentConfigSnapshot": {"name": "x"},
        "steps": [{"title": "one", "specs": [{"id": "a", "specReleaseSource": {"file": "f"}, "changeDatabaseConfig": {
            "target": "instances/oracle/databases/db1", "sheet": "projects/shop/sheets/7", "type": 6}}]}]}"#;
    let plan = read(text).map_err(|found| lines(&found)).expect("it has no fault");
    assert_eq!(plan.name.to_string(), "projects/shop/plans/101");
    assert_eq!(plan.steps[0].specs[0].change_type, runsheet::plan::ChangeType::Data);
}

#[test]
fn names_are_of_their_form_or_refused() {
    for (target, why) in [
        ("oracle/db1", "a target must be `instances/{instance}/databases/{database}`, not \"oracle/db1\""),
        (
            "instances/oracle/databases/",
            "a target must be `instances/{instance}/databases/{database}`; the database's name must have 1 to 128 bytes",
        ),
        (
            "instances/oracle/databases/a\\u0000",
            "a target must be `instances/{instance}/databases/{database}`; the database's name \"a\\0\" has '\\0'",
        ),
        (
            "instances/../databases/x",
            "a target must be `instances/{instance}/databases/{database}`; the id \"..\" must begin with a letter or a digit",
        ),
        (
            "instances/oracle/databases/x/y",
            "a target must be `instances/{instance}/databases/{database}`, not \"instances/oracle/databases/x/y\"",
        ),
    ] {
        let text = step(&spec_with_target(&format!("\"{target}\"")));
        assert_eq!(faults(&text), [format!("2:48 {why}")]);
    }
    for sheet in [
        "../../etc/passwd",
        "projects/shop/sheets/..",
        "projects/../sheets/x",
        "projects/shop/sheets/a b",
        "/etc/passwd",
    ] {
        let text = step(&spec("a", "", "").replace("projects/shop/sheets/7", sheet));
        let found = faults(&text);
        assert!(found.len() == 1 && found[0].contains("a sheet's name must be"), "{found:?}");
    }
    for id in ["a b", "a/b", "a\\nb"] {
        let found = faults(&step(&spec(id, "", "")));
        assert_eq!(found, ["2:8 a spec's id has at most 128 bytes, without blanks and `/`"], "{id}");
    }
    let named = step(&spec("a", "", "")).replacen('{', r#"{"name": "projects/shop/x","#, 1);
    assert_eq!(
        faults(&named),
        ["1:10 a plan's name must be `projects/{project}/plans/{plan}`, not \"projects/shop/x\""]
    );
}

#[test]
fn a_time_without_sense_or_zone_is_refused() {
    for time in ["tomorrow", "2026-11-27T22:00:00", "2026-13-01T00:00:00Z", "27.11.2026 22:00"] {
        let found = faults(&step(&spec("a", &format!("\"earliestAllowedTime\": \"{time}\","), "")));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("`earliestAllowedTime` is no RFC 3339 time"), "{found:?}");
        assert!(found[0].ends_with("It is a time with its zone, as in `2026-11-27T22:00:00+01:00` or `…Z`."));
    }
    for time in ["2026-11-27T22:00:00+01:00", "2026-11-27T22:00:00.123456Z"] {
        let more = format!("\"earliestAllowedTime\": \"{time}\",");
        assert!(read(&step(&spec("a", &more, ""))).is_ok(), "{time}");
    }
}

#[test]
fn a_wrong_type_is_told_with_the_right_one() {
    let text = r#"{"title": 1, "description": [1],
"steps": [5, {"title": {"a": 1}, "specs": "x"}, {"specs": [null, {"id": true,
"earliestAllowedTime": 5, "dependsOnSpecs": [5], "changeDatabaseConfig": [1]}]}]}"#;
    assert_eq!(
        faults(text),
        [
            "1:11 `title` must be a string, not a number",
            "1:29 `description` must be a string, not an array",
            "2:11 a step must be an object",
            "2:24 `title` must be a string, not an object",
            "2:43 `specs` must be an array, not a string",
            "2:60 a spec must be an object",
            "2:73 `id` must be a string, not a boolean",
            "3:24 `earliestAllowedTime` must be a string, not a number",
            "3:46 `dependsOnSpecs` is a list of spec ids",
            "3:74 `changeDatabaseConfig` must be an object, not an array",
        ]
    );
    for (kind, found) in [
        ("MIGRATE_DDL", "2:126 `MIGRATE_DDL` is no type of change -> Did you mean `MIGRATE_SDL`?"),
        (
            "x",
            "2:126 `x` is no type of change -> It is one of MIGRATE, DATA, BASELINE, MIGRATE_SDL, MIGRATE_GHOST.",
        ),
    ] {
        assert_eq!(faults(&step(&spec("a", "", "").replace("\"MIGRATE\"", &format!("\"{kind}\"")))), [found]);
    }
    let found = faults(&step(&spec("a", "", "").replace("\"MIGRATE\"", "true")));
    assert_eq!(found, ["2:126 `type` must be one of MIGRATE, DATA, BASELINE, MIGRATE_SDL, MIGRATE_GHOST"]);
}

#[test]
fn what_is_not_built_is_refused_by_its_name_with_a_sentence() {
    assert_eq!(
        fault_of_change(r#""ghostFlags": {"max-load": "Threads_running=25"},"#),
        "`ghostFlags` is not built yet -> Use the engine's own online DDL in the sheet."
    );
    assert_eq!(
        fault_of_change(r#""preUpdateBackupDetail": {"database": "instances/oracle/databases/backup"},"#),
        "`preUpdateBackupDetail` is not built yet -> Back the rows up by a statement of the sheet, such as CREATE TABLE … AS SELECT."
    );
    for (kind, number, instead) in [
        ("BASELINE", 1, "A baseline runs nothing; leave the spec out."),
        ("MIGRATE_SDL", 3, "Write the statements that lead to the schema into the sheet, and use MIGRATE."),
        (
            "MIGRATE_GHOST",
            4,
            "Use MIGRATE, and the engine's own online DDL, such as `ALGORITHM=INSTANT` or `ALGORITHM=INPLACE`.",
        ),
    ] {
        for written in [format!("\"{kind}\""), number.to_string()] {
            let found = faults(&step(&spec("a", "", "").replace("\"MIGRATE\"", &written)));
            assert_eq!(found, [format!("2:126 the type {kind} is not built yet -> {instead}")]);
        }
    }
    for (name, instead) in [
        ("createDatabaseConfig", "Create the database by a statement of a sheet that runs in another one."),
        ("exportDataConfig", "Export with the engine's own tools."),
    ] {
        let text = step(&format!("{{\"id\": \"a\", \"{name}\": {{\"target\": \"instances/oracle\"}}}}"));
        let found = faults(&text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].ends_with(&format!("`{name}` is not built yet -> {instead}")), "{found:?}");
    }
    for (target, what) in [
        ("projects/shop/databaseGroups/all", "a database group"),
        ("projects/shop/deploymentConfigs/default", "a deployment config"),
    ] {
        let text = step(&spec_with_target(&format!("\"{target}\"")));
        assert_eq!(
            faults(&text),
            [format!(
                "2:48 a target that is {what} is not built yet -> Name each database in a spec of its own."
            )]
        );
    }
}

#[test]
fn a_field_that_is_given_twice_is_refused() {
    let found = read(r#"{"title": "a", "title": "b", "steps": [{"specs": [], "specs": []}]}"#);
    let found = found.expect_err("it has faults");
    assert_eq!(
        lines(&found),
        [
            "1:16 the field `title` is given twice -> Take one of them out: which one was meant cannot be known.",
            "1:50 a step needs the field `specs`, and it is not set",
            "1:54 the field `specs` is given twice -> Take one of them out: which one was meant cannot be known.",
        ]
    );
    assert!(found.draw("x", "", false).contains("the first: line 1, column"), "the first is shown too");
}

#[test]
fn versions_that_cannot_come_in_order_are_refused() {
    let versioned = |id: &str, version: &str, sheet: &str| {
        spec(id, "", &format!("\"schemaVersion\": \"{version}\","))
            .replace("sheets/7", &format!("sheets/{sheet}"))
    };
    let text = format!(
        "{{\"steps\": [\n{{\"specs\": [{}]}},\n{{\"specs\": [{}]}}]}}",
        versioned("a", "1.10", "7"),
        versioned("b", "1.9", "8")
    );
    let found = faults(&text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("schema version 1.9 comes after version 1.10 of step 1, on the same database"),
        "{found:?}"
    );
    let found = faults(&step(&[versioned("a", "1.0", "7"), versioned("b", "1", "8")].join(",\n")));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("schema version 1 of this database stands for two different sheets"),
        "{found:?}"
    );
    let found = faults(&step(&versioned("a", "1 2", "7")));
    assert!(found[0].contains("a schema version has 1 to 255 characters"), "{found:?}");
}
