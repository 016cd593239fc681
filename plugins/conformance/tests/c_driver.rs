//! A driver in C keeps the contract as one in Rust does; put wrong in one place, it breaks a rule that drivers in Rust cannot break, and
//! exactly the case that is meant to find it does.

mod targets;

use anyhow::{Result, ensure};
use runsheet_conformance::run;
use runsheet_test_servers::{build_c_driver, c_driver_sources, compile_driver};
use std::fs;
use std::path::{Path, PathBuf};
use targets::keyvalue::target;

/// What it has no server for, or no such thing in its engine.
const SKIPPED: &[&str] = &[
    "batch",
    "batch-failing",
    "batch-notices",
    "load",
    "load-refused",
    "reset-takes-settings-back",
    "reset-drops-temporary",
    "label",
    "judge-before",
    "judge-after",
    "advise",
    "killed-in-statement",
    "killed-in-commit",
];

/// A place in a file of the C driver, what is to stand there instead, and the case that finds it.
const SPOILED: &[(&str, &str, &str, &str)] = &[
    (
        "c_driver.c",
        "static bool is_a_name(",
        "__attribute__((visibility(\"default\"))) bool is_a_name(rsd_str database);\nbool is_a_name(",
        "entry",
    ),
    (
        "c_driver.c",
        "if (is_text(id, \"rsd.split/1\"))",
        "if (id.len >= 9 && memcmp(id.ptr, \"rsd.split/1\", 9) == 0)",
        "extensions",
    ),
    (
        "c_driver.c",
        "if (args == NULL || connection == NULL) return RSD_MISUSE;",
        "if (args == NULL || connection == NULL || args->struct_size != sizeof *args) return RSD_MISUSE;",
        "larger-structs",
    ),
    (
        "say.c",
        "    say_error(sink, failure);\n",
        "    say_error(sink, failure);\n    say_error(sink, failure);\n",
        "says-once",
    ),
];

#[test]
fn the_driver_in_c_keeps_the_contract_and_is_found_where_it_is_put_wrong() -> Result<()> {
    let folder = targets::folder()?;
    let report = run(target(build_c_driver()?, folder.path())?)?;
    println!("{report}");
    assert!(report.failed().is_empty(), "{report}");
    assert_eq!(report.skipped(), SKIPPED, "{report}");

    for (file, right, wrong, case) in SPOILED {
        let (built, folder) = (tempfile::tempdir()?, targets::folder()?);
        let library = spoiled(built.path(), file, right, wrong)?;
        let report = run(target(library, folder.path())?)?;
        assert_eq!(report.failed(), [*case], "with {wrong:?}: {report}");
    }
    Ok(())
}

/// The C driver with one place of one of its files put wrong.
fn spoiled(folder: &Path, file: &str, right: &str, wrong: &str) -> Result<PathBuf> {
    let mut sources = Vec::new();
    for source in c_driver_sources()? {
        if !source.ends_with(file) {
            sources.push(source);
            continue;
        }
        let text = fs::read_to_string(&source)?;
        ensure!(text.matches(right).count() == 1, "{file} has {right:?} once");
        let copy = folder.join(file);
        fs::write(&copy, text.replace(right, wrong))?;
        sources.push(copy);
    }
    let library = folder.join("librunsheet_driver_spoiled.so");
    compile_driver(&sources, &library)?;
    Ok(library)
}
