//! Loads: a table's rows, a line `KEY VALUE` each, which come in whole or not at all.

use crate::connection::Session;
use crate::contents::Change;
use crate::fault::Fault;
use crate::place::Place;
use crate::server::hold;
use crate::statement::{self, Statement};
use runsheet_sdk::{Class, Error, LoadRows, Notices, Outcome};
use std::sync::Arc;

impl LoadRows for Session {
    fn begin(&mut self, sql: &[u8], _notices: Notices<'_>) -> Result<(), Error> {
        self.call(Place::LoadBegin, |session| match statement::read(sql)?.as_slice() {
            [Statement::Load(table)] => {
                session.writable()?;
                session.needs_table(table)?;
                session.loading = Some((table.clone(), Vec::new()));
                Ok(())
            }
            _ => Err(Error::new(Class::Syntax, "this is not one load")),
        })
    }

    fn rows(&mut self, rows: &[u8]) -> Result<(), Error> {
        self.call(Place::LoadRows, |session| match session.loading.as_mut() {
            Some((_, came)) => {
                came.extend_from_slice(rows);
                Ok(())
            }
            None => Err(Error::new(Class::Other, "no load is under way")),
        })
    }

    fn end(&mut self, _notices: Notices<'_>) -> Result<Outcome, Error> {
        self.call(Place::LoadEnd, |session| {
            let loaded = session.end_load();
            session.fails_transaction(&loaded);
            loaded
        })
    }
}

impl Session {
    fn end_load(&mut self) -> Result<Outcome, Error> {
        let Some((table, rows)) = self.loading.take() else {
            return Err(Error::new(Class::Other, "no load is under way"));
        };
        let text = String::from_utf8_lossy(&rows);
        let rows: Vec<Result<Change, Error>> = text.lines().map(|line| row(&table, line)).collect();
        let good = rows.iter().take_while(|row| row.is_ok()).count();
        if good < rows.len() && !self.fault(Fault::LoadKeepsSome) {
            return rows.into_iter().collect::<Result<Vec<_>, _>>().map(|_| Outcome::default());
        }
        let database = Arc::clone(&self.database);
        let mut contents = hold(&database.contents);
        let mut count = 0;
        for change in rows {
            self.change(&mut contents, change?);
            count += 1;
        }
        if self.fault(Fault::LoadMiscounts) {
            count -= 1;
        }
        drop(contents);
        Ok(self.outcome(Some(count), "LOAD"))
    }
}

fn row(table: &str, line: &str) -> Result<Change, Error> {
    let (key, value) = line
        .split_once(' ')
        .ok_or_else(|| Error::new(Class::Constraint, format!("the row `{line}` has no value")))?;
    Ok(Change::Put { table: table.to_owned(), key: key.to_owned(), value: value.to_owned() })
}
