//! Random scripts that SQLite runs without a fault, and bytes that mean something to it in any order.

use crate::random::{Random, soup};

/// Between two tokens of a statement.
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
    "/**/",
    "/* a\n; */",
    "/*'*/",
    " -- line; '\n",
    "--\n",
    "\n--\"[\n",
    "\x0C",
];

/// Between two statements; the mark tells them from the comments of a statement.
const BETWEEN: &[&str] = &[
    "",
    "",
    "\n",
    " ",
    "\r\n",
    "\n-- @@ ; '\n",
    "\n/* @@ ; ' */\n",
    "\n\n",
    ";",
    " ;\n",
    "\n# @@ the shell's own; '\n",
    "\n/* @@\n; */",
];

/// Expressions with something in them that would mislead a careless reader.
const EXPRESSIONS: &[&str] = &[
    "1",
    "'text'",
    "'it''s; x'",
    "'-- no'",
    "'/* no'",
    "''",
    "'line\n; two'",
    "x'3B'",
    "-1",
    "1-- ;\n+1",
    "1.5e3",
    ".5",
    "(1)",
    "NULL",
    "CASE WHEN 1 THEN 'end' ELSE 2 END",
    "CASE 1 WHEN 1 THEN CASE 2 WHEN 2 THEN 3 END END",
    "'#'",
    "'.read x'",
    "1/*;*/ /2",
    "1 IN (1, 2)",
    ":a",
    "?1",
    "@b",
    "$c",
    "$c::d",
    "'é;'",
    "1 IS NOT 2",
];

/// Whole statements; `{n}` is a number of their own.
const STATEMENTS: &[&str] = &[
    "INSERT INTO u VALUES ({e}, {e})",
    "INSERT INTO u SELECT {e}, {e}",
    "UPDATE u SET a = {e} WHERE b = {e}",
    "DELETE FROM u WHERE a = {e}",
    "REPLACE INTO u VALUES ({e}, 'x')",
    "WITH c AS (SELECT {e}) SELECT * FROM c",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 3) INSERT INTO u SELECT x, {e} FROM c",
    "SELECT {e}",
    "VALUES ({e}, {e})",
    "CREATE TABLE [t;{n}] (\"end\" INT, [trigger] TEXT, `begin;` INT)",
    "CREATE TEMP TABLE temp{n} AS SELECT {e} AS \"a;b\"",
    "CREATE INDEX \"i;{n}\" ON u (a) WHERE a > 1",
    "CREATE VIEW v{n} AS SELECT {e} AS [x;y]",
    "CREATE TRIGGER g{n} AFTER INSERT ON t BEGIN SELECT {e}; END",
    "CREATE TEMP TRIGGER g{n} BEFORE UPDATE OF a ON t FOR EACH ROW WHEN CASE WHEN new.a THEN 1 ELSE 0 END BEGIN UPDATE u SET a = {v}; DELETE FROM u WHERE b = {v}; END",
    "create temporary trigger if not exists g{n} after delete on t begin insert into u values (1, 'end;'); select case 1 when 1 then 2 end; end",
    "CREATE TRIGGER \"g;{n}\" INSTEAD OF INSERT ON v BEGIN SELECT 1;; SELECT 2; END",
    "EXPLAIN SELECT {e}",
    "EXPLAIN QUERY PLAN SELECT {e}",
    "EXPLAIN CREATE TRIGGER h AFTER INSERT ON t BEGIN SELECT 1; END",
    "SAVEPOINT s",
    "RELEASE s",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "PRAGMA user_version = {n}",
    "PRAGMA main.table_info('t')",
    "ANALYZE",
    "ATTACH ':memory:' AS other",
    "DETACH other",
];

/// What the statements need, and the tables whose triggers never run.
pub const OBJECTS: &str = "CREATE TABLE t (a, b); CREATE TABLE u (a, b); CREATE VIEW v AS SELECT 1 AS a;\n";

/// A script, with the lines that only the shell knows or without them.
pub fn script(random: &mut Random, for_shell: bool) -> Vec<u8> {
    let mut text = OBJECTS.to_owned();
    for number in 0..1 + random.below(12) {
        // These come in pairs, so that each works.
        let pairs = [
            ["SAVEPOINT s", "RELEASE s"],
            ["BEGIN IMMEDIATE", "COMMIT"],
            ["ATTACH ':memory:' AS other", "DETACH other"],
        ];
        let statement = random.pick(STATEMENTS);
        let all = match pairs.iter().find(|pair| pair.contains(&statement)) {
            Some(pair) => pair.to_vec(),
            None => vec![statement],
        };
        for statement in all {
            // SQLite takes no second semicolon in a body.
            statement_to(random, &mut text, &statement.replace(";;", ";"), number);
            let end = if for_shell {
                random.pick(&[";", ";", ";", "\n/\n", "\ngo\n", "\n GO -- @@ so\n", "\n/ /* @@ */ \n"])
            } else {
                ";"
            };
            text.push_str(end);
            let between = random.pick(BETWEEN);
            if for_shell || !between.contains('#') {
                text.push_str(between);
            }
        }
    }
    if random.one_in(2) {
        text.push_str("\nSELECT 'last'");
    }
    text.into_bytes()
}

fn statement_to(random: &mut Random, text: &mut String, statement: &str, number: usize) {
    let statement = statement.replace("{n}", &number.to_string());
    for (place, word) in statement.split(' ').enumerate() {
        if place > 0 {
            // A name or string with a blank in it stays whole, and the rest may have anything between.
            let plain = word.chars().all(|sign| sign.is_ascii_alphanumeric()) && !text.ends_with('\'');
            text.push_str(if plain { random.pick(GAPS) } else { " " });
        }
        let mut rest = word;
        while let Some(at) = rest.find("{e}").or_else(|| rest.find("{v}")) {
            text.push_str(&rest[..at]);
            let mut expression = random.pick(EXPRESSIONS);
            // A trigger and a view have no parameters.
            let fixed =
                statement.contains("TRIGGER") || statement.contains("VIEW") || rest[at..].starts_with("{v}");
            while fixed && expression.starts_with([':', '?', '@', '$']) {
                expression = random.pick(EXPRESSIONS);
            }
            text.push_str(expression);
            rest = &rest[at + 3..];
        }
        text.push_str(rest);
    }
}

/// What means something to SQLite and its shell.
pub const PARTS: &[&str] = &[
    "'",
    "'",
    "\"",
    "`",
    "[",
    "]",
    "--",
    "#",
    "/*",
    "*/",
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
    "-",
    ".",
    "create ",
    "temp ",
    "trigger ",
    "begin ",
    "end",
    "end;",
    "explain ",
    "create trigger ",
    "create temp trigger a ",
    "end ",
    "case ",
    "select ",
    "\n/\n",
    "\ngo\n",
    "@",
    "\x0C",
];

/// Of these, in no order.
pub fn bytes(random: &mut Random) -> Vec<u8> {
    let length = 10 + random.below(120);
    soup(random, PARTS, length)
}
