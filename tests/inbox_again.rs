//! What was taken in never changes: the same plan again is a no-op, another one of its name is refused, and no file that was
//! refused takes the place of another.

mod inbox_site;
mod site;

use anyhow::{Context, Result};
use inbox_site::{files, names, number_sheet, numbers, one_task, site};
use serde_json::Value;
use site::{Site, until};
use std::fs;
use std::process::Command;

const ENDS: &[&str] = &["DONE", "FAILED", "BLOCKED"];
const QUICK: &str = "settle = \"50ms\"\nrescan = \"1s\"";

fn is_empty(site: &Site) -> Result<()> {
    until("the inbox is empty", || Ok(files(site, "inbox")?.is_empty()))
}

fn refusal(site: &Site, place: &str) -> Result<String> {
    let told = site.path(&format!("rejected/{place}.error.txt"));
    until(&format!("{place} is refused"), || {
        Ok(site.path(&format!("rejected/{place}")).is_file() && told.is_file())
    })?;
    Ok(fs::read_to_string(told)?)
}

/// A site on which the plan `x` has run with the sheet `7`.
fn site_with_plan() -> Result<Site> {
    let mut site = site(QUICK)?;
    site.start()?;
    site.drop_file("test/7.sql", number_sheet(7))?;
    site.drop_file("test/x.plan.json", one_task("7"))?;
    assert_eq!(site.wait_for("x", ENDS)?["status"], "DONE");
    is_empty(&site)?;
    Ok(site)
}

#[test]
fn the_same_plan_again_changes_nothing_and_says_so() -> Result<()> {
    let site = site_with_plan()?;
    let before = site.plan("x")?;
    site.drop_file("test/7.sql", number_sheet(7))?;
    site.drop_file("test/x.plan.json", one_task("7"))?;
    is_empty(&site)?;
    let told = "test/x.plan.json: the plan projects/test/plans/x is known with the same bytes since";
    until("it says so", || Ok(site.log().contains(told)))?;
    assert_eq!(site.plan("x")?, before);
    assert_eq!(numbers(&site)?, [7]);
    assert_eq!(files(&site, "accepted")?, names(&["test/x/7.sql", "test/x/x.plan.json"]));
    assert!(files(&site, "rejected")?.is_empty());
    Ok(())
}

#[test]
fn the_same_plan_from_another_folder_takes_its_sheets_along() -> Result<()> {
    let mut site = site(QUICK)?;
    site.start()?;
    let plan = one_task("7").replacen('{', r#"{"name": "projects/test/plans/x","#, 1);
    for folder in ["first", "second"] {
        site.drop_file(&format!("{folder}/7.sql"), number_sheet(7))?;
        site.drop_file(&format!("{folder}/x.plan.json"), &plan)?;
        assert_eq!(site.wait_for("x", ENDS)?["status"], "DONE");
        is_empty(&site)?;
    }
    assert_eq!(numbers(&site)?, [7]);
    assert_eq!(files(&site, "accepted")?, names(&["test/x/7.sql", "test/x/x.plan.json"]));
    Ok(())
}

#[test]
fn another_plan_of_the_same_name_is_refused_and_the_first_stays() -> Result<()> {
    let site = site_with_plan()?;
    let before = site.plan("x")?;
    site.drop_file("test/x.plan.json", format!("{}\n", one_task("7")))?;
    let told = refusal(&site, "test/x.plan.json")?;
    assert!(told.contains("the plan projects/test/plans/x was taken in at"), "{told}");
    assert!(told.contains("it stays as it is\nA plan never changes. Give this one another name."), "{told}");
    assert_eq!(site.plan("x")?, before);
    assert_eq!(fs::read_to_string(site.path("accepted/test/x/x.plan.json"))?, one_task("7"));
    Ok(())
}

#[test]
fn of_two_plans_of_one_name_that_come_together_one_is_taken() -> Result<()> {
    let mut site = site(QUICK)?;
    let named = |sheet: &str| one_task(sheet).replacen('{', r#"{"name": "projects/test/plans/x","#, 1);
    site.drop_file("a/one.plan.json", named("7"))?;
    site.drop_file("b/two.plan.json", named("8"))?;
    site.drop_file("c/three.plan.json", named("7"))?;
    site.start()?;
    assert!(
        refusal(&site, "b/two.plan.json")?
            .contains("another file in the inbox is the plan projects/test/plans/x too")
    );
    is_empty(&site)?;
    assert_eq!(files(&site, "accepted")?, names(&["test/x/one.plan.json", "test/x/three.plan.json"]));
    assert_eq!(site.plan("x")?["missingSheets"], serde_json::json!(["projects/test/sheets/7"]));
    Ok(())
}

#[test]
fn another_sheet_of_the_same_name_is_refused_with_the_plan_that_asks_for_it() -> Result<()> {
    let site = site_with_plan()?;
    site.drop_file("other/7.sql", number_sheet(8))?;
    site.drop_file("other/y.plan.json", one_task("7"))?;
    for place in ["other/7.sql", "other/y.plan.json"] {
        let told = refusal(&site, place)?;
        assert!(told.contains("the sheet projects/test/sheets/7 was taken in at"), "{told}");
        assert!(
            told.contains(
                "A sheet never changes. Give this one another name, and say that name in the plan."
            )
        );
    }
    assert_eq!(numbers(&site)?, [7]);
    assert_eq!(fs::read_to_string(site.path("accepted/test/x/7.sql"))?, number_sheet(7));
    assert!(site.plan("y").is_err(), "the plan is not known");
    Ok(())
}

#[test]
fn a_corrected_sheet_beside_its_old_plan_is_refused_and_not_silently_ignored() -> Result<()> {
    let site = site_with_plan()?;
    site.drop_file("test/7.sql", number_sheet(8))?;
    let told = refusal(&site, "test/7.sql")?;
    assert!(told.contains("the sheet projects/test/sheets/7 was taken in at"), "{told}");
    // A sheet that nobody knows may be one whose plan is still to come.
    site.drop_file("test/9.sql", number_sheet(9))?;
    site.drop_file("test/y.plan.json", one_task("7"))?;
    assert_eq!(site.wait_for("y", ENDS)?["status"], "DONE");
    assert_eq!(files(&site, "inbox")?, names(&["test/9.sql"]));
    Ok(())
}

#[test]
fn refused_files_of_one_name_do_not_take_each_others_place() -> Result<()> {
    let mut site = site(QUICK)?;
    site.start()?;
    for (round, text) in ["[1]", "[2]", "[3]"].iter().enumerate() {
        site.drop_file("test/x.plan.json", text)?;
        until("it is refused", || Ok(files(&site, "rejected")?.len() == 3 * (round + 1)))?;
        is_empty(&site)?;
    }
    for (name, text) in [("x.plan.json", "[1]"), ("x.plan.json.2", "[2]"), ("x.plan.json.3", "[3]")] {
        assert_eq!(fs::read_to_string(site.path(&format!("rejected/test/{name}")))?, text);
        assert!(fs::read_to_string(site.path(&format!("rejected/test/{name}.error.txt")))?.contains(text));
    }
    // The same bytes once more are not kept once more.
    site.drop_file("test/x.plan.json", "[2]")?;
    is_empty(&site)?;
    assert_eq!(files(&site, "rejected")?.len(), 9);
    Ok(())
}

#[test]
fn fifty_faults_are_told_in_one_go_for_people_and_for_scripts() -> Result<()> {
    let mut site = site(QUICK)?;
    let specs: Vec<String> = (0..50)
        .map(|number| {
            format!("        {{ \"id\": \"s{number}\", \"changeDatabaseConfig\": {{ \"target\": \"instances/mian/databases/db\", \"sheet\": \"projects/test/sheets/7\", \"type\": \"DATA\" }} }}")
        })
        .collect();
    let text = format!("{{\n  \"steps\": [ {{\n      \"specs\": [\n{}\n      ] }} ] }}\n", specs.join(",\n"));
    site.drop_file("test/x.plan.json", &text)?;
    site.start()?;
    let told = refusal(&site, "test/x.plan.json")?;
    assert_eq!(told.matches("error: the instance `mian` is not in the config").count(), 50);
    assert_eq!(told.matches("help: Did you mean `main`?").count(), 50);
    let json: Value =
        serde_json::from_str(&fs::read_to_string(site.path("rejected/test/x.plan.json.error.json"))?)?;
    assert_eq!((&json["file"], &json["more"]), (&"test/x.plan.json".into(), &0.into()));
    let faults = json["faults"].as_array().context("a list")?;
    assert_eq!(faults.len(), 50);
    for (number, fault) in faults.iter().enumerate() {
        let line = number + 4;
        assert_eq!(
            (&fault["line"], &fault["column"]),
            (&line.into(), &if number < 10 { 59 } else { 60 }.into())
        );
        assert_eq!(fault["message"], "the instance `mian` is not in the config");
        assert_eq!(fault["help"], "Did you mean `main`?");
        assert_eq!(fault["excerpt"].as_str(), text.lines().nth(line - 1));
        assert!(told.contains(&format!(" --> test/x.plan.json:{line}:")), "line {line}");
    }
    Ok(())
}

#[test]
fn a_plan_that_is_submitted_again_leaves_nothing_behind() -> Result<()> {
    let mut site = site(QUICK)?;
    site.start()?;
    until("it is ready", || Ok(site.log().lines().any(|line| line.ends_with(" ready"))))?;
    site.write("work/7.sql", number_sheet(7))?;
    site.write("work/x.plan.json", one_task("7"))?;
    let submit = || -> Result<(i32, String)> {
        let output = Command::new(site::program())
            .args(["--config".as_ref(), site.path("config.toml").as_os_str(), "submit".as_ref()])
            .args([site.path("work/x.plan.json").as_os_str(), "--wait".as_ref()])
            .output()?;
        let text = [output.stdout, output.stderr].concat();
        Ok((output.status.code().context("it ends by itself")?, String::from_utf8_lossy(&text).into_owned()))
    };
    let folders = || -> Result<usize> { Ok(fs::read_dir(site.path("inbox/projects/default"))?.count()) };
    for _ in 0..2 {
        let (code, said) = submit()?;
        assert_eq!(code, 0, "{said}{}", site.log());
        until("its folder is gone", || Ok(folders()? == 0))?;
    }
    assert_eq!(numbers(&site)?, [7]);
    // With other bytes it is refused, and whoever waits is told so, not that the first is DONE.
    site.write("work/x.plan.json", format!("{} ", one_task("7")))?;
    let (code, said) = submit()?;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("the plan was refused") && said.contains("was taken in at"), "{said}");
    until("its folder is gone", || Ok(folders()? == 0))?;
    let rejected = files(&site, "rejected")?;
    assert_eq!(rejected.len(), 3, "the sheet is the one that is known: {rejected:?}");
    Ok(())
}
