//! Plans and sheets as people write them: text in, a plan or all its faults out. It knows nothing of the rest of the program: no
//! file, no clock, no config, no database.

mod fault;
mod field;
mod name;
mod parse;
mod rules;
mod schema;
mod sheet_json;
mod version;

pub use fault::{DRAWN_MAX, Fault, Faults, KEPT_MAX, text_of};
pub use name::{BadName, PlanName, SheetName, Target};
pub use parse::{Place, parse};
pub use sheet_json::{SheetFile, parse_sheet};
pub use version::SchemaVersion;

use jiff::Timestamp;

/// What a person wants changed, where and in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// `projects/{project}/plans/{plan}`.
    pub name: PlanName,
    /// For people; may be empty.
    pub title: String,
    /// For people; may be empty.
    pub description: String,
    /// One after the other.
    pub steps: Vec<Step>,
}

/// What may be done at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// For people; may be empty.
    pub title: String,
    /// In the order in which those of one database run.
    pub specs: Vec<Spec>,
}

/// One change of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Unique in the plan.
    pub id: String,
    /// Not before this.
    pub earliest_allowed_time: Option<Timestamp>,
    /// The places of those specs of the same step that must be done before.
    pub depends_on: Vec<usize>,
    /// Where.
    pub target: Target,
    /// What.
    pub sheet: SheetName,
    /// What kind of change; it does not alter how the sheet is run.
    pub change_type: ChangeType,
    /// The version that the database has afterwards.
    pub schema_version: Option<SchemaVersion>,
}

/// The kinds of change that are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeType {
    /// Changes objects.
    Migrate,
    /// Changes rows.
    Data,
}

impl ChangeType {
    /// The word in the plan.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Migrate => "MIGRATE",
            Self::Data => "DATA",
        }
    }
}
