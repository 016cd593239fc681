//! Identity: a session is found again by it, and no other is taken for it.

use crate::bench::Bench;
use crate::case::Case;
use anyhow::{Result, ensure};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "identity-stays",
            rule: "A session says the same of itself as long as it lives, and leaves nothing out.",
            needs: &[],
            check: stays,
        },
        Case {
            name: "identity-differs",
            rule: "Two sessions are not the same, on one server.",
            needs: &[],
            check: differs,
        },
    ]
}

fn stays(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let first = session.identify()?;
    let table = bench.table(&mut session)?;
    session.begin()?;
    bench.insert(&mut session, &table, 1)?;
    std::thread::sleep(bench.target.apart);
    let second = session.identify()?;
    session.commit(&mut |_| {})?;
    ensure!(first == second, "{first:?} became {second:?}");
    for (what, said) in [
        ("product", &first.product),
        ("version", &first.version),
        ("session", &first.session),
        ("start", &first.session_start),
        ("system", &first.system),
        ("user", &first.user),
    ] {
        ensure!(!said.is_empty(), "its {what} is empty: {first:?}");
    }
    ensure!(first.database == bench.target.database, "its database is {:?}", first.database);
    Ok(())
}

fn differs(bench: &Bench) -> Result<()> {
    let mut one = bench.open()?;
    std::thread::sleep(bench.target.apart);
    let mut two = bench.open()?;
    let (one, two) = (one.identify()?, two.identify()?);
    ensure!(one.session != two.session, "both sessions are {:?}", one.session);
    ensure!(one.system == two.system, "one server says of itself {:?} and {:?}", one.system, two.system);
    ensure!(one.product == two.product && one.version == two.version, "{one:?} and {two:?}");
    Ok(())
}
