//! What `status` shows: the shape for scripts, field by field; the picture for people; and what a terminal gets.

mod site;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use site::{Engine, Site, plan_of, program, task, until};
use std::collections::BTreeSet;
use std::process::{Command, Stdio};

const NORTH: &str = "instances/main/databases/north";
const SOUTH: &str = "instances/main/databases/south";
const ENDLESS: &str =
    "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c;";

/// A site with a plan of two stages of which one task has failed.
fn failed() -> Result<Site> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    site.drop_file(
        "shop/make.sql",
        "CREATE TABLE t (id INTEGER PRIMARY KEY);\nINSERT INTO t VALUES (1), (2);\n",
    )?;
    site.drop_file("shop/fail.sql", "CREATE TABLE t (id INTEGER);\n\nINSERT INTO t VALUES (1), (nope);\n")?;
    let text = plan_of(&[&[("good", NORTH, "make"), ("bad", SOUTH, "fail")], &[("later", NORTH, "make")]]);
    let mut plan: Value = serde_json::from_str(&text)?;
    plan["title"] = json!("Add the order index");
    plan["steps"][0]["title"] = json!("schema");
    plan["steps"][0]["specs"][0]["changeDatabaseConfig"]["schemaVersion"] = json!("1.0");
    site.drop_file("shop/x.plan.json", plan.to_string())?;
    site.start_with(&["--until-idle"])?;
    assert_eq!(site.wait_for_end()?, 0);
    Ok(site)
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok() && text.ends_with('Z'))
}

#[test]
fn json_has_the_shape_that_is_promised_field_by_field() -> Result<()> {
    let site = failed()?;
    let plan = site.plan("x")?;
    let fields = ["plan", "title", "sha256", "status", "acceptedTime", "startTime", "endTime", "stages"];
    assert_eq!(keys(&plan), fields.into());
    assert_eq!(
        (&plan["plan"], &plan["title"]),
        (&json!("projects/shop/plans/x"), &json!("Add the order index"))
    );
    assert_eq!((&plan["status"], &plan["endTime"]), (&json!("BLOCKED"), &Value::Null));
    assert!(is_time(&plan["acceptedTime"]) && is_time(&plan["startTime"]), "{plan:#}");
    let file = site.path("accepted/shop/x/x.plan.json");
    let sum = Command::new("sha256sum").arg(file).output()?.stdout;
    assert!(String::from_utf8(sum)?.starts_with(plan["sha256"].as_str().context("a text")?));

    assert_eq!(plan["stages"].as_array().map(Vec::len), Some(2));
    let stage = &plan["stages"][0];
    assert_eq!(keys(stage), ["title", "status", "tasks"].into());
    assert_eq!((&stage["title"], &stage["status"]), (&json!("schema"), &json!("FAILED")));
    assert_eq!(plan["stages"][1]["status"], "NOT_STARTED");

    let good = task(&plan, "good");
    let fields = ["specId", "target", "sheet", "type", "schemaVersion", "status", "waiting", "runs"];
    assert_eq!(keys(&good), fields.into());
    let (target, sheet) = (json!(NORTH), json!("projects/test/sheets/make"));
    assert_eq!((&good["target"], &good["sheet"], &good["type"]), (&target, &sheet, &json!("MIGRATE")));
    assert_eq!((&good["schemaVersion"], &good["waiting"]), (&json!("1.0"), &Value::Null));

    let run = &good["runs"][0];
    let fields = [
        "attempt",
        "status",
        "startTime",
        "endTime",
        "resumes",
        "statementsTotal",
        "statementsDone",
        "affectedRows",
        "error",
    ];
    assert_eq!(keys(run), fields.into());
    assert!(is_time(&run["startTime"]) && is_time(&run["endTime"]), "{run:#}");
    let counts = json!([
        run["attempt"],
        run["resumes"],
        run["statementsTotal"],
        run["statementsDone"],
        run["affectedRows"]
    ]);
    assert_eq!(
        (counts, &run["status"], &run["error"]),
        (json!([1, 0, 2, 2, 2]), &json!("DONE"), &Value::Null)
    );

    let error = &task(&plan, "bad")["runs"][0]["error"];
    let fields = ["code", "class", "message", "statement", "line", "column", "excerpt"];
    assert_eq!(keys(error), fields.into());
    assert_eq!(json!([error["statement"], error["line"], error["column"]]), json!([2, 3, 28]), "{error:#}");
    assert_eq!(error["excerpt"], "INSERT INTO t VALUES (1), (nope)");
    assert!(error["message"].as_str().is_some_and(|message| message.contains("nope")), "{error:#}");

    let later = task(&plan, "later");
    assert_eq!((&later["schemaVersion"], &later["runs"]), (&Value::Null, &json!([])));
    assert_eq!(later["waiting"], json!({ "cause": "STAGE", "on": ["stage 1"], "until": null }));

    // The result, and what one asks a daemon, are the same to the letter.
    let text = std::fs::read_to_string(site.path("results/shop/x/result.json"))?;
    assert_eq!(text, site.say(&["status", "x", "--json"])?.out);
    Ok(())
}

#[test]
fn a_plan_is_drawn_with_its_error_and_what_to_do() -> Result<()> {
    let site = failed()?;
    let said = site.say(&["status", "x"])?;
    assert_eq!(said.code, 0, "{said:?}");
    let text = &said.out;
    let head: Vec<&str> = text.lines().take(6).collect();
    assert_eq!(head[..2], ["projects/shop/plans/x  BLOCKED", "Add the order index"]);
    assert!(head[2].starts_with("accepted 2") && head[2].contains(", started 2"), "{text}");
    assert_eq!(head[3..], ["1 of 3 tasks done, 1 waiting, 1 failed", "", "Stage 1 · schema  failed"]);
    let error = "      at projects/test/sheets/fail:3:28, statement 2\n      3 | INSERT INTO t VALUES (1), (nope)\n        |                            ^\n";
    for words in [
        error,
        "no such column: nope",
        "Nothing of the sheet has taken effect.",
        "\nStage 2  not started\n  ·  later  main/north  make  NOT_STARTED  waits for stage 1\n",
        "\nWhat to do\n  runsheet retry projects/shop/plans/x      run again",
        "  runsheet skip projects/shop/plans/x/bad   it is not needed",
    ] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    // Numbers stand below each other.
    let column = |spec: &str| {
        let row = said.out.lines().find(|line| line.contains(&format!("  {spec} "))).unwrap_or_default();
        row.find("statements").or_else(|| row.find("statement")).map(|at| row[..at].chars().count())
    };
    assert_eq!(column("good"), column("bad"), "{}", said.out);
    // What is advised is done as it stands.
    let mut site = site;
    site.start()?;
    until("the daemon answers", || Ok(site.say(&["skip", "projects/shop/plans/x/bad"])?.code == 0))?;
    Ok(())
}

#[test]
fn the_running_statement_is_shown_with_its_counts() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    let sheet = format!("CREATE TABLE t (id INTEGER);\nINSERT INTO t VALUES (1), (2), (3);\n\n{ENDLESS}");
    site.drop_file("shop/endless.sql", &sheet)?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "endless")]]))?;
    site.start()?;
    let mut progress = Value::Null;
    until("the third statement runs", || {
        progress = site.plan("x").map(|plan| task(&plan, "one")["progress"].clone()).unwrap_or_default();
        Ok(progress["statement"] == 3 && progress["statementMillis"].as_u64() > Some(1_100))
    })?;
    let fields = [
        "statement",
        "line",
        "excerpt",
        "statementMillis",
        "statementsDone",
        "affectedRows",
        "bytesDone",
        "bytesTotal",
    ];
    assert_eq!(keys(&progress), fields.into());
    assert_eq!(
        json!([progress["line"], progress["statementsDone"], progress["affectedRows"]]),
        json!([4, 2, 3])
    );
    assert_eq!(
        json!([progress["bytesDone"], progress["bytesTotal"]]),
        json!([sheet.find("WITH"), sheet.len()])
    );
    let text = site.say(&["status", "x"])?.out;
    for words in [
        "0 of 1 task done, 1 running",
        "2 statements  3 rows",
        "RUNNING 4",
        "statement 3, line 4",
        " s: WITH RECURSIVE",
        "WITH RECURSIVE c (x)",
    ] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    let list = site.say(&["status"])?.out;
    assert!(list.contains("RUNNING") && list.contains("1 running"), "{list}");
    Ok(())
}

#[test]
fn colours_are_for_terminals_only_and_not_where_nobody_wants_them() -> Result<()> {
    let site = failed()?;
    for arguments in ["status", "status x", "log x", "drivers", "config check"] {
        let words: Vec<&str> = arguments.split(' ').collect();
        let said = site.say(&words)?;
        assert!(!said.out.contains('\x1b') && !said.err.contains('\x1b'), "{arguments}: {said:?}");
        let coloured = site.on_terminal(120, 40, arguments)?;
        assert!(coloured.out.contains("\x1b["), "{arguments}: {coloured:?}");
        let script = format!(
            "env NO_COLOR=1 {} --config {} {arguments}",
            program().display(),
            site.path("config.toml").display()
        );
        let plain =
            Command::new("script").args(["-qec", &script, "/dev/null"]).stdin(Stdio::null()).output()?;
        assert!(!plain.stdout.contains(&0x1b), "{arguments}: {}", String::from_utf8_lossy(&plain.stdout));
    }
    let json = site.on_terminal(120, 40, "status x --json")?;
    assert!(!json.out.contains('\x1b'), "JSON is never coloured: {json:?}");
    Ok(())
}

/// What a terminal shows at the end, and the widest that a line ever was.
fn screen(written: &str, rows: usize) -> (Vec<String>, usize) {
    let mut lines: Vec<String> = vec![String::new()];
    let (mut at, mut widest) = (0, 0);
    let mut rest = written;
    while let Some(c) = rest.chars().next() {
        if let Some(code) = rest.strip_prefix("\x1b[") {
            let end = code.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0);
            let number: usize = code[..end].parse().unwrap_or(1);
            match code[end..].chars().next() {
                Some('A') => {
                    assert!(number < rows, "it goes up {number} lines on a screen of {rows}");
                    at -= number;
                }
                Some('K') => lines[at].clear(),
                Some('J') => lines.truncate(at + 1),
                _ => {}
            }
            rest = &code[end + 1..];
            continue;
        }
        match c {
            '\r' => {}
            '\n' => {
                at += 1;
                if lines.len() <= at {
                    lines.push(String::new());
                }
            }
            c => lines[at].push(c),
        }
        widest = widest.max(lines[at].chars().count());
        rest = &rest[c.len_utf8()..];
    }
    (lines, widest)
}

#[test]
fn watch_draws_a_plan_in_place_until_nothing_goes_on_by_itself() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    site.drop_file("shop/make.sql", "CREATE TABLE t (id INTEGER);")?;
    let ids: Vec<String> = (0..60).map(|number| format!("a-task-with-a-long-name-{number:02}")).collect();
    let targets: Vec<String> =
        (0..60).map(|number| format!("instances/main/databases/database{number}")).collect();
    let specs: Vec<_> =
        ids.iter().zip(&targets).map(|(id, target)| (id.as_str(), target.as_str(), "make")).collect();
    let mut plan: Value = serde_json::from_str(&plan_of(&[&specs, &[("last", NORTH, "make")]]))?;
    plan["title"] =
        json!("A title that is much longer than any terminal on which somebody would watch it, and goes on");
    site.drop_file("shop/x.plan.json", plan.to_string())?;
    let held = site.hold("database7")?;
    site.start()?;
    until("all but one are done", || {
        Ok(site
            .plan("x")
            .is_ok_and(|plan| site::tasks(&plan).iter().filter(|(_, status)| status == "DONE").count() == 59))
    })?;
    let (done, watched) = std::sync::mpsc::channel();
    std::thread::scope(|scope| -> Result<()> {
        scope.spawn(|| done.send(site.on_terminal(60, 20, "status x --watch")));
        // Drawn more than once before it ends.
        std::thread::sleep(std::time::Duration::from_millis(700));
        drop(held);
        Ok(())
    })?;
    let said = watched.recv()??;
    assert_eq!(said.code, 0, "{said:?}");
    let ended = said.out.rfind("\x1b[J").context("a last picture")?;
    let (_, widest) = screen(&said.out[..ended], 20);
    assert!(
        widest <= 60,
        "a line of {widest} columns wraps, and what is drawn next is in the wrong place: {}",
        said.out
    );
    assert!(said.out.contains("… 59 DONE"), "what needs no look is counted: {}", said.out);
    let (lines, _) = screen(&said.out, 20);
    assert_eq!(lines.iter().filter(|line| line.contains("projects/shop/plans/x")).count(), 1, "{lines:#?}");
    let text = lines.join("\n");
    assert!(
        text.contains("61 of 61 tasks done") && text.contains("a-task-with-a-long-name-59"),
        "the last picture is whole: {text}"
    );
    Ok(())
}

#[test]
fn watch_without_a_terminal_says_each_change_once_and_its_end_is_the_plans() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    let held = site.hold("north")?;
    site.drop_file("shop/make.sql", "CREATE TABLE t (id INTEGER);")?;
    site.drop_file("shop/fail.sql", "INSERT INTO t VALUES (nope);")?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "make"), ("two", NORTH, "fail")]]))?;
    site.start()?;
    until("it runs", || Ok(site.plan("x").is_ok_and(|plan| task(&plan, "one")["status"] == "RUNNING")))?;
    let watch = |arguments: &[&str]| {
        let mut command = Command::new(program());
        command.arg("--config").arg(site.path("config.toml")).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    };
    let (lines, json) = (watch(&["status", "x", "--watch"])?, watch(&["status", "x", "--watch", "--json"])?);
    let all = watch(&["status", "--watch", "--json"])?;
    drop(held);
    let lines = site::Said::of(lines.wait_with_output()?);
    assert_eq!((lines.code, lines.err.as_str()), (1, ""), "the plan failed: {lines:?}");
    let count = |words: &str| lines.out.matches(words).count();
    assert_eq!(count("▶  one"), 1, "{}", lines.out);
    // Once when it came, and once in the whole picture at the end.
    assert_eq!((count("✓  one"), count("✗  two")), (2, 2), "{}", lines.out);

    let json = site::Said::of(json.wait_with_output()?);
    assert_eq!(json.code, 1, "{json:?}");
    let seen: Vec<Value> = json.out.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "each line is a change: {}", json.out);
    assert_eq!(seen.last().context("a line")?["status"], "FAILED");

    // All plans are watched until somebody has seen enough.
    let mut all = all;
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(all.try_wait()?.is_none());
    all.kill()?;
    let all = String::from_utf8(all.wait_with_output()?.stdout)?;
    let last: Value = serde_json::from_str(all.lines().last().context("a line")?)?;
    assert_eq!((&last[0]["plan"], &last[0]["status"]), (&json!("projects/shop/plans/x"), &json!("FAILED")));
    Ok(())
}

#[test]
fn the_list_shows_every_plan_that_goes_on_and_the_last_that_ended() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    assert_eq!(site.say(&["status"])?.code, 3, "there is neither a daemon nor a state");
    site.start()?;
    until("the daemon answers", || Ok(site.say(&["status"])?.err.is_empty()))?;
    assert!(site.say(&["status"])?.out.starts_with("No plan was taken in yet"));
    assert_eq!(site.say(&["status", "--json"])?.out, "[]\n");
    site.kill();
    site.drop_file("shop/make.sql", "CREATE TABLE IF NOT EXISTS t (id INTEGER);")?;
    for number in 0..23 {
        site.drop_file(&format!("shop/p{number:02}.plan.json"), plan_of(&[&[("one", NORTH, "make")]]))?;
    }
    site.drop_file("shop/waits.plan.json", plan_of(&[&[("one", NORTH, "none")]]))?;
    site.start_with(&["--until-idle"])?;
    assert_eq!(site.wait_for_end()?, 0);
    let short = site.say(&["status"])?.out;
    assert_eq!(short.matches(" DONE ").count(), 21, "20 and the head: {short}");
    assert!(
        short.contains("and 3 that ended before (--all)") && short.contains("WAITING_FOR_SHEETS"),
        "{short}"
    );
    let all = site.say(&["status", "--all"])?.out;
    assert_eq!(all.matches(" DONE ").count(), 24, "{all}");
    let rows: Vec<Value> = serde_json::from_str(&site.say(&["status", "--json"])?.out)?;
    assert_eq!(rows.len(), 24);
    let fields = [
        "plan",
        "title",
        "status",
        "acceptedTime",
        "startTime",
        "endTime",
        "tasks",
        "done",
        "running",
        "failed",
        "inDoubt",
    ];
    assert_eq!(keys(&rows[0]), fields.into());
    Ok(())
}

#[test]
fn nothing_of_a_plan_or_a_sheet_steers_the_terminal() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    site.drop_file("shop/fail.sql", "SELECT '\u{1b}]0;owned\u{7}\u{1b}[2J', nope;")?;
    let mut plan: Value = serde_json::from_str(&plan_of(&[&[("one", NORTH, "fail")]]))?;
    plan["title"] = json!("a\u{1b}[31mred\u{9b}title\n\nsecond");
    plan["steps"][0]["title"] = json!("\u{1b}[2Jstage");
    site.drop_file("shop/x.plan.json", plan.to_string())?;
    site.start_with(&["--until-idle"])?;
    assert_eq!(site.wait_for_end()?, 0);
    for arguments in [&["status"][..], &["status", "x"], &["log", "x"]] {
        let said = site.say(arguments)?;
        let bad = |c: char| c.is_control() && c != '\n';
        assert!(!said.out.contains(bad), "{arguments:?}: {:?}", said.out);
    }
    let json = site.plan("x")?;
    assert_eq!(json["title"], plan["title"], "a script gets what was written");
    Ok(())
}
