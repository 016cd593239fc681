//! No plan, however strange or large, costs more than a moment to read: its author waits for it, and so do all other plans.

mod plan_text;

use plan_text::{faults, read, spec, step};
use runsheet::plan::{Faults, KEPT_MAX, Plan};
use std::time::{Duration, Instant};

/// Far more than any of these takes on a busy machine, and far less than where the cost grows with the square.
const READ_TIME_MAX: Duration = Duration::from_secs(60);

#[test]
fn brackets_in_brackets_are_refused_and_do_not_use_up_the_stack() {
    for bracket in ["[", "{\"a\":"] {
        for closed in [false, true] {
            let mut text = bracket.repeat(100_000);
            if closed {
                text.push_str(&if bracket == "[" {
                    "]".repeat(100_000)
                } else {
                    "1".to_owned() + &"}".repeat(100_000)
                });
            }
            let found = faults(&text);
            assert_eq!(found.len(), 1);
            assert!(found[0].contains("Maximum nesting depth exceeded"), "{found:?}");
        }
    }
}

/// Reads a plan in a thread with a small stack, as a daemon's threads may have, and sees that it takes only a moment.
fn read_in_time(what: &str, text: String) -> Result<Plan, Faults> {
    let begun = Instant::now();
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(move || read(&text));
    let result = thread.expect("a thread").join().expect("it does not panic");
    assert!(begun.elapsed() < READ_TIME_MAX, "{what} took {:?}", begun.elapsed());
    result
}

#[test]
fn a_plan_of_ten_megabytes_is_read_in_a_moment() {
    let specs: Vec<String> = (0..60_000)
        .map(|number| match number {
            0 => spec("s0", "", ""),
            _ => spec(&format!("s{number}"), &format!("\"dependsOnSpecs\": [\"s{}\"],", number - 1), ""),
        })
        .collect();
    let text = step(&specs.join(",\n"));
    assert!(text.len() > 10_000_000, "{}", text.len());
    let plan = read_in_time("a chain of 60,000 specs", text).expect("it has no fault");
    assert_eq!(plan.steps[0].specs.len(), 60_000);
}

#[test]
fn a_plan_with_very_many_faults_is_read_in_a_moment_and_tells_how_many_there_are() {
    let many = 100_000;
    for (what, text) in [
        ("numbers for steps", format!("{{\"steps\": [{}]}}", "1,".repeat(many))),
        (
            "unknown fields",
            format!(
                "{{{}\"steps\": []}}",
                (0..many).fold(String::new(), |text, number| text + &format!("\"stepz{number}\":1,"))
            ),
        ),
        ("empty specs", step(&"{},".repeat(many))),
        (
            "unknown dependencies",
            step(
                &(0..20_000)
                    .map(|number| {
                        spec(&format!("a-{number}"), &format!("\"dependsOnSpecs\": [\"b-{number}\"],"), "")
                    })
                    .collect::<Vec<_>>()
                    .join(","),
            ),
        ),
        (
            "unknown instances",
            step(
                &(0..20_000)
                    .map(|number| {
                        spec(&format!("a-{number}"), "", "").replace("instances/oracle", "instances/orakle")
                    })
                    .collect::<Vec<_>>()
                    .join(","),
            ),
        ),
    ] {
        let found = read_in_time(what, text.clone()).expect_err("it has faults");
        assert_eq!(found.iter().count(), KEPT_MAX, "{what}");
        assert!(found.more() >= 19_000, "{what}: {}", found.more());
        let drawn = found.draw("x.plan.json", &text, false);
        assert!(drawn.len() < 200_000, "{what}: {}", drawn.len());
        assert!(drawn.trim_end().ends_with(" more"), "{what}: {drawn}");
    }
}

#[test]
fn a_plan_of_more_values_than_any_plan_has_is_refused_before_it_takes_memory() {
    let text = format!("{{\"steps\": [{}]}}", "{},".repeat(2_100_000));
    let found = read_in_time("two million empty steps", text).expect_err("it is no plan");
    let found: Vec<&str> = found.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(found, ["the plan has more than 4000000 values"]);
}

#[test]
fn many_specs_of_one_version_and_many_of_the_next_are_read_in_a_moment() {
    let specs: Vec<String> = (0..30_000)
        .map(|number| spec(&format!("s{number}"), "", &format!("\"schemaVersion\": \"{}\",", number % 2 + 1)))
        .collect();
    assert!(read_in_time("two versions of 15,000 specs each", step(&specs.join(",\n"))).is_ok());
}

#[test]
fn a_spec_that_depends_on_very_many_is_read_in_a_moment() {
    let ids: Vec<String> = (0..50_000).map(|number| format!("\"s{number}\"")).collect();
    let mut specs: Vec<String> = (0..50_000).map(|number| spec(&format!("s{number}"), "", "")).collect();
    specs.push(spec("last", &format!("\"dependsOnSpecs\": [{}],", ids.join(",")), ""));
    let plan = read_in_time("a spec with 50,000 dependencies", step(&specs.join(",\n"))).expect("no fault");
    assert_eq!(plan.steps[0].specs.last().expect("a spec").depends_on.len(), 50_000);
}
