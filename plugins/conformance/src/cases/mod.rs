//! All cases, in the order in which they are checked.

mod batch;
mod cancel;
mod entry;
mod identity;
mod judge;
mod ledger;
mod load;
mod lock;
mod lost;
mod reset;
mod sessions;
mod settings;
mod split;
mod statement;
mod transaction;

use crate::case::Case;

/// Every case.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(entry::cases());
    cases.extend(settings::cases());
    cases.extend(split::cases());
    cases.extend(statement::cases());
    cases.extend(transaction::cases());
    cases.extend(batch::cases());
    cases.extend(load::cases());
    cases.extend(ledger::cases());
    cases.extend(identity::cases());
    cases.extend(reset::cases());
    cases.extend(judge::cases());
    cases.extend(lock::cases());
    cases.extend(cancel::cases());
    cases.extend(lost::cases());
    cases.extend(sessions::cases());
    cases
}
