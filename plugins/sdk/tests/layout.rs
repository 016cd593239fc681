//! A C and a C++ compiler see the same structs as Rust: sizes, offsets of every field, and numbers of constants.

use anyhow::{Context, Result, bail};
use runsheet_sdk::abi::*;
use std::fs;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

/// What a compiler must agree with, as lines of C.
struct Facts(Vec<String>);

impl Facts {
    fn add(&mut self, expression: impl std::fmt::Display, value: impl std::fmt::Display) {
        self.0.push(format!("static_assert({expression} == {value}, \"{expression} is {value} in Rust\");"));
    }
}

/// Adds a struct's size and the offset of every field. The pattern has no `..`, so a field that is not named here does not compile.
macro_rules! layout {
    ($facts:ident, $name:ident { $($field:ident),+ $(,)? }) => {{
        #[allow(dead_code, unused_variables, reason = "it only has to compile")]
        fn all_fields(value: &$name) {
            let $name { $($field),+ } = value;
        }
        $facts.add(concat!("sizeof(", stringify!($name), ")"), size_of::<$name>());
        $($facts.add(
            concat!("offsetof(", stringify!($name), ", ", stringify!($field), ")"),
            offset_of!($name, $field),
        );)+
    }};
}

macro_rules! constants {
    ($facts:ident, $($name:ident),+ $(,)?) => {
        $($facts.add(stringify!($name), $name);)+
    };
}

fn structs(facts: &mut Facts) {
    layout!(facts, rsd_str { ptr, len });
    layout!(facts, rsd_option { key, value, secret });
    layout!(
        facts,
        rsd_error {
            struct_size,
            class_,
            applied,
            sqlstate,
            vendor_code,
            position,
            message,
            detail,
            hint,
            object
        }
    );
    layout!(facts, rsd_notice { struct_size, sqlstate, vendor_code, severity, message });
    layout!(facts, rsd_result { struct_size, transaction, rows_affected, tag });
    layout!(
        facts,
        rsd_identity { struct_size, product, version, session, session_start, system, database, user, doing }
    );
    layout!(
        facts,
        rsd_mark {
            struct_size,
            segment,
            first_statement,
            last_statement,
            complete,
            task,
            plan,
            spec,
            sheet,
            sheet_sha256,
            schema_version,
            host,
            applied_time
        }
    );
    layout!(
        facts,
        rsd_sink {
            struct_size,
            ctx,
            on_error,
            on_notice,
            on_result,
            on_identity,
            on_mark,
            on_observation,
            on_verdict
        }
    );
    layout!(facts, rsd_host { struct_size, abi_minor, ctx, log });
    layout!(facts, rsd_open_args { struct_size, option_count, options, database, label });
}

fn tables(facts: &mut Facts) {
    layout!(
        facts,
        rsd_driver {
            struct_size,
            reserved,
            facts,
            check,
            open,
            close,
            reset,
            ping,
            identify,
            execute,
            begin,
            commit,
            rollback,
            cancel,
            extension
        }
    );
    layout!(facts, rsd_entry { struct_size, abi_minor, name, version, title, start });
    layout!(facts, rsd_piece { struct_size, kind, flags, reserved, start, end, consumed });
    layout!(facts, rsd_split { struct_size, reserved, start, next, finish });
    layout!(facts, rsd_lock { struct_size, reserved, try_lock, unlock, end_holder });
    layout!(facts, rsd_ledger { struct_size, reserved, prepare, write, read, find_version });
    layout!(facts, rsd_load { struct_size, reserved, begin, rows, end });
    layout!(facts, rsd_observation { struct_size, settled, text, summary });
    layout!(facts, rsd_verdict { struct_size, ruling, reason, summary, repair });
    layout!(facts, rsd_judge { struct_size, reserved, observe, execute, judge, vet, advise });
    layout!(facts, rsd_batch { struct_size, reserved, execute });
}

fn numbers(facts: &mut Facts) {
    constants!(
        facts,
        RSD_ABI_MINOR,
        RSD_OK,
        RSD_FAILED,
        RSD_CANCELED,
        RSD_LOST,
        RSD_MISUSE,
        RSD_DRIVER_BUG,
        RSD_UNSUPPORTED,
        RSD_BUSY,
        RSD_MORE,
        RSD_END,
        RSD_CLASS_SETTING,
        RSD_APPLIED_UNKNOWN,
        RSD_APPLIED_NO,
        RSD_APPLIED_YES,
        RSD_FACT_UNSAFE_TABLES,
        RSD_SETTLED_BY_MARK,
        RSD_RULING_REPAIR,
        RSD_PIECE_ROWS,
        RSD_PIECE_FLAG_MAY_COMMIT,
    );
}

/// The program: a driver's least, so that the entry's declaration is used too, and the facts.
fn program() -> Facts {
    let mut facts = Facts(vec![
        "#include \"runsheet_driver.h\"".to_owned(),
        "#include <assert.h>".to_owned(),
        "static const rsd_driver *start(const rsd_host *host) { (void)host; return NULL; }".to_owned(),
        "const rsd_entry rsd_entry_v1 = { sizeof(rsd_entry), RSD_ABI_MINOR, { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, start };"
            .to_owned(),
    ]);
    structs(&mut facts);
    tables(&mut facts);
    numbers(&mut facts);
    facts
}

fn compile(compiler: &str, flags: &[&str], source: &Path) -> Result<()> {
    let output = Command::new(compiler)
        .args(flags)
        .args(["-Wall", "-Wextra", "-Werror", "-c", "-I"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("include"))
        .arg(source)
        .arg("-o")
        .arg(source.with_extension("o"))
        .output()
        .with_context(|| format!("{compiler} is there"))?;
    if !output.status.success() {
        bail!("{compiler} {flags:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

#[test]
fn c_and_cpp_see_the_structs_that_rust_has() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let text = program().0.join("\n") + "\n";
    for (compiler, flags, name) in [
        ("cc", &["-std=c11", "-pedantic"] as &[&str], "layout.c"),
        ("c++", &["-std=c++17", "-pedantic"], "layout.cc"),
    ] {
        let source = folder.path().join(name);
        fs::write(&source, &text)?;
        compile(compiler, flags, &source)?;
    }
    Ok(())
}

#[test]
fn a_struct_that_differs_does_not_compile() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut facts = program();
    facts.add("offsetof(rsd_error, position)", 31);
    let source = folder.path().join("layout.c");
    fs::write(&source, facts.0.join("\n"))?;
    let refusal =
        compile("cc", &["-std=c11"], &source).err().context("a wrong offset is refused")?.to_string();
    assert!(refusal.contains("offsetof(rsd_error, position) is 31 in Rust"), "{refusal}");
    Ok(())
}
