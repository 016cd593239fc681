//! Random scripts for psql: of statements that could stand in a sheet, and of bytes that mean something to a lexer in any order.

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
    "/* a /* nested; */ $$ b */",
    "-- line; '\n",
    "--\n",
    " -- $$ /* \r\n",
    "/**/",
    "/*'*/",
    "\n--\"\n",
];

/// Tokens with something in them that would mislead a careless reader.
const TOKENS: &[&str] = &[
    "a",
    "b1",
    "select",
    "x$y",
    "tab$1$le",
    "é",
    "_",
    "\"q\"\"; x\"",
    "\"--\"",
    "\"$$\"",
    "'text'",
    "'it''s; x'",
    "'-- no'",
    "'/* no'",
    "'$$'",
    "'back\\slash'",
    "''",
    "E'a\\'b; c'",
    "e'\\\\'",
    "E'x''y\\n'",
    "E'\\''",
    "U&'d\\0061t\\+000061; '",
    "U&\"d\\0061; \"",
    "B'01'",
    "x'1F'",
    "N'n;'",
    "$$; body ' \" $$",
    "$a$ $b$; $$ $a$",
    "$_1$--\n;$_1$",
    "$é$;$é$",
    "$$$$",
    "$1",
    "$2",
    "1",
    "1.5",
    ".5",
    "1e10",
    "1.5E-3",
    "42",
    "+",
    "-",
    "*",
    "/",
    "=",
    "<>",
    "->>",
    "@>",
    "||",
    "::int",
    ":= 1",
    "a[1:2]",
    "a[b:c]",
    "a[:]",
    "(1:2)",
    ",",
    ".",
    "<<x>>",
    "#>",
    "?|",
    "!~*",
    "a+-- op\n1",
    "*/*c;*/2",
    "@-/*;*/3",
];

const WORDS_AT_START: &[&str] = &[
    "SELECT",
    "INSERT INTO t VALUES",
    "UPDATE t SET",
    "DELETE FROM t WHERE",
    "CREATE TABLE t AS",
    "ALTER TABLE t ADD",
    "DO",
    "CALL p",
    "WITH c AS",
    "BEGIN",
    "COMMIT",
    "CREATE INDEX CONCURRENTLY ON t",
    "VACUUM",
    "EXPLAIN",
    "CREATE VIEW v AS SELECT",
    "CREATE RULE r AS ON UPDATE TO t DO",
    "CREATE PROCEDURES",
    "GRANT",
    "END",
    "create function f() language sql as",
];

/// A script that psql cuts without a complaint.
pub fn script(random: &mut Random) -> Vec<u8> {
    let mut text = String::new();
    if random.one_in(8) {
        text.push('\u{FEFF}');
    }
    let mut conforming = true;
    for _ in 0..1 + random.below(12) {
        match random.below(14) {
            0 => routine(random, &mut text),
            1 => rows(random, &mut text),
            2 => rule(random, &mut text),
            3 if random.one_in(2) => {
                conforming = !conforming;
                let word = if conforming { "on" } else { "off" };
                text.push_str(&format!("SET standard_conforming_strings = {word};\n"));
            }
            3 => text.push_str(random.pick(&[
                ";",
                ";;\n",
                " ; ",
                "-- only a comment\n",
                "/* ; */",
                "\\restrict x\n\\unrestrict x\n",
            ])),
            _ => {
                text.push_str(random.pick(WORDS_AT_START));
                tokens(random, &mut text, conforming);
                if random.one_in(3) {
                    gap(random, &mut text);
                }
                text.push(';');
            }
        }
        if random.one_in(2) {
            gap(random, &mut text);
        }
    }
    if random.one_in(2) {
        text.push_str("\nSELECT 'last'");
    }
    text.into_bytes()
}

fn gap(random: &mut Random, text: &mut String) {
    text.push_str(random.pick(GAPS));
}

fn tokens(random: &mut Random, text: &mut String, conforming: bool) {
    for _ in 0..random.below(9) {
        gap(random, text);
        if random.one_in(8) {
            text.push('(');
            text.push_str(random.pick(&["a; b", ";", "'; ('", "(1;) -- )\n", "/* ) */ a"]));
            text.push(')');
            continue;
        }
        if !conforming && random.one_in(3) {
            text.push_str(random.pick(&["U&'\\'", "X'\\'", "'it\\'s; off'", "'\\\\'", "'a\\'\\'; b'"]));
            continue;
        }
        let token = random.pick(TOKENS);
        // Where a backslash escapes, this one would not end.
        if conforming || !token.contains('\\') {
            text.push_str(token);
        }
    }
    gap(random, text);
}

fn routine(random: &mut Random, text: &mut String) {
    let head = [
        "create function f(a int, b int)",
        "CREATE OR REPLACE FUNCTION f()",
        "create or replace\nprocedure p()",
        "Create Procedure p(begin int)",
    ];
    text.push_str(random.pick(&head));
    text.push_str(random.pick(&[" language sql ", "\nRETURNS int ", " /* begin */ ", " -- begin\n"]));
    text.push_str("BEGIN ATOMIC\n");
    for _ in 0..random.below(4) {
        text.push_str(random.pick(&[
            "SELECT 1;",
            "INSERT INTO t VALUES ('end;');\n",
            "SELECT CASE a WHEN 1 THEN 'x' ELSE (CASE WHEN b THEN 1 END) END;",
            "SELECT case when a then case b when 1 then 2 end else 3 end; ",
            "SELECT 'begin' AS \"begin\" -- begin\n;",
            "/* end */ UPDATE t SET a = $$end;$$;",
        ]));
    }
    text.push_str(random.pick(&["END;", "end\n;", "End /* ; */ ;"]));
}

fn rule(random: &mut Random, text: &mut String) {
    text.push_str("CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO u VALUES (1); DELETE FROM w;");
    text.push_str(random.pick(&[")", " )", "/*)*/)", "SELECT ')')"]));
    text.push(';');
}

/// A load; its table's name tells the recorder that rows follow.
fn rows(random: &mut Random, text: &mut String) {
    text.push('\n');
    text.push_str(random.pick(&[
        "COPY rows FROM STDIN;",
        "copy rows (a, b) from stdin with (format csv) ;",
        "COPY rows FROM STDIN WITH DELIMITER ';' NULL '\\N';",
        "COPY rows\nFROM -- here\nSTDIN;",
        "COPY rows FROM STDOUT;",
    ]));
    text.push_str(random.pick(&["\n", "\r\n", " \n", " -- rows; '\n"]));
    for _ in 0..random.below(5) {
        text.push_str(random.pick(&[
            "1\t2\n",
            "\\N\t\\N\n",
            "it's; $$ \"\n",
            "\\.x\n",
            " \\.\n",
            "\\\\.\n",
            "a\\.\n",
            "\n",
            "-- no comment /*\n",
            "1\r\n",
            "\\.\\.\n",
            "\\..\n",
            "x\\\n",
        ]));
    }
    text.push_str(random.pick(&["\\.\n", "\\.\r\n"]));
    // psql stops without a word at a semicolon that stands alone behind rows.
    text.push_str("SELECT 'behind';\n");
}

/// What means something to a lexer.
pub const PARTS: &[&str] = &[
    "'",
    "'",
    "\"",
    "$",
    "$$",
    "$a$",
    "$1",
    "a",
    "e",
    "E'",
    "U&'",
    "x'",
    "1",
    "1.5",
    ".",
    "e+",
    "-",
    "--",
    "*",
    "/",
    "/*",
    "*/",
    ";",
    ";",
    ";",
    "(",
    ")",
    "[",
    "]",
    "\n",
    "\n",
    "\r\n",
    "\r",
    " ",
    "\t",
    "begin ",
    "end ",
    "case ",
    "create function f ",
    "create ",
    "or ",
    "replace ",
    "procedure ",
    "+",
    "é",
    "::",
    "=",
    "_",
    "\\",
    "\\'",
    "1E'",
    "''",
];

/// Of these, in no order.
pub fn bytes(random: &mut Random) -> Vec<u8> {
    let length = 10 + random.below(150);
    soup(random, PARTS, length)
}
