//! For which hosts a certificate is, by libpq's rules: names and addresses of subjectAltName; the common name only where no
//! entry there is of the host's own kind; `*.` stands for one label.

use crate::certificate::Certificate;
use std::net::IpAddr;

/// Whether a certificate is for a host.
pub(crate) fn is_for(certificate: &Certificate<'_>, host: &str) -> bool {
    let address = host.parse::<IpAddr>().ok();
    if address.is_some_and(|address| certificate.addresses.contains(&address)) {
        return true;
    }
    if certificate.dns_names.iter().any(|name| names(name, host)) {
        return true;
    }
    let has_own_kind = match address {
        Some(_) => !certificate.addresses.is_empty(),
        None => !certificate.dns_names.is_empty(),
    };
    !has_own_kind && certificate.common_name.as_deref().is_some_and(|name| names(name, host))
}

/// The names that a certificate has, for people.
pub(crate) fn all(certificate: &Certificate<'_>) -> String {
    let addresses = certificate.addresses.iter().map(IpAddr::to_string);
    let mut all: Vec<String> = certificate.dns_names.iter().cloned().chain(addresses).collect();
    if all.is_empty() {
        all.extend(certificate.common_name.clone());
    }
    if all.is_empty() { "no host at all".to_owned() } else { all.join(", ") }
}

fn names(pattern: &str, host: &str) -> bool {
    // A NUL inside would be read as the end by others.
    if pattern.contains('\0') {
        return false;
    }
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    let Some(domain) = pattern.strip_prefix('*').filter(|rest| rest.len() > 1 && rest.starts_with('.'))
    else {
        return false;
    };
    let Some(dot) = host.find('.') else { return false };
    host.get(dot..).is_some_and(|rest| dot > 0 && rest.eq_ignore_ascii_case(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(dns: &[&str], addresses: &[&str], common_name: &str) -> Certificate<'static> {
        Certificate {
            dns_names: dns.iter().map(|name| (*name).to_owned()).collect(),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            common_name: Some(common_name.to_owned()),
            ..Certificate::default()
        }
    }

    #[test]
    fn names_are_compared_as_libpq_does() {
        let table: &[(&str, &str, bool)] = &[
            ("db.example.org", "db.example.org", true),
            ("DB.Example.ORG", "db.example.org", true),
            ("db.example.org", "db2.example.org", false),
            ("*.example.org", "db.example.org", true),
            ("*.example.org", "a.b.example.org", false),
            ("*.example.org", "example.org", false),
            ("*.example.org", ".example.org", false),
            ("*", "localhost", false),
            ("*.", "localhost.", false),
            ("d*.example.org", "db.example.org", false),
            ("*b.example.org", "db.example.org", false),
            ("db.*.org", "db.example.org", false),
            ("db.example.org\0.evil.org", "db.example.org", false),
        ];
        for (pattern, host, wanted) in table {
            assert_eq!(names(pattern, host), *wanted, "{pattern:?} for {host:?}");
        }
    }

    #[test]
    fn the_common_name_counts_only_where_no_entry_is_of_the_hosts_kind() {
        type Case<'a> = (&'a [&'a str], &'a [&'a str], &'a str, &'a str, bool);
        let table: &[Case<'_>] = &[
            (&[], &[], "db", "db", true),
            (&["other"], &[], "db", "db", false),
            (&["other", "db"], &[], "x", "db", true),
            (&[], &["10.0.0.5"], "db", "db", true),
            (&[], &["10.0.0.5"], "x", "10.0.0.5", true),
            (&[], &["10.0.0.6"], "10.0.0.5", "10.0.0.5", false),
            (&["db"], &[], "10.0.0.5", "10.0.0.5", true),
            (&["10.0.0.5"], &["10.0.0.6"], "x", "10.0.0.5", true),
            (&[], &["::1"], "x", "0:0::1", true),
            (&["*.example.org"], &[], "x", "db.example.org", true),
        ];
        for (dns, addresses, common, host, wanted) in table {
            assert_eq!(
                is_for(&certificate(dns, addresses, common), host),
                *wanted,
                "{dns:?} {addresses:?} {common} for {host}"
            );
        }
    }
}
