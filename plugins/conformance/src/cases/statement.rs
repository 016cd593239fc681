//! Statements: one at a time, counted, and with their faults in the right place.

use crate::bench::{Bench, fails, on, say};
use crate::case::{Case, Need};
use crate::raw::{Event, RawSession, fault};
use anyhow::{Context, Result, bail, ensure};
use runsheet_sdk::abi::RSD_OK;
use runsheet_sdk::{Applied, Class, Facts, Failure};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "counts",
            rule: "A statement says how many rows it changed, and what the server calls it.",
            needs: &[],
            check: counts,
        },
        Case {
            name: "says-once",
            rule: "A call says one error where it fails, one result where it ends well, and nothing else.",
            needs: &[],
            check: says_once,
        },
        Case {
            name: "failure",
            rule: "A statement that fails has its class, had no effect, and leaves the session usable.",
            needs: &[],
            check: failure,
        },
        Case {
            name: "two-statements",
            rule: "Two statements in one text are refused, and neither is run.",
            needs: &[],
            check: two_statements,
        },
        Case {
            name: "no-statement",
            rule: "A text without a statement does no harm.",
            needs: &[],
            check: no_statement,
        },
        Case {
            name: "decorated",
            rule: "A delimiter behind a statement, blanks and comments are allowed.",
            needs: &[],
            check: decorated,
        },
        Case {
            name: "error-position",
            rule: "An error's position is its byte, also behind text of more than one byte a character.",
            needs: &[Need::Fact(Facts::ERROR_POSITION)],
            check: error_position,
        },
        Case {
            name: "notices",
            rule: "A thousand notices come whole, in order, and before the result.",
            needs: &[Need::Fact(Facts::NOTICES)],
            check: notices,
        },
    ]
}

fn counts(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let table = bench.table(&mut session)?;
    ensure!(!bench.target.statements.counted.is_empty(), "the target has no counted statements");
    for counted in &bench.target.statements.counted {
        let text = on(counted.text, &table, 1);
        let outcome = say(&mut session, &text)?;
        ensure!(
            outcome.rows_affected == counted.rows,
            "`{text}` says {:?} rows instead of {:?}",
            outcome.rows_affected,
            counted.rows
        );
        if let Some(tag) = counted.tag {
            ensure!(outcome.tag == tag, "`{text}` is called {:?} instead of {tag:?}", outcome.tag);
        }
    }
    Ok(())
}

fn says_once(bench: &Bench) -> Result<()> {
    let mut session = RawSession::open(bench)?;
    let table = bench.fresh_name();
    let statements = &bench.target.statements;
    let mut texts = vec![statements.create, statements.insert, statements.insert];
    texts.extend(statements.failing.iter().map(|failing| failing.text));
    for text in texts {
        let text = on(text, &table, 1);
        let (status, events) = session.execute(&text)?;
        if let Some(fault) = fault(status, &events, true) {
            bail!("`{text}`: {fault} ({events:?})");
        }
    }
    let driver = session.table();
    let calls = [
        ("ping", driver.ping),
        ("begin", driver.begin),
        ("commit", driver.commit),
        ("begin", driver.begin),
        ("rollback", driver.rollback),
        ("rollback", driver.rollback),
    ];
    for (name, call) in calls {
        let (status, events) = session.call(call)?;
        ensure!(status == RSD_OK && events.is_empty(), "`{name}` came to {status}, {events:?}");
    }
    let (status, events) = session.call(driver.identify)?;
    ensure!(status == RSD_OK && events == [Event::Identity], "`identify` came to {status}, {events:?}");
    Ok(())
}

fn failure(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    ensure!(!bench.target.statements.failing.is_empty(), "the target has no failing statements");
    for failing in &bench.target.statements.failing {
        let table = bench.table(&mut session)?;
        bench.insert(&mut session, &table, 1)?;
        let text = on(failing.text, &table, 1);
        let error = fails(&mut session, &text)?;
        ensure!(error.class == failing.class, "`{text}` is of class {}: {error:?}", error.class);
        ensure!(error.failure == Failure::Failed, "`{text}` came to {:?}", error.failure);
        ensure!(error.applied == Applied::No, "`{text}`: applied is {}", error.applied);
        ensure!(!error.message.is_empty(), "`{text}` has no message");
        bench.insert(&mut session, &table, 2).with_context(|| format!("after `{text}`"))?;
        ensure!(bench.rows(&table)? == 2, "after `{text}` there are {} rows", bench.rows(&table)?);
    }
    Ok(())
}

fn two_statements(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let table = bench.table(&mut session)?;
    ensure!(!bench.target.statements.two.is_empty(), "the target has no two statements in one text");
    for (before, text) in (0..).zip(&bench.target.statements.two) {
        let text = on(text, &table, 1_000_000);
        let error = fails(&mut session, &text)?;
        ensure!(error.failure == Failure::Failed, "`{text}` came to {:?}: {error:?}", error.failure);
        ensure!(error.applied == Applied::No, "`{text}`: applied is {}", error.applied);
        let rows = bench.rows(&table)?;
        ensure!(rows == before, "`{text}` was refused, and {rows} rows are there instead of {before}");
        bench.insert(&mut session, &table, before + 1).with_context(|| format!("after `{text}`"))?;
    }
    Ok(())
}

fn no_statement(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let table = bench.table(&mut session)?;
    for text in ["", " \n", ";"] {
        if let Err(error) = session.execute(text.as_bytes(), &mut |_| {}) {
            ensure!(error.failure == Failure::Failed, "{text:?} came to {:?}: {error:?}", error.failure);
            ensure!(error.applied == Applied::No, "{text:?}: applied is {}", error.applied);
            ensure!(error.class == Class::Syntax, "{text:?} is of class {}", error.class);
        }
        bench
            .insert(&mut session, &table, 1 + text.len() as u64)
            .with_context(|| format!("after {text:?}"))?;
    }
    Ok(())
}

fn decorated(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let table = bench.table(&mut session)?;
    let texts = &bench.target.statements.decorated;
    ensure!(!texts.is_empty(), "the target has no decorated statements");
    for (id, text) in (1..).zip(texts) {
        say(&mut session, &on(text, &table, id))?;
        let rows = bench.rows(&table)?;
        ensure!(rows == id, "after {text:?} there are {rows} rows instead of {id}");
    }
    Ok(())
}

fn error_position(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let texts = &bench.target.statements.misplaced;
    ensure!(!texts.is_empty(), "the target has no statements whose fault has a place");
    for misplaced in texts {
        let place = misplaced.text.find(misplaced.at).context("the target's place is not in its text")?;
        ensure!(!misplaced.text.get(..place).unwrap_or_default().is_ascii(), "nothing but ASCII before it");
        let error = fails(&mut session, misplaced.text)?;
        ensure!(
            error.position == Some(place),
            "`{}` fails at {:?} instead of {place}: {}",
            misplaced.text,
            error.position,
            error.message
        );
    }
    Ok(())
}

/// The number that a text ends with, whatever stands behind its digits.
fn last_number(text: &str) -> Option<usize> {
    let text = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let digits = text.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    text.get(digits..)?.parse().ok()
}

fn notices(bench: &Bench) -> Result<()> {
    let notices = bench.target.statements.notices.as_ref().context("the target has no notices")?;
    let mut session = RawSession::open(bench)?;
    let table = bench.fresh_name();
    for text in [bench.target.statements.create].iter().chain(&notices.before) {
        let (status, events) = session.execute(&on(text, &table, 1))?;
        ensure!(status == RSD_OK, "`{text}` came to {status}, {events:?}");
    }
    let (status, events) = session.execute(&on(&notices.statement, &table, 1))?;
    if let Some(fault) = fault(status, &events, true) {
        bail!("{fault}");
    }
    let mut count = 0;
    for event in &events {
        let Event::Notice(message) = event else { continue };
        count += 1;
        ensure!(last_number(message) == Some(count), "notice {count} is {message:?}");
    }
    ensure!(count == notices.count, "{count} notices came instead of {}", notices.count);
    Ok(())
}
