//! Against the client itself: what it sends to a server that writes everything down must be what the splitter cuts, statement by
//! statement.

use crate::cut::{self, Outcome};
use crate::grammar;
use crate::random::{Random, cases, seed};
use crate::recorder::{Comments, Recorder};
use runsheet_driver_mysql::MySqlSplitter;
use runsheet_test_servers::shared;
use std::process::Command;

/// What a dump has to write.
const OBJECTS: &str = r#"
CREATE TABLE t (a INT AUTO_INCREMENT PRIMARY KEY, b TEXT, c BLOB);
INSERT INTO t (b, c) VALUES ('it''s; -- so', 0x0027225C0A1A0D3B), ('back\\slash /* ; */', REPEAT(';''"\\', 40));
CREATE VIEW v AS SELECT a, ';' AS b FROM t;
DELIMITER //
CREATE PROCEDURE p(x INT) COMMENT 'it''s; so' BEGIN DECLARE y INT; SELECT ';'; IF x THEN SELECT 1; END IF; END //
CREATE FUNCTION f() RETURNS INT DETERMINISTIC BEGIN RETURN 1; -- here; '
END //
CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.b = CONCAT(NEW.b, ';'); SET @a = 1; END //
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN DELETE FROM t; INSERT INTO t VALUES (1, ';', NULL); END //
DELIMITER ;
"#;

/// How many texts one client reads.
const AT_ONCE: usize = 100;

/// Without the blanks, comments and delimiters that it begins with.
pub fn without_filler(mut text: &[u8]) -> &[u8] {
    loop {
        match text {
            [b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C | b';', rest @ ..]
            | [0xEF, 0xBB, 0xBF, rest @ ..] => text = rest,
            [b'#', ..] | [b'-', b'-', ..] => {
                let line = text.iter().position(|byte| *byte == b'\n');
                text = &text[line.unwrap_or(text.len())..];
            }
            [b'/', b'*', b'!', ..] => return text,
            // But for the first line of a dump, which no version reads.
            [b'/', b'*', b'M', b'!', ..] if !text.starts_with(b"/*M!999999") => return text,
            [b'/', b'*', rest @ ..] => match rest.windows(2).position(|two| two == b"*/") {
                Some(length) => text = &text[length + 4..],
                None => return text,
            },
            _ => return text,
        }
    }
}

/// What is behind the piece in what was sent; blanks may differ, since the client puts one behind a comment where there is none, and
/// leaves out carriage returns, some line ends, and a backslash at a line's end.
fn behind<'a>(piece: &[u8], sent: &'a [u8]) -> Option<&'a [u8]> {
    let is_blank = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C | b'\\');
    let mut rest = sent;
    for byte in piece.iter().filter(|byte| !is_blank(**byte)) {
        rest = &rest[rest.iter().position(|byte| !is_blank(*byte))?..];
        rest = rest.strip_prefix(&[*byte])?;
    }
    Some(rest.strip_prefix(b"\\").unwrap_or(rest))
}

/// As the client sends it.
fn as_sent(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text).trim_end().as_bytes().to_vec();
    // It sends the name of a database by itself.
    match text.get(..4).map(<[u8]>::to_ascii_lowercase).as_deref() {
        Some(b"use ") if !text.contains(&b'\n') => {
            let name = text[4..].trim_ascii();
            let end = match name.first() {
                Some(quote @ (b'`' | b'\'' | b'"')) => {
                    name[1..].iter().position(|byte| byte == quote).map(|at| at + 1)
                }
                _ => name.iter().position(|byte| *byte == b' '),
            };
            let name = &name[..end.unwrap_or(name.len())];
            [b"use ", name.strip_prefix(b"`").or_else(|| name.strip_prefix(b"'")).unwrap_or(name)].concat()
        }
        _ => text,
    }
}

/// Without what the client sends of its own accord, and without what is only comments.
fn statements(sent: &[Vec<u8>]) -> Vec<&[u8]> {
    let own = |text: &&[u8]| {
        !text.is_empty()
            && !matches!(*text, b"SELECT DATABASE()" | b"select $$" | b"select @@version_comment limit 1")
    };
    sent.iter().map(|text| without_filler(text)).filter(own).collect()
}

fn without_semicolons(text: &[u8]) -> &[u8] {
    &text[text.iter().position(|byte| *byte != b';').unwrap_or(text.len())..]
}

/// How many of the pieces the statement that was sent is made of: one, and behind it at most a comment of the same line, which the
/// client adds. Under another delimiter the client sends several at once, which stand behind each other's semicolons.
fn covered(pieces: &[Vec<u8>], sent: &[u8], comments: Comments, at_once: bool) -> Option<usize> {
    let filler = match comments {
        Comments::Sent => without_filler,
        Comments::Left => without_semicolons,
    };
    let (mut rest, mut count) = (filler(sent), 0);
    while !rest.is_empty() {
        rest = behind(pieces.get(count)?, rest)?;
        if !at_once && rest.trim_ascii_start().starts_with(b";") {
            return None;
        }
        rest = filler(rest);
        count += 1;
    }
    (count == 1 || at_once).then_some(count)
}

fn shown(texts: &[Vec<u8>]) -> String {
    texts.iter().map(|text| format!("  {:?}\n", String::from_utf8_lossy(text))).collect()
}

/// Without comments and blanks, which the client leaves out and puts in.
fn bare(text: &[u8]) -> Vec<u8> {
    let mut bare = Vec::new();
    let mut rest = text;
    while let [byte, behind @ ..] = rest {
        rest = match rest {
            [b'\\', ..] => behind,
            [b'-', b'-'] => &[],
            [b'#', ..] | [b'-', b'-', b' ' | b'\t' | b'\n' | b'\r', ..] => {
                &rest[rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())..]
            }
            [b'/', b'*', b'!', ..] | [b'/', b'*', b'M', b'!', ..] => {
                bare.extend(b"/*");
                &rest[2..]
            }
            [b'/', b'*', inside @ ..] => match inside.windows(2).position(|two| two == b"*/") {
                Some(length) => &inside[length + 2..],
                None => &[],
            },
            [quote @ (b'\'' | b'"' | b'`'), inside @ ..] => {
                let length = quoted(inside, *quote);
                bare.extend(rest[..=length].iter().filter(|byte| !b" \t\r\n\\".contains(byte)));
                &inside[length..]
            }
            _ => {
                bare.extend((!byte.is_ascii_whitespace()).then_some(byte));
                behind
            }
        };
    }
    bare
}

/// The length of what is inside of a quote, with the quote that ends it.
fn quoted(inside: &[u8], quote: u8) -> usize {
    let mut at = 0;
    while let Some(byte) = inside.get(at) {
        match byte {
            b'\\' if quote != b'`' => at += 2,
            byte if *byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    inside.len()
}

/// Compares, and gives the number of statements and whether all of the text was cut.
fn compare(text: &[u8], sent: &[Vec<u8>], comments: Comments, about: &str) -> (usize, bool) {
    let Outcome { pieces, fault } = cut::whole(MySqlSplitter::new(true), text);
    let mut ours: Vec<Vec<u8>> = pieces.iter().map(|piece| as_sent(piece.text(text))).collect();
    let mut client: Vec<Vec<u8>> = statements(sent).into_iter().map(<[u8]>::to_vec).collect();
    if comments == Comments::Left {
        ours.iter_mut().for_each(|text| *text = bare(text));
        client.iter_mut().for_each(|text| text.retain(|byte| !b" \t\r\n\\".contains(byte)));
        client.retain(|text| !text.is_empty());
    }
    let at_once = text.windows(12).any(|part| part == b"delimiter //");
    let (mut done, mut left) = (0, client.len());
    while let Some(count) =
        client.get(client.len() - left).and_then(|sent| covered(&ours[done..], sent, comments, at_once))
    {
        (done, left) = (done + count, left - 1);
    }
    let same = match &fault {
        None => done == ours.len() && left == 0,
        // The client sends an unfinished rest as it stands, perhaps with whole statements before it; after what only it knows,
        // everything may follow.
        Some(fault) => {
            (done == ours.len() || at_once) && (!fault.message.contains("ends inside") || left <= 1)
        }
    };
    assert!(
        same,
        "{about}: cut differently\nscript: {:?}\nours:\n{}fault: {fault:?}\nclient:\n{}",
        String::from_utf8_lossy(text),
        shown(&ours),
        shown(&client),
    );
    (ours.len(), fault.is_none())
}

/// The names in a statement that say which it is.
fn names(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text).into_owned();
    let words = text.split(|sign: char| !sign.is_alphanumeric());
    let named = |word: &&str| word.strip_prefix('n').is_some_and(|number| number.parse::<u32>().is_ok());
    words.filter(named).map(str::to_owned).collect()
}

/// Cuts as many texts as there are cases; gives the cases, the statements and the texts that were cut to the end.
fn compare_all(
    make: fn(&mut Random) -> Vec<u8>,
    comments: Comments,
    default: usize,
) -> (usize, usize, usize) {
    let (seed, cases) = (seed(), cases(default));
    let recorder = Recorder::start();
    let (mut count, mut whole) = (0, 0);
    let texts: Vec<Vec<u8>> =
        (0..cases).map(|case| make(&mut Random::new(seed ^ (case as u64) << 32))).collect();
    for (batch, texts) in texts.chunks(AT_ONCE).enumerate() {
        for (place, (text, sent)) in texts.iter().zip(recorder.run(texts, comments)).enumerate() {
            let about = format!("RUNSHEET_SEED={seed}, case {}", batch * AT_ONCE + place);
            let (statements, all) = compare(text, &sent, comments, &about);
            count += statements;
            whole += usize::from(all);
        }
    }
    eprintln!("{cases} texts, {count} statements, {whole} texts cut to the end");
    (cases, count, whole)
}

#[test]
fn scripts_are_cut_as_the_client_cuts_them() {
    let (cases, statements, whole) = compare_all(grammar::script, Comments::Sent, 1_000);
    assert_eq!(whole, cases, "a whole script was refused");
    assert!(statements > cases, "the scripts hold too few statements to prove anything");
}

#[test]
fn bytes_in_any_order_are_cut_as_the_client_cuts_them() {
    let (cases, statements, whole) = compare_all(grammar::bytes, Comments::Left, 3_000);
    assert!(statements > cases / 3 && whole > cases / 20, "the texts are too broken to prove anything");
}

/// The client changes more of the text where it leaves comments out, but not which statement is which.
#[test]
fn comments_that_the_client_leaves_out_move_no_statements_end() {
    let (seed, cases) = (seed(), cases(500));
    let recorder = Recorder::start();
    let texts: Vec<Vec<u8>> =
        (0..cases).map(|case| grammar::script(&mut Random::new(seed ^ (case as u64) << 32))).collect();
    for (batch, texts) in texts.chunks(AT_ONCE).enumerate() {
        for (place, (text, sent)) in texts.iter().zip(recorder.run(texts, Comments::Left)).enumerate() {
            let ours: Vec<Vec<String>> = cut::whole(MySqlSplitter::new(true), text)
                .pieces
                .iter()
                .map(|piece| names(piece.text(text)))
                .collect();
            let clients: Vec<Vec<String>> = statements(&sent).into_iter().map(names).collect();
            let script = String::from_utf8_lossy(text);
            assert_eq!(ours, clients, "RUNSHEET_SEED={seed}, case {}: {script:?}", batch * AT_ONCE + place);
        }
    }
}

/// Dumps with routines, triggers, events and binary strings, and the scripts that the server's package brings.
#[test]
fn dumps_and_the_servers_own_scripts_are_cut_as_the_client_cuts_them() {
    let server = shared::mariadb();
    let database = server.fresh_database().unwrap();
    server.execute(&database, OBJECTS).unwrap();
    let mut texts = Vec::new();
    for options in [
        &["--routines", "--triggers", "--events"][..],
        &["--hex-blob", "--no-autocommit"],
        &["--skip-extended-insert"],
    ] {
        let mut dump = Command::new("mariadb-dump");
        dump.args(["--no-defaults", "-u", "root"]).arg(format!("--socket={}", server.socket().display()));
        let output = dump.args(options).arg(&database).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        texts.push(output.stdout);
    }
    for entry in std::fs::read_dir("/usr/share/mysql").expect("mariadb-server is installed (tests/install)") {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            texts.push(std::fs::read(path).unwrap());
        }
    }
    let mut count = 0;
    for (place, (text, sent)) in texts.iter().zip(Recorder::start().run(&texts, Comments::Left)).enumerate() {
        let (statements, whole) = compare(text, &sent, Comments::Left, &format!("file {place}"));
        assert!(whole, "a script was refused: {:?}", String::from_utf8_lossy(text));
        count += statements;
    }
    eprintln!("{} files, {count} statements", texts.len());
    assert!(texts.len() > 8 && count > 1_000, "{} files, {count} statements", texts.len());
}
