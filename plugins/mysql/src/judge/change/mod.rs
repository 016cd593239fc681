//! What a statement changes, from its words alone: which objects, and how.

mod account;
mod create;
mod drop;
mod global;
mod table;

use super::kinds::Kind;
use super::object::{Class, Object};
use super::reader::Reader;
use super::words::Dialect;

/// What a statement does, and which kind of statement it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub kind: Kind,
    pub effect: Effect,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Objects come into being.
    Create(Create),
    /// Objects go; where `lenient`, those that are not there do not matter.
    Drop { objects: Vec<Object>, lenient: bool },
    /// Objects change their names, one pair after the other.
    Rename { pairs: Vec<(Object, Object)>, lenient: bool },
    /// Objects change.
    Alter(Alter),
    /// Rows go: all of a table, or those of some partitions.
    Empty { table: Object, partitions: Vec<String> },
    /// The rows of a partition and those of a table change places.
    Exchange { table: Object, partition: String, other: Object },
    /// Variables of the server get values that depend on more than the statement.
    Set { variables: Vec<Object> },
    /// Running it twice does what running it once does.
    Again,
    /// Nothing that can be looked at; why.
    Unseen(&'static str),
}

/// How objects come into being.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Create {
    pub objects: Vec<Object>,
    /// IF NOT EXISTS.
    pub lenient: bool,
    /// OR REPLACE.
    pub replaces: bool,
    /// With rows of a SELECT.
    pub filled: bool,
    /// It has partitions, or may have: it is like another table.
    pub partitioned: bool,
    /// It may go again by itself, as an event does that is over.
    pub passes: bool,
}

impl Create {
    fn of(objects: Vec<Object>, lenient: bool) -> Self {
        Self { objects, lenient, replaces: false, filled: false, partitioned: false, passes: false }
    }
}

/// How objects change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alter {
    pub objects: Vec<Object>,
    /// IF EXISTS.
    pub lenient: bool,
    /// The table's new name.
    pub renamed: Option<Object>,
    pub shown: Shown,
}

/// Whether a change can be seen in the definition of what it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It can; what leaves the definition as it was may be run again.
    Yes,
    /// A part of it goes and comes again under the same name, perhaps in the same form.
    Anew,
    /// It sets the next number of a sequence, which goes on by itself.
    Number,
    /// It need not be: it may be run again.
    NotNeeded,
    /// Each run makes something new, or fails where it has run before.
    EachTime,
}

impl Change {
    /// Of a statement of a session whose database is `current`.
    pub fn of(sql: &[u8], dialect: Dialect, current: &str) -> Self {
        let mut reader = Reader::new(sql, dialect);
        read(&mut reader, dialect, current).unwrap_or_else(|| Self::unseen(UNREADABLE))
    }

    fn new(kind: Kind, effect: Effect) -> Self {
        Self { kind, effect }
    }

    fn again(kind: Kind) -> Self {
        Self::new(kind, Effect::Again)
    }

    fn unseen(why: &'static str) -> Self {
        Self::new(Kind::Other, Effect::Unseen(why))
    }

    /// Of an object that is not looked at, but whose change the server may mark.
    fn beyond(why: &'static str) -> Self {
        Self::new(Kind::OtherObject, Effect::Unseen(why))
    }

    /// The objects that it names.
    pub fn objects(&self) -> Vec<&Object> {
        match &self.effect {
            Effect::Create(create) => create.objects.iter().collect(),
            Effect::Drop { objects, .. } => objects.iter().collect(),
            Effect::Rename { pairs, .. } => pairs.iter().flat_map(|(from, to)| [from, to]).collect(),
            Effect::Alter(alter) => alter.objects.iter().chain(&alter.renamed).collect(),
            Effect::Empty { table, .. } => vec![table],
            Effect::Exchange { table, other, .. } => vec![table, other],
            Effect::Set { variables } => variables.iter().collect(),
            Effect::Again | Effect::Unseen(_) => Vec::new(),
        }
    }

    /// Whether the statement has no effect where its mark is not in the log. Killed before it had logged them, MariaDB takes a RENAME back;
    /// an ALTER that its engine had committed it completes at its start, under a number of its own.
    pub fn follows_its_log(&self, mariadb: bool, started_anew: bool) -> bool {
        let completed = mariadb && started_anew && self.kind != Kind::RenameTable;
        self.is_atomic(mariadb) && !completed
    }

    /// Whether the server does all of it or nothing, and logs it then. A DROP is completed by MariaDB under another number, and others it
    /// may do without logging them.
    pub fn is_atomic(&self, mariadb: bool) -> bool {
        match self.kind {
            Kind::AlterTable
            | Kind::AlterTableRename
            | Kind::AlterTableAnew
            | Kind::Index
            | Kind::RenameTable => true,
            Kind::Replacing | Kind::Maintenance | Kind::Grant | Kind::SetGlobal | Kind::Plugin => false,
            Kind::OtherObject | Kind::Other => false,
            Kind::CreateTable
            | Kind::CreateTableSelect
            | Kind::ReplaceTable
            | Kind::DropTable
            | Kind::Truncate
            | Kind::TruncatePartition
            | Kind::ExchangePartition
            | Kind::View
            | Kind::Routine
            | Kind::Trigger
            | Kind::Event
            | Kind::Sequence
            | Kind::Database
            | Kind::Account
            | Kind::AlterAccount
            | Kind::Revoke => !mariadb,
        }
    }
}

const UNREADABLE: &str = "what it changes is not understood from its words";
const CALL: &str = "what it runs may commit in its middle";
const BEYOND: &str = "what it changes is not among what is looked at";

fn read(reader: &mut Reader<'_>, dialect: Dialect, current: &str) -> Option<Change> {
    let verb = reader.eats_one(&[
        "create",
        "alter",
        "drop",
        "rename",
        "truncate",
        "grant",
        "revoke",
        "set",
        "install",
        "uninstall",
        "optimize",
        "analyze",
        "check",
        "repair",
        "flush",
        "cache",
        "load",
        "start",
        "stop",
        "purge",
        "call",
        "do",
        "execute",
        "begin",
        "reset",
    ]);
    match verb.unwrap_or_default() {
        "create" => create::read(reader, dialect, current),
        "alter" => alter(reader, current),
        "drop" => drop::read(reader, dialect, current),
        "rename" => rename(reader, current),
        "truncate" => table::truncate(reader, current),
        "grant" => Some(Change::again(Kind::Grant)),
        "revoke" => account::revoke(reader),
        "set" => global::set(reader),
        "reset" => global::reset(reader),
        "install" => global::install(reader),
        "uninstall" => global::uninstall(reader),
        "optimize" | "analyze" | "check" | "repair" | "flush" | "cache" | "load" | "start" | "stop"
        | "purge" => Some(Change::again(Kind::Maintenance)),
        "call" | "do" | "execute" | "begin" => Some(Change::unseen(CALL)),
        _ => Some(Change::unseen(BEYOND)),
    }
}

fn alter(reader: &mut Reader<'_>, current: &str) -> Option<Change> {
    reader.eats_one(&["online", "offline"]);
    reader.eats("ignore");
    if reader.eats("table") {
        return table::alter(reader, current);
    }
    preamble(reader);
    let what = reader.eats_one(&[
        "database",
        "schema",
        "view",
        "procedure",
        "function",
        "event",
        "sequence",
        "user",
        "server",
        "instance",
        "resource",
        "library",
    ]);
    let Some(what) = what else { return Some(Change::beyond(BEYOND)) };
    let shown = |objects, lenient, shown| Effect::Alter(Alter { objects, lenient, renamed: None, shown });
    match what {
        "database" | "schema" => {
            let named = !["default", "character", "charset", "collate", "comment", "encryption", "read"]
                .iter()
                .any(|option| reader.is(option));
            let name = if named { reader.name()? } else { current.to_owned() };
            let objects = vec![Object::new(Class::Database, "", name)];
            Some(Change::new(Kind::Database, shown(objects, false, Shown::Yes)))
        }
        "event" => {
            let lenient = reader.eats_all(&["if", "exists"]);
            let event = reader.object(Class::Event, current)?;
            let mut change = Alter { objects: vec![event], lenient, renamed: None, shown: Shown::Yes };
            if reader.skip_to(&["rename", "do"]) && reader.eats_all(&["rename", "to"]) {
                change.renamed = Some(reader.object(Class::Event, current)?);
            }
            Some(Change::new(Kind::Event, Effect::Alter(change)))
        }
        "sequence" => {
            let lenient = reader.eats_all(&["if", "exists"]);
            let objects = vec![reader.object(Class::Table, current)?];
            let number = if reader.skip_to(&["restart"]) { Shown::Number } else { Shown::Yes };
            Some(Change::new(Kind::Sequence, shown(objects, lenient, number)))
        }
        "user" => account::alter(reader),
        // What they set is said in full.
        _ => Some(Change::again(Kind::Replacing)),
    }
}

fn rename(reader: &mut Reader<'_>, current: &str) -> Option<Change> {
    if reader.eats("user") {
        let pairs = pairs(reader, |reader| reader.account("%"))?;
        return Some(Change::new(Kind::Account, Effect::Rename { pairs, lenient: false }));
    }
    reader.eats_one(&["table", "tables"])?;
    let lenient = reader.eats_all(&["if", "exists"]);
    let pairs = pairs(reader, |reader| {
        let table = reader.object(Class::Table, current);
        table::waits(reader);
        table
    })?;
    Some(Change::new(Kind::RenameTable, Effect::Rename { pairs, lenient }))
}

fn pairs(
    reader: &mut Reader<'_>,
    mut one: impl FnMut(&mut Reader<'_>) -> Option<Object>,
) -> Option<Vec<(Object, Object)>> {
    let mut pairs = Vec::new();
    loop {
        let from = one(reader)?;
        if !reader.eats("to") {
            return None;
        }
        pairs.push((from, one(reader)?));
        if !reader.sign(b',') {
            return Some(pairs);
        }
    }
}

/// What may stand between CREATE or ALTER and the kind of object: ALGORITHM, DEFINER, SQL SECURITY.
fn preamble(reader: &mut Reader<'_>) {
    loop {
        if reader.eats("algorithm") {
            reader.sign(b'=');
            reader.take();
        } else if reader.eats("definer") {
            reader.sign(b'=');
            if reader.account("").is_some() && reader.sign(b'(') {
                reader.sign(b')');
            }
        } else if reader.eats_all(&["sql", "security"]) {
            reader.take();
        } else if reader.eats_one(&["aggregate", "external"]).is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
