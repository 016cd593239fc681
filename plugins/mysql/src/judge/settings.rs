//! The settings of an instance that are about judging.

use runsheet_network::read_or_tell;
use runsheet_sdk::{Error, Settings};
use std::ops::RangeInclusive;

/// Domains that one instance may use.
const DOMAINS_MAX: u32 = 1024;

/// The settings, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Whether MySQL's `gtid_next` is used where it can be.
    pub gtid: bool,
    /// The domains of MariaDB's log that are Runsheet's.
    pub domains: Option<RangeInclusive<u32>>,
    /// Whether changes to tables without transactions are made.
    pub allows_non_transactional: bool,
}

impl Options {
    /// Reads them; faults are told.
    pub fn read(settings: &Settings, faults: &mut Vec<Error>) -> Self {
        let gtid = read_or_tell(settings.word("gtid", "auto", &["auto", "off"]), faults);
        let dml = settings.word("non_transactional_dml", "refuse", &["refuse", "allow"]);
        Self {
            gtid: gtid != Some("off"),
            domains: settings.text("gtid_domain_id").and_then(|text| domains(text, faults)),
            allows_non_transactional: read_or_tell(dml, faults) == Some("allow"),
        }
    }
}

fn domains(text: &str, faults: &mut Vec<Error>) -> Option<RangeInclusive<u32>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse::<u32>(), last.trim().parse::<u32>()) {
        // Domain 0 is that of everything else.
        (Ok(first), Ok(last)) if 0 < first && first <= last && last - first < DOMAINS_MAX => {
            Some(first..=last)
        }
        _ => {
            let message = format!(
                "`gtid_domain_id` must be a number from 1 to {}, or a range of at most {DOMAINS_MAX} such as \"7001-7016\"",
                u32::MAX
            );
            faults.push(Error::setting("gtid_domain_id", message));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<RangeInclusive<u32>>, usize) {
        let mut faults = Vec::new();
        (domains(text, &mut faults), faults.len())
    }

    #[test]
    fn a_domain_is_a_number_or_a_range() {
        assert_eq!(read("7001"), (Some(7001..=7001), 0));
        assert_eq!(read("7001-7016"), (Some(7001..=7016), 0));
        for wrong in ["0", "-5", "x", "9-8", "1-2000", "4294967296", ""] {
            assert_eq!(read(wrong), (None, 1), "{wrong:?}");
        }
    }
}
