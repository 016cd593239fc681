//! What statements change: tables and all else that has a name.

use crate::text::quoted;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of thing an object is; tables, views and sequences share their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Class {
    Table,
    Procedure,
    Function,
    Package,
    PackageBody,
    Trigger,
    Event,
    Database,
    User,
    Variable,
    Plugin,
    PluginLibrary,
}

/// An object by its name. The schema of a user is its host; what is of the whole server has none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Object {
    pub class: Class,
    pub schema: String,
    pub name: String,
}

impl Object {
    pub fn new(class: Class, schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { class, schema: schema.into(), name: name.into() }
    }

    pub fn is_ascii(&self) -> bool {
        self.schema.is_ascii() && self.name.is_ascii()
    }

    /// The name in SQL.
    pub fn sql(&self) -> String {
        match self.class {
            Class::User if self.schema.is_empty() => quoted(&self.name),
            Class::User => format!("{}@{}", quoted(&self.name), quoted(&self.schema)),
            Class::Database | Class::Variable | Class::Plugin | Class::PluginLibrary => quoted(&self.name),
            Class::Table
            | Class::Procedure
            | Class::Function
            | Class::Package
            | Class::PackageBody
            | Class::Trigger
            | Class::Event => format!("{}.{}", quoted(&self.schema), quoted(&self.name)),
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schema, name, .. } = self;
        match self.class {
            Class::Table => write!(f, "{schema}.{name}"),
            Class::Procedure => write!(f, "procedure {schema}.{name}"),
            Class::Function => write!(f, "function {schema}.{name}"),
            Class::Package => write!(f, "package {schema}.{name}"),
            Class::PackageBody => write!(f, "package body {schema}.{name}"),
            Class::Trigger => write!(f, "trigger {schema}.{name}"),
            Class::Event => write!(f, "event {schema}.{name}"),
            Class::Database => write!(f, "database {name}"),
            Class::User if schema.is_empty() => write!(f, "role {name}"),
            Class::User => write!(f, "account {name}@{schema}"),
            Class::Variable => write!(f, "variable {name}"),
            Class::Plugin => write!(f, "plugin {name}"),
            Class::PluginLibrary => write!(f, "plugins of {name}"),
        }
    }
}

/// The names of several, for people; of many only the first few.
pub(crate) fn list<'a>(objects: impl IntoIterator<Item = &'a Object>) -> String {
    const SHOWN_MAX: usize = 8;
    let names: Vec<String> = objects.into_iter().map(ToString::to_string).collect();
    match names.get(..SHOWN_MAX) {
        Some(first) if names.len() > SHOWN_MAX => {
            format!("{} and {} more", first.join(", "), names.len() - SHOWN_MAX)
        }
        _ => names.join(", "),
    }
}
