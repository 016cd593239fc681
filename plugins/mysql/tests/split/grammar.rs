//! Random scripts for the client: of statements that could stand in a sheet, and of bytes that mean something to it in any order. Every
//! statement has a name of its own in it, once at its beginning and once at its end.

use crate::random::{Random, soup};

/// Between two tokens.
const GAPS: &[&str] = &[
    " ",
    " ",
    " ",
    "\n",
    "\n",
    "\t",
    "\r\n",
    "  ",
    "\n\n",
    " /* gap; ' */ ",
    "/**/ ",
    "/* a\n; */ ",
    "/*'*/ ",
    " -- line; '\n",
    " --\n",
    " # hash; \"\n",
    " #\r\n",
    " --\t`\n",
];

/// Tokens with something in them that would mislead a careless reader.
const TOKENS: &[&str] = &[
    "a",
    "b1",
    "select",
    "x$y",
    "é",
    "_",
    "`q``; x`",
    "`--`",
    "`\\`",
    "'text'",
    "'it''s; x'",
    "'-- no'",
    "'/* no'",
    "'#'",
    "''",
    "\"d; q\"",
    "\"say \"\"so;\"\"\"",
    "'line\n; two'",
    "N'n;'",
    "_utf8'é;'",
    "0x1F",
    "x'1F'",
    "b'01'",
    "@v",
    "@`v;`",
    "@'v;'",
    ":= 1",
    "1",
    "1.5",
    "1e10",
    "1--1",
    "1 - -1",
    "1-- \n1",
    "*",
    "/ ",
    "%",
    "<=>",
    "->>",
    "||",
    ",",
    ".",
    "(",
    ")",
    " /*+ hint; ' */ ",
    "/*! 40 */ ",
    "/*!50001 ' ; ' */ ",
    "/*!50003CREATE*/ ",
    "/*M!100100 a */ ",
    "/*!40101 `;` \"*/\" */ ",
    "\\N",
    "$a",
    "a/*;*/b",
    "1-#;\n2",
];

/// These hold backslashes, which escape or do not.
const ESCAPED: &[&str] =
    &["'it\\'s; x'", "'\\\\'", "\"say \\\"so;\\\"\"", "'\\n\\0\\Z;'", "'a\\\nb;'", "'\\\\\\';'"];
const NOT_ESCAPED: &[&str] = &["'back\\'", "\"back\\\"", "'\\\\'", "'\\''\\'"];
const NAMES_ONLY: &[&str] = &["\"back\\\"", "\"\\\\\"", "'it\\'s;'"];

const HEADS: &[&str] = &[
    "SELECT",
    "INSERT INTO t VALUES",
    "UPDATE t SET",
    "DELETE FROM t WHERE",
    "CREATE TABLE t AS",
    "ALTER TABLE t ADD",
    "DO",
    "CALL p",
    "BEGIN -- \n",
    "COMMIT -- \n",
    "/*!40000 ALTER TABLE t DISABLE KEYS */",
    "LOCK TABLES t WRITE",
    "/*!50001 CREATE*/ /*!50013 VIEW*/",
    "GRANT",
    "ANALYZE NO_WRITE_TO_BINLOG TABLE t",
    "set names",
    "source_of",
    "used",
    "delimiters",
    "go_on",
    "connect$",
];

const BODIES: &[&str] = &[
    "CREATE PROCEDURE p()\nBEGIN\n  SELECT 1;\n  SELECT ';';\nEND",
    "CREATE DEFINER=`root`@`%` FUNCTION f(a INT) RETURNS INT\nBEGIN IF a THEN RETURN 1; END IF; RETURN 2; END",
    "/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`l`*/ /*!50003 TRIGGER t BEFORE INSERT ON u FOR EACH ROW BEGIN SET @a = 1; END */",
    "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN DELETE FROM t; INSERT INTO t VALUES ('-- ;'); END",
    "BEGIN NOT ATOMIC\nDECLARE a INT; -- here; \nSELECT 1 INTO a; END",
    "part: BEGIN SELECT 1; LEAVE part; END",
    "CREATE OR REPLACE PACKAGE BODY k AS PROCEDURE p AS BEGIN SELECT 1; END; END",
];

const DELIMITERS: &[&str] = &["//", "$$", ";;", "%%", "~.~", "EOS_", "^"];

#[derive(Clone, Copy)]
enum Mode {
    Escapes,
    NoEscapes,
    AnsiQuotes,
}

/// A script that the client cuts without a complaint.
pub fn script(random: &mut Random) -> Vec<u8> {
    let mut text = String::new();
    if random.one_in(8) {
        text.push('\u{FEFF}');
    }
    let mut mode = Mode::Escapes;
    let mut delimiter = ";";
    for number in 0..1 + random.below(12) {
        match random.below(12) {
            0 if delimiter == ";" => {
                let (next, words) = match random.below(3) {
                    0 => (Mode::Escapes, ""),
                    1 => (Mode::NoEscapes, "NO_BACKSLASH_ESCAPES"),
                    _ => (Mode::AnsiQuotes, "STRICT_ALL_TABLES,ANSI_QUOTES"),
                };
                mode = next;
                text.push_str(&format!("SET sql_mode = '{words}';\n"));
            }
            1 => {
                delimiter = if delimiter == ";" { random.pick(DELIMITERS) } else { ";" };
                let word = random.pick(&["DELIMITER", "delimiter", " Delimiter"]);
                text.push_str(&format!("\n{word} {delimiter}{}\n", random.pick(&["", " ", " -- so", "\r"])));
            }
            2 if delimiter != ";" => {
                text.push_str(random.pick(BODIES));
                text.push(' ');
                gap(random, &mut text);
                text.push_str(delimiter);
            }
            3 if random.one_in(2) => {
                text.push_str(random.pick(&["\nuse db1\n", "\n USE `db2` \n", "\nuse 'db3' x\r\n"]))
            }
            3 => {
                text.push_str(&format!("SELECT n{number}"));
                text.push_str(random.pick(&["\\g", "\\G"]));
            }
            _ => statement(random, &mut text, mode, number, delimiter),
        }
        if random.one_in(2) {
            text.push_str(random.pick(&["\n", "\n-- after; '\n", "\n# after; '\n", "\r\n", "\n\n"]));
        }
    }
    text.push_str("\nSELECT 'last'");
    text.into_bytes()
}

fn statement(random: &mut Random, text: &mut String, mode: Mode, number: usize, delimiter: &str) {
    text.push_str(random.pick(HEADS));
    text.push_str(&format!(" n{number} "));
    for _ in 0..random.below(9) {
        gap(random, text);
        let backslashes = match mode {
            Mode::Escapes => ESCAPED,
            Mode::NoEscapes => NOT_ESCAPED,
            Mode::AnsiQuotes => NAMES_ONLY,
        };
        text.push_str(if random.one_in(6) { random.pick(backslashes) } else { random.pick(TOKENS) });
    }
    gap(random, text);
    text.push_str(&format!(" n{number} "));
    text.push_str(delimiter);
}

fn gap(random: &mut Random, text: &mut String) {
    text.push_str(random.pick(GAPS));
}

/// What means something to the client; without `/*!`, which it takes for two comments inside of another.
pub const PARTS: &[&str] = &[
    "'",
    "'",
    "\"",
    "\"",
    "`",
    "`",
    "\\",
    "\\'",
    "--\t",
    "-- ",
    "#",
    "/*",
    "*/",
    "/*+ a */ ",
    "*",
    "/",
    ";",
    ";",
    ";",
    ";",
    "\n",
    "\n",
    "\r\n",
    " ",
    "\t",
    "a",
    "1",
    "$",
    "é",
    "(",
    ")",
    "''",
    "select ",
    "set ",
    "\ndelimiter //\n",
    "\ndelimiter ;\n",
    "//",
    "@",
    "=",
    "\nuse x\n",
    "\\N",
];

/// Of these, in no order.
pub fn bytes(random: &mut Random) -> Vec<u8> {
    let length = 10 + random.below(120);
    let text = String::from_utf8(soup(random, PARTS, length)).expect("the parts are text");
    // The ends of comments are two bytes for the server, and one after the other for the client.
    text.replace("*//", "*/ /").replace("*/*", "*/ *").replace("/*/", "/* /").into_bytes()
}
