//! Operators' words that come while a plan is just ending: what has run is not run again by itself, and each retry is one try.

mod site;

use anyhow::Result;
use site::{Engine, Site, plan_of, task};
use std::time::{Duration, Instant};

const PLAN: &str = "projects/test/plans/retried";
/// Tasks of the plan, each retried by an operator of its own.
const TASKS: usize = 4;
/// How often each is retried.
const RETRIES: usize = 25;

/// Retries a task so often. While it runs, or waits, the word is refused and said again.
fn retry_again_and_again(site: &Site, spec: &str) -> Result<()> {
    for _ in 0..RETRIES {
        let begun = Instant::now();
        while !site.run(&["retry", &format!("{PLAN}/{spec}")])?.status.success() {
            anyhow::ensure!(
                begun.elapsed() < Duration::from_secs(60),
                "{spec} cannot be retried: {}",
                site.log()
            );
        }
    }
    Ok(())
}

#[test]
fn each_retry_is_one_try_also_while_the_plan_is_ending() -> Result<()> {
    let mut site = Site::new("")?;
    let config = std::fs::read_to_string(site.path("config.toml"))?;
    let instance = Engine::Sqlite.instance("main", &site.path("databases"));
    site.write("config.toml", format!("{config}{instance}"))?;
    site.drop_file("test/fails.sql", "INSERT INTO nowhere VALUES (1);")?;
    let tasks: Vec<(String, String)> =
        (0..TASKS).map(|n| (format!("task-{n}"), format!("instances/main/databases/db{n}"))).collect();
    let specs: Vec<(&str, &str, &str)> =
        tasks.iter().map(|(spec, target)| (spec.as_str(), target.as_str(), "fails")).collect();
    site.drop_file("test/retried.plan.json", plan_of(&[&specs]))?;
    site.start()?;
    site.wait_for(PLAN, &["FAILED", "BLOCKED"])?;
    std::thread::scope(|scope| {
        let operators: Vec<_> =
            tasks.iter().map(|(spec, _)| scope.spawn(|| retry_again_and_again(&site, spec))).collect();
        operators.into_iter().try_for_each(|operator| operator.join().expect("an operator"))
    })?;
    let plan = site.wait_for(PLAN, &["FAILED", "BLOCKED"])?;
    for (spec, _) in &tasks {
        let task = task(&plan, spec);
        let runs = task["runs"].as_array().cloned().unwrap_or_default();
        assert_eq!(task["status"], "FAILED", "{task:#}");
        assert_eq!(runs.len(), 1 + RETRIES, "{spec}");
        assert!(runs.iter().all(|run| run["resumes"] == 0), "a run that had ended went on: {runs:#?}");
    }
    Ok(())
}
