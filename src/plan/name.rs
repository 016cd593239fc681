//! Names of plans, sheets and targets: their form, strictly, since they become folders, rows and connections.

use std::fmt;
use std::str::FromStr;

/// The longest id.
const ID_BYTES_MAX: usize = 128;

/// A name that is not of its form: what the form is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {form}{why}")]
pub struct BadName {
    what: &'static str,
    form: &'static str,
    why: String,
}

/// The ids of a name like `a/{x}/b/{y}`, if it is of that form.
fn ids<'a>(text: &'a str, first: &str, second: &str) -> Option<(&'a str, &'a str)> {
    let mut parts = text.split('/');
    let found = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let fits = found.0 == first && found.2 == second && parts.next().is_none();
    fits.then_some((found.1, found.3))
}

/// Why an id is not good, as the end of a sentence.
fn id_fault(id: &str) -> Option<String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if id.is_empty() {
        Some("; an id in it is empty".to_owned())
    } else if id.len() > ID_BYTES_MAX {
        Some(format!("; the id {id:?} is longer than {ID_BYTES_MAX} bytes"))
    } else if !id.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Some(format!("; the id {id:?} must begin with a letter or a digit"))
    } else {
        id.chars().find(|c| !good(*c)).map(|c| {
            format!("; the id {id:?} has {c:?}, but only letters, digits, `.`, `_` and `-` may be in it")
        })
    }
}

/// Why a database's name is not good, as the end of a sentence.
fn database_fault(name: &str) -> Option<String> {
    let good = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '$' | '@' | '+' | '#' | ' ');
    if name.is_empty() || name.len() > ID_BYTES_MAX {
        Some(format!("; the database's name must have 1 to {ID_BYTES_MAX} bytes"))
    } else if matches!(name, "." | "..") || name.trim() != name {
        Some(format!("; {name:?} is no database's name"))
    } else {
        name.chars().find(|c| !good(*c)).map(|c| format!("; the database's name {name:?} has {c:?}"))
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident { $first:ident: $first_word:literal, $second:ident: $second_word:literal }, $what:literal, $form:literal, $fault:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            /// The first id.
            pub $first: String,
            /// The second id.
            pub $second: String,
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                let bad = |why: String| BadName { what: $what, form: $form, why };
                let (first, second) = ids(text, $first_word, $second_word).ok_or_else(|| bad(format!(", not {text:?}")))?;
                match id_fault(first).or_else(|| $fault(second)) {
                    Some(why) => Err(bad(why)),
                    None => Ok(Self { $first: first.to_owned(), $second: second.to_owned() }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}/{}/{}/{}", $first_word, self.$first, $second_word, self.$second)
            }
        }
    };
}

name! {
    /// A plan's name.
    PlanName { project: "projects", plan: "plans" }, "a plan's name", "`projects/{project}/plans/{plan}`", id_fault
}
name! {
    /// A sheet's name.
    SheetName { project: "projects", sheet: "sheets" }, "a sheet's name", "`projects/{project}/sheets/{sheet}`", id_fault
}
name! {
    /// A database on an instance.
    Target { instance: "instances", database: "databases" }, "a target", "`instances/{instance}/databases/{database}`", database_fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_and_written_in_one_form() {
        for text in ["instances/oracle/databases/db1", "instances/pg-1/databases/Größe $1"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert_eq!("projects/a/sheets/741".parse::<SheetName>().unwrap().sheet, "741");
    }

    #[test]
    fn what_could_leave_a_folder_is_no_name() {
        for text in [
            "projects/../plans/x",
            "projects/a/plans/..",
            "projects/a/plans/",
            "projects/a/plans/x/y",
            "projects/a/plans/.x",
            "x",
        ] {
            assert!(text.parse::<PlanName>().is_err(), "{text}");
        }
        for text in [
            "instances/a/databases/..",
            "instances/a/databases/x\0",
            "instances/a/databases/ x",
            "instances/a/databases/a\nb",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text:?}");
        }
    }
}
