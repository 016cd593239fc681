//! The files of TLS: whom to trust, and who we are.

use crate::certificate::Certificate;
use runsheet_sdk::Error;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt::Display;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

fn unusable(setting: &str, path: &Path, why: impl Display) -> Error {
    Error::setting(setting, format!("`{setting}`: {} cannot be used: {why}", path.display()))
}

/// The certificates of a file, at least one.
fn certificates(setting: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(setting, path, error))?;
    if found.is_empty() {
        return Err(unusable(setting, path, "there is no certificate in it (-----BEGIN CERTIFICATE-----)"));
    }
    Ok(found)
}

/// The authorities of `tls_ca`, or the system's; with the first, their certificates.
pub(crate) fn read(ca: Option<&Path>) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), Error> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            let named = certificates("tls_ca", path)?;
            // One that the library does not read may still be the server's own.
            let (added, _) = roots.add_parsable_certificates(named.iter().cloned());
            if added == 0 {
                return Err(unusable("tls_ca", path, "no certificate in it can be read"));
            }
            Ok((roots, named))
        }
        None => {
            let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if added == 0 {
                return Err(Error::setting(
                    "tls_ca",
                    "the system has no trusted authorities; name one by `tls_ca`",
                ));
            }
            Ok((roots, Vec::new()))
        }
    }
}

/// The client's certificate and key. As with libpq, the key must be its owner's alone.
pub(crate) fn identity(cert: &Path, key: &Path) -> Result<CertifiedKey, Error> {
    let chain = certificates("tls_cert", cert)?;
    let meta = fs::metadata(key).map_err(|error| unusable("tls_key", key, error))?;
    // A key of root's may be read by a group, so that a service can have it.
    let too_open = if meta.uid() == 0 { 0o037 } else { 0o077 };
    if meta.mode() & too_open != 0 {
        let why = format!("others may read it (mode {:o}): chmod 600", meta.mode() & 0o777);
        return Err(unusable("tls_key", key, why));
    }
    let text = fs::read(key).map_err(|error| unusable("tls_key", key, error))?;
    if text.windows(9).any(|part| part == b"ENCRYPTED") {
        return Err(unusable(
            "tls_key",
            key,
            "it is encrypted, and there is nobody to ask for its passphrase",
        ));
    }
    let secret = PrivateKeyDer::from_pem_slice(&text).map_err(|error| unusable("tls_key", key, error))?;
    let signer = ring::default_provider()
        .key_provider
        .load_private_key(secret)
        .map_err(|error| unusable("tls_key", key, error))?;
    // The library's own comparison does not read every certificate that a server takes.
    let own = chain.first().and_then(|own| Certificate::read(own)).map(|read| read.key_info.to_vec());
    let fits = match (own, signer.public_key()) {
        (Some(own), Some(public)) => own == public.as_ref(),
        _ => false,
    };
    if fits {
        Ok(CertifiedKey::new(chain, signer))
    } else {
        Err(unusable("tls_key", key, "it is not the key of `tls_cert`"))
    }
}
