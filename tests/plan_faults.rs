//! What a plan's author is told: every fault of a plan with its place and what to do, all in one go.

mod plan_text;

use plan_text::{faults, lines, read, spec, spec_with_target, step};
use runsheet::plan::{Place, parse, parse_sheet, text_of};
use std::collections::BTreeSet;

const DOCUMENTED: &str = r#"{
  "steps": [
    {
      "specs": [
        {
          "id": "083c1c01-a0a6-485d-ae60-d6de2760ca4f",
          "earliestAllowedTime": null,
          "dependsOnSpecs": [],
          "changeDatabaseConfig": {
            "target": "instances/oracle/databases/db1",
            "sheet": "projects/sample/sheets/741",
            "type": "MIGRATE",
            "schemaVersion": "",
            "ghostFlags": {},
            "preUpdateBackupDetail": {
              "database": ""
            }
          }
        },
        {
          "id": "c2d3e4f5-5b6c-4b0e-9d3c-8a8f6a1c2d3e",
          "earliestAllowedTime": "2026-11-27T22:00:00.5+01:00",
          // Wait for the previous task to finish
          "dependsOnSpecs": ["083c1c01-a0a6-485d-ae60-d6de2760ca4f"],
          "changeDatabaseConfig": {
            "target": "instances/oracle/databases/db1",
            "sheet": "projects/sample/sheets/742", /* é, ü and 中 */
            "type": "DATA",
            "schemaVersion": "",
            "ghostFlags": {},
            "preUpdateBackupDetail": { "database": "" },
          }
        },
      ]
    }
  ]
}
"#;

#[test]
fn the_example_of_the_formats_documentation_is_read_as_it_stands() {
    let plan = read(DOCUMENTED).expect("it has no fault");
    let specs = &plan.steps[0].specs;
    assert_eq!((plan.steps.len(), specs.len()), (1, 2));
    assert_eq!(specs[1].depends_on, [0]);
    assert_eq!(specs[0].earliest_allowed_time, None);
    assert_eq!(specs[1].sheet.to_string(), "projects/sample/sheets/742");
}

#[test]
fn every_beginning_of_a_plan_is_held_for_unfinished_and_nothing_whole_is() {
    let whole = DOCUMENTED.trim_end().len();
    for end in 0..whole {
        let unfinished = match text_of(&DOCUMENTED.as_bytes()[..end]) {
            Ok(text) => read(text).expect_err("it is cut").is_unfinished(),
            Err((faults, _)) => faults.is_unfinished(),
        };
        assert!(unfinished, "cut at byte {end}: …{:?}", &DOCUMENTED.as_bytes()[end.saturating_sub(20)..end]);
    }
    // Made as long as it will be, and filled later.
    let mut filled_later = DOCUMENTED.as_bytes()[..900].to_vec();
    filled_later.resize(DOCUMENTED.len(), 0);
    let text = text_of(&filled_later).expect("NUL is UTF-8");
    assert!(read(text).expect_err("it is cut").is_unfinished());
    for wrong in ["{}", "[1]", "{\"steps\": [,]}", "{\"steps\": []} x }", "{\"a\": nul}"] {
        assert!(!read(wrong).expect_err("it is wrong").is_unfinished(), "{wrong}");
    }
}

#[test]
fn every_fault_is_found_in_one_go_and_drawn_into_the_text() {
    let text = r#"{
  "titel": "Add the order index",
  "steps": [
    { "specs": [
        { "id": "a", "dependsOnSpecs": ["b"], "changeDatabaseConfig": {
            "target": "instances/pg-prd/databases/orders", "sheet": "projects/shop/sheets/7", "type": "MIGRAT" } },
        { "id": "a", "changeDatabaseConfig": { "target": "instances/oracle/databases/..", "sheet": "7", "type": "DATA" } } ] } ] }"#;
    let found = read(text).expect_err("it has faults");
    let expected = r#"error: a plan has no field `titel`
 --> x.plan.json:2:3
  |
2 |   "titel": "Add the order index",
  |   ^^^^^^^
  |
  = help: Did you mean `title`?

error: no spec of the plan has the id `b`
 --> x.plan.json:5:41
  |
5 |         { "id": "a", "dependsOnSpecs": ["b"], "changeDatabaseConfig": {
  |                                         ^^^
  |
  = help: It must be the id of a spec of this step.

error: the instance `pg-prd` is not in the config
 --> x.plan.json:6:23
  |
6 |             "target": "instances/pg-prd/databases/orders", "sheet": "projects/shop/sheets/7", "type": "MIGRAT" } },
  |                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: Did you mean `pg-prod`?

error: `MIGRAT` is no type of change
 --> x.plan.json:6:103
  |
6 |             "target": "instances/pg-prd/databases/orders", "sheet": "projects/shop/sheets/7", "type": "MIGRAT" } },
  |                                                                                                       ^^^^^^^^
  |
  = help: Did you mean `MIGRATE`?

error: the spec id `a` is used twice in the plan
 --> x.plan.json:7:17
  |
7 |         { "id": "a", "changeDatabaseConfig": { "target": "instances/oracle/databases/..", "sheet": "7", "type": "DATA" } } ] } ] }
  |                 ^^^
  |
  = note: it is first used here: line 5, column 17
  = help: Give each spec an id of its own.

error: a target must be `instances/{instance}/databases/{database}`; ".." is no database's name
 --> x.plan.json:7:58
  |
7 |         { "id": "a", "changeDatabaseConfig": { "target": "instances/oracle/databases/..", "sheet": "7", "type": "DATA" } } ] } ] }
  |                                                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

error: a sheet's name must be `projects/{project}/sheets/{sheet}`, not "7"
 --> x.plan.json:7:100
  |
7 |         { "id": "a", "changeDatabaseConfig": { "target": "instances/oracle/databases/..", "sheet": "7", "type": "DATA" } } ] } ] }
  |                                                                                                    ^^^
"#;
    assert_eq!(found.draw("x.plan.json", text, false), expected);
    let excerpts: Vec<&str> = found.iter().map(|fault| fault.excerpt.as_str()).collect();
    assert_eq!(excerpts[0], "  \"titel\": \"Add the order index\",");
}

#[test]
fn a_mistyped_name_is_answered_with_the_nearest_known_one() {
    let text = step(&spec("a", r#""dependsOnSpec": [],"#, r#""schemaversion": "1","#));
    assert_eq!(
        faults(&text),
        [
            "2:13 a spec has no field `dependsOnSpec` -> Did you mean `dependsOnSpecs`?",
            "2:138 `changeDatabaseConfig` has no field `schemaversion` -> Did you mean `schemaVersion`?",
        ]
    );
    let text = step(
        &[spec("create-orders", "", ""), spec("b", r#""dependsOnSpecs": ["create-order"],"#, "")].join(",\n"),
    );
    assert_eq!(
        faults(&text),
        ["3:32 no spec of the plan has the id `create-order` -> Did you mean `create-orders`?"]
    );
    let text = r#"{"stages": []}"#;
    assert_eq!(
        faults(text),
        [
            "1:1 a plan needs the field `steps`, and it is not set",
            "1:2 a plan has no field `stages` -> Did you mean `steps`?",
        ]
    );
}

#[test]
fn an_unknown_instance_is_answered_with_those_that_there_are() {
    let unknown = step(&spec_with_target("\"instances/warehouse/databases/x\""));
    assert_eq!(
        faults(&unknown),
        ["2:48 the instance `warehouse` is not in the config -> The config has: oracle, pg-prod."]
    );
    let none = BTreeSet::new();
    let place = Place { name: Some("projects/p/plans/x".parse().expect("a name")), instances: Some(&none) };
    assert_eq!(
        lines(&parse(&unknown, &place).expect_err("it has faults")),
        [
            "2:48 the instance `warehouse` is not in the config -> The config has no instance yet: add `[instances.NAME]`."
        ]
    );
}

#[test]
fn a_dependency_of_another_step_is_refused_with_what_to_do() {
    let text = format!(
        "{{\"steps\": [\n{{\"specs\": [{}]}},\n{{\"specs\": [{}]}}]}}",
        spec("a", r#""dependsOnSpecs": ["b"],"#, ""),
        spec("b", r#""dependsOnSpecs": ["a", "b"],"#, "")
    );
    assert_eq!(
        faults(&text),
        [
            "2:43 `b` is in step 2, but dependencies must be in the same step -> An earlier step cannot wait for a later one: move one of the two specs.",
            "3:43 `a` is in step 1, but dependencies must be in the same step -> Take it out: a later step waits for the whole of an earlier one anyway.",
            "3:48 a spec cannot depend on itself",
        ]
    );
}

#[test]
fn every_circle_is_named() {
    let depends = |id: &str, on: &str| spec(id, &format!("\"dependsOnSpecs\": [{on}],"), "");
    let text = step(
        &[
            depends("a", r#""free", "b""#),
            depends("b", r#""c""#),
            depends("c", r#""a""#),
            spec("free", "", ""),
            depends("x", r#""y""#),
            depends("y", r#""x""#),
        ]
        .join(",\n"),
    );
    let help = "Take one dependency out, or change a schemaVersion: lower ones of a database come first.";
    assert_eq!(
        faults(&text),
        [
            format!("2:40 these specs wait for each other in a circle: a → b → c → a -> {help}"),
            format!("6:32 these specs wait for each other in a circle: x → y → x -> {help}"),
        ]
    );
}

#[test]
fn a_circle_through_schema_versions_is_named() {
    let text = step(
        &[
            spec("one", r#""dependsOnSpecs": ["two"],"#, r#""schemaVersion": "1.0","#),
            spec("two", "", r#""schemaVersion": "1.1","#),
        ]
        .join(",\n"),
    );
    let found = faults(&text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("in a circle: one → two → one"), "{found:?}");
}

#[test]
fn a_plan_whose_place_gives_no_name_needs_one_and_this_is_told_with_the_rest() {
    let text = r#"{"titel": 1, "steps": []}"#;
    let found = parse(text, &Place { name: None, instances: None }).expect_err("it has faults");
    let messages: Vec<&str> = found.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "the plan has no `name`, and its file's place gives it none",
            "a plan has no field `titel`",
            "a plan needs the field `steps`, and it is not set",
        ]
    );
}

#[test]
fn what_is_not_utf_8_is_shown_where_it_stands() {
    let bytes = b"\xEF\xBB\xBF{\n  \"title\": \"gr\xFCn\",\n}";
    let (found, shown) = text_of(bytes).expect_err("it is Latin-1");
    assert_eq!(lines(&found), ["2:15 the byte 0xfc is not UTF-8 -> Save it as UTF-8."]);
    assert!(found.draw("x", &shown, false).contains("2 |   \"title\": \"gr\u{FFFD}n\","));
    assert!(!found.is_unfinished());
    let (found, _) = text_of(b"{\"title\": \"gr\xC3").expect_err("it is cut in a character");
    assert!(found.is_unfinished());
    let (found, _) = text_of(b"\xFF\xFE{\0}\0").expect_err("it is UTF-16");
    assert_eq!(lines(&found), ["1:1 the file is UTF-16 -> Save it as UTF-8."]);
    assert!(read(text_of(b"\xEF\xBB\xBF{}").expect("a mark in front is no fault")).is_err());
}

#[test]
fn nothing_that_a_terminal_obeys_comes_out_of_a_plan() {
    let text = "{\"a\\u001b[2J\": 1, \"b\u{1b}[2J\": 1, \"steps\": [{\"specs\": [{\"id\": \"c\", \"dependsOnSpecs\": [\"\\u001b[31m\"], \"changeDatabaseConfig\": {\"target\": \"\\u001b[31m\"}}]}]}";
    let found = read(text).expect_err("it has faults");
    let drawn = found.draw("x.plan.json", text, false);
    assert!(!drawn.contains('\u{1b}'), "{drawn}");
    let told: String = found.iter().map(|fault| format!("{}{:?}", fault.message, fault.help)).collect();
    assert!(!told.contains('\u{1b}'), "{told}");
}

#[test]
fn a_sheet_in_json_tells_its_faults_too() {
    let found = parse_sheet(r#"{"name": "sheets/7", "content": "not base64!", "contentsize": 3}"#);
    assert_eq!(
        lines(&found.expect_err("it has faults")),
        [
            "1:10 a sheet's name must be `projects/{project}/sheets/{sheet}`, not \"sheets/7\"",
            "1:33 `content` is no base64: Invalid symbol 32, offset 3.",
            "1:48 a sheet has no field `contentsize` -> Did you mean `contentSize`?",
        ]
    );
    let found =
        parse_sheet(r#"{"name": "projects/a/sheets/7", "content": "U0VMRUNUIDE7", "contentSize": "900"}"#);
    assert_eq!(
        lines(&found.expect_err("it was cut off")),
        [
            "1:75 `contentSize` says 900 bytes, but `content` has 9 -> Bytebase cuts the content off unless it is asked for raw; fetch it with `?raw=true`."
        ]
    );
    let sheet = parse_sheet(
        r#"{"name": "projects/a/sheets/7", "content": "U0VMRUNUIDE7", "contentSize": "9", "engine": "POSTGRES"}"#,
    );
    assert_eq!(sheet.expect("it has no fault").content, b"SELECT 1;");
}
