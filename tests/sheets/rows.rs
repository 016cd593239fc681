//! The rows of the rental sheets: the same every time, and full of what a script that is cut carelessly falls over.

use super::Dialect;

const FILMS: u32 = 1_000;
const MEMBERS: u32 = 600;
const LOANS: u32 = 4_000;

/// What stands in texts: signs that mean something to one of the clients, or to all.
const ODD: [&str; 16] = [
    "plain",
    "it's",
    "semi; colon;",
    "dash -- dash",
    "/* open",
    "close */ $$ and $tag$",
    "back\\slash",
    "tab\there",
    "line\nbreak; on the next",
    "\"double\"",
    "ünï 日本 ✓",
    "\\. dot",
    "a line\nDELIMITER //\nmore",
    "# hash",
    "`tick` // $$",
    "end\\",
];

/// A value, before any dialect has quoted it.
pub(super) enum Cell {
    Null,
    /// Written as it stands: a number, an expression.
    Plain(String),
    Text(String),
}

/// The rows of a table.
type Rows = Vec<Vec<Cell>>;

/// Makes the rows of a table.
type Make = fn(Dialect) -> Rows;

/// What stands in the sheets for the rows of each table.
pub(super) const TABLES: [(&str, Make); 4] =
    [("@film@", films), ("@member@", members), ("@loan@", loans), ("@payment@", payments)];

/// How rows are written.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// Lines of PostgreSQL's COPY.
    Copy,
    /// In parentheses, with backslashes that escape.
    Backslashed,
    /// In parentheses, with doubled quotes.
    Doubled,
}

fn odd(number: u32) -> &'static str {
    ODD[number as usize % ODD.len()]
}

fn plain(number: impl ToString) -> Cell {
    Cell::Plain(number.to_string())
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

fn films(dialect: Dialect) -> Rows {
    const RATINGS: [&str; 5] = ["all", "from 6", "from 12", "from 16", "adults; only"];
    let film = |id: u32| {
        let mut row = vec![
            plain(id),
            text(format!("Film {id}: {}", odd(id))),
            if id.is_multiple_of(7) {
                Cell::Null
            } else {
                text(format!("{} and {}", odd(id / 3), odd(id + 5)))
            },
            plain(1950 + id % 75),
            plain(1 + id % 4),
            if id.is_multiple_of(11) { Cell::Null } else { plain(40 + id % 140) },
            plain(format!("{}.99", id % 7)),
            text(RATINGS[id as usize % RATINGS.len()]),
        ];
        match dialect {
            Dialect::Postgres => {
                row.push(text(format!(r#"{{Trailers,"Deleted; Scenes","{}\\"}}"#, id % 3)));
                row.push(text(format!(r#"{{"seen": {id}, "note": "a \"quote\"; and a \\ "}}"#)));
            }
            Dialect::MySql => row.push(text("Trailers,Deleted Scenes")),
            Dialect::Sqlite => {}
        }
        row
    };
    (1..=FILMS).map(film).collect()
}

fn members(dialect: Dialect) -> Rows {
    let member = |id: u32| {
        let name = text(format!("Member {id} {}", odd(id * 5)));
        let email = if id.is_multiple_of(9) { Cell::Null } else { text(format!("m{id}@rental.example")) };
        let joined = text(format!("2024-{:02}-{:02}", 1 + id % 12, 1 + id % 28));
        match dialect {
            Dialect::Postgres => vec![
                plain(id),
                name,
                email,
                text(format!(r#"("Main; street {id}",{})"#, id % 90)),
                text(if id.is_multiple_of(13) { "f" } else { "t" }),
                joined,
                text(format!("\\x{:08x}", id.wrapping_mul(0x9E37_79B9))),
            ],
            Dialect::MySql => {
                let place = format!("ST_GeomFromText('POINT({} {})')", id % 180, id % 90);
                vec![plain(id), name, email, plain(u32::from(!id.is_multiple_of(13))), joined, plain(place)]
            }
            Dialect::Sqlite => vec![plain(id), name, email],
        }
    };
    (1..=MEMBERS).map(member).collect()
}

fn loans(dialect: Dialect) -> Rows {
    let loan = |id: u32| {
        // No member has one film twice: the pairs repeat only after 3,000, and then at other days.
        let (film, member, day) = (1 + id % FILMS, 1 + id % (MEMBERS - 1), 1 + id / 40);
        let returned = if id.is_multiple_of(6) { Cell::Null } else { text(returned(id, dialect)) };
        let days = match dialect {
            Dialect::Postgres => format!("[{day},{})", day + 3),
            Dialect::MySql | Dialect::Sqlite => format!("2025-{:02}-{:02}", 1 + day % 12, 1 + day % 28),
        };
        vec![plain(id), plain(film), plain(member), text(days), returned]
    };
    (1..=LOANS).map(loan).collect()
}

fn returned(id: u32, dialect: Dialect) -> String {
    let zone = if dialect == Dialect::Postgres { "+02" } else { "" };
    format!("2025-{:02}-{:02} {:02}:30:00.125{zone}", 1 + id % 12, 1 + id % 28, id % 24)
}

fn payments(dialect: Dialect) -> Rows {
    let zone = if dialect == Dialect::Postgres { "+00" } else { "" };
    let payment = |id: u32| {
        let year = if id.is_multiple_of(100) { 2019 } else { 2025 };
        let paid = format!("{year}-{:02}-{:02} {:02}:00:00{zone}", 1 + id % 12, 1 + id % 28, id % 24);
        vec![plain(id), plain(id), plain(format!("{}.{:02}", id % 9, id % 100)), text(paid)]
    };
    (1..=LOANS).map(payment).collect()
}

/// All rows, without anything before or behind them.
pub(super) fn written(rows: &[Vec<Cell>], form: Form) -> String {
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells: Vec<String> = row.iter().map(|cell| one(cell, form)).collect();
            match form {
                Form::Copy => cells.join("\t"),
                Form::Backslashed | Form::Doubled => format!("({})", cells.join(",")),
            }
        })
        .collect();
    match form {
        Form::Copy => lines.join("\n"),
        Form::Backslashed | Form::Doubled => lines.join(",\n"),
    }
}

fn one(cell: &Cell, form: Form) -> String {
    match (cell, form) {
        (Cell::Null, Form::Copy) => "\\N".to_owned(),
        (Cell::Null, Form::Backslashed | Form::Doubled) => "NULL".to_owned(),
        (Cell::Plain(text), _) => text.clone(),
        (Cell::Text(text), Form::Copy) => {
            text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n")
        }
        (Cell::Text(text), Form::Backslashed) => {
            let text = text.replace('\\', "\\\\").replace('\'', "\\'").replace('"', "\\\"");
            format!("'{}'", text.replace('\n', "\\n"))
        }
        (Cell::Text(text), Form::Doubled) => format!("'{}'", text.replace('\'', "''")),
    }
}
