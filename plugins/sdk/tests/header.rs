//! The C header is what the Rust types say: written anew in memory, it is the file in `include/`.
//! With RUNSHEET_BLESS=1 the file is written instead.

use anyhow::{Context, Result, bail};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

fn package() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files of the source, in the order in which the header has them.
const SOURCES: [&str; 2] = ["src/abi/mod.rs", "src/abi/extensions.rs"];

fn source() -> Result<String> {
    SOURCES.iter().map(|file| Ok(fs::read_to_string(package().join(file))?)).collect()
}

fn header_file() -> PathBuf {
    package().join("include/runsheet_driver.h")
}

/// What stands between the rules and the items.
const HEAD: &str = r#"
#ifndef RUNSHEET_DRIVER_H
#define RUNSHEET_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
"#;

/// What stands behind the items: the symbol itself, which is a constant and so no item of the source.
const TAIL: &str = r#"
// What the driver defines, and the one symbol that its library shows. Everything else is best hidden:
// cc -std=c11 -shared -fPIC -fvisibility=hidden -Wl,-z,defs -o librunsheet_driver_NAME.so NAME.c
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
extern const rsd_entry rsd_entry_v1;

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // RUNSHEET_DRIVER_H
"#;

/// The comment at the top: the source's own, without the marks that only Rust's documentation reads.
fn rules(source: &str) -> String {
    let mut text = String::from("// The C ABI between Runsheet and a database driver, version 1.\n//\n");
    text.push_str("// Written from plugins/sdk/src/abi by its test; do not edit it by hand:\n");
    text.push_str("// RUNSHEET_BLESS=1 cargo test -p runsheet-sdk --test header\n//\n");
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    for line in lines.skip_while(|line| !line.starts_with(" # ")) {
        let line = line.replace("[`rsd_entry_v1`](rsd_entry)", "`rsd_entry_v1`").replace(['[', ']', '*'], "");
        text.push_str(&format!("//{}\n", line.replace(" # Rules", " Rules")));
    }
    text
}

/// What cbindgen makes of the types and constants, as blocks of a comment and its item.
fn items() -> Result<Vec<String>> {
    let config = cbindgen::Config::from_file(package().join("cbindgen.toml")).map_err(anyhow::Error::msg)?;
    let builder = cbindgen::Builder::new().with_config(config);
    let bindings = SOURCES
        .iter()
        .fold(builder, |builder, file| builder.with_src(package().join(file)))
        .generate()
        .context("cbindgen reads src/abi")?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8(text)?;
    let inside = text.split_once("extern \"C\" {\n#endif").map_or(text.as_str(), |(_, inside)| inside);
    let inside = inside.split_once("#ifdef __cplusplus").map_or(inside, |(inside, _)| inside);
    Ok(inside
        .split("\n\n")
        .map(|block| block.trim_matches('\n').to_owned())
        .filter(|b| !b.is_empty())
        .collect())
}

/// The name that a block gives to its item.
fn name(block: &str) -> Result<&str> {
    let line = block.lines().rfind(|line| !line.starts_with("//")).context("a block has an item")?;
    let words = |text: &'static str| line.strip_prefix(text).and_then(|rest| rest.split_whitespace().next());
    let typedef = || line.strip_suffix(';').and_then(|rest| rest.rsplit([' ', '}']).next());
    words("#define ").or_else(typedef).with_context(|| format!("no name in: {block}"))
}

/// The items in the source's order, constants behind the type that they are of. cbindgen puts all constants first.
fn ordered(source: &str, blocks: Vec<String>) -> Result<Vec<String>> {
    let mut places = HashMap::new();
    for (place, line) in source.lines().enumerate() {
        let declared =
            ["pub const ", "pub type ", "pub struct "].iter().find_map(|word| line.strip_prefix(word));
        if let Some(rest) = declared {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            places.insert(rest[..end].to_owned(), place);
        }
    }
    let mut placed = Vec::new();
    for block in blocks {
        let place = *places.get(name(&block)?).with_context(|| format!("not in the source: {block}"))?;
        placed.push((place, block));
    }
    placed.sort();
    let found = placed.len();
    if found != places.len() {
        bail!("the source declares {} items, but the header has {found}", places.len());
    }
    Ok(placed.into_iter().map(|(_, block)| block).collect())
}

fn header() -> Result<String> {
    let source = source()?;
    let mut text = rules(&source) + HEAD;
    let mut was_constant = false;
    for block in ordered(&source, items()?)? {
        let is_constant = block.contains("\n#define ") || block.starts_with("#define ");
        // Constants stand together, everything else apart.
        if !(was_constant && is_constant) {
            text.push('\n');
        }
        text.push_str(&block);
        text.push('\n');
        was_constant = is_constant;
    }
    Ok(text + TAIL)
}

/// The first line in which two texts differ.
fn difference(left: &str, right: &str) -> String {
    let mut pairs = left.lines().zip(right.lines()).enumerate();
    match pairs.find(|(_, (left, right))| left != right) {
        Some((at, (left, right))) => format!("line {}:\n  file: {left}\n  source: {right}", at + 1),
        None => "one is longer than the other".to_owned(),
    }
}

fn compare(file: &Path, wanted: &str) -> Result<()> {
    let found = fs::read_to_string(file).unwrap_or_default();
    if found != wanted {
        bail!(
            "{} is not what src/abi says; {}\nwrite it with RUNSHEET_BLESS=1 cargo test -p runsheet-sdk --test header",
            file.display(),
            difference(&found, wanted)
        );
    }
    Ok(())
}

#[test]
fn the_header_is_what_the_source_says() -> Result<()> {
    let wanted = header()?;
    if std::env::var_os("RUNSHEET_BLESS").is_some_and(|value| value == "1") {
        fs::write(header_file(), &wanted)?;
    }
    compare(&header_file(), &wanted)
}

#[test]
fn a_header_that_differs_is_found_with_its_line() -> Result<()> {
    let wanted = header()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("runsheet_driver.h");
    fs::write(&file, wanted.replace("#define RSD_LOST 3", "#define RSD_LOST 4"))?;
    let refusal = compare(&file, &wanted).err().context("a changed number is found")?.to_string();
    assert!(refusal.contains("file: #define RSD_LOST 4\n  source: #define RSD_LOST 3"), "{refusal}");
    Ok(())
}
