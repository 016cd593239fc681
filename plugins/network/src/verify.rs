//! Whether a server's certificate is good, as libpq has it, where `webpki` alone would say no to what OpenSSL takes: a certificate
//! of the first version of X.509 (PostgreSQL's own manual makes such ones), one that is itself in `tls_ca`, and a name that
//! stands in the common name.

use crate::certificate::Certificate;
use crate::host;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, PeerMisbehaved, SignatureScheme};
use std::fmt;
use std::io;
use std::sync::Arc;

/// How far a server's certificate is looked at.
#[derive(Debug)]
pub(crate) struct Verifier {
    provider: Arc<CryptoProvider>,
    trust: Trust,
}

/// Who is trusted.
#[derive(Debug)]
pub(crate) enum Trust {
    /// Anybody: the connection is encrypted, but to whom is not known.
    Anybody,
    /// Whom a known authority trusts.
    Authorities {
        chain: Arc<WebPkiServerVerifier>,
        /// The certificates of `tls_ca`; none where the system's are asked.
        named: Vec<CertificateDer<'static>>,
        /// The host that it must be for, where that matters.
        host: Option<String>,
        /// Where the authorities are from, for people.
        from: String,
    },
}

impl Verifier {
    pub fn new(provider: Arc<CryptoProvider>, trust: Trust) -> Self {
        Self { provider, trust }
    }

    fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.provider.signature_verification_algorithms
    }

    /// Whether one of the named authorities is this certificate, or has signed it, where `webpki` does not read it.
    fn is_named(&self, own: &CertificateDer<'_>, named: &[CertificateDer<'_>], now: UnixTime) -> bool {
        let Some(read) = Certificate::read(own).filter(|read| read.is_in_time(now.as_secs())) else {
            return false;
        };
        if named.contains(own) {
            return true;
        }
        read.is_first_version
            && named.iter().filter_map(|issuer| Certificate::read(issuer)).any(|issuer| {
                issuer.subject == read.issuer
                    && issuer.is_in_time(now.as_secs())
                    && self.has_signed(&issuer, &read)
            })
    }

    fn has_signed(&self, issuer: &Certificate<'_>, read: &Certificate<'_>) -> bool {
        self.algorithms().all.iter().any(|algorithm| {
            algorithm.signature_alg_id().as_ref() == read.signature_algorithm
                && algorithm.public_key_alg_id().as_ref() == issuer.key_algorithm
                && algorithm.verify_signature(issuer.key, read.signed, read.signature).is_ok()
        })
    }
}

/// An error in a sentence of ours.
#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

fn refused(why: String) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Refused(why)))))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Trust::Authorities { chain, named, host, from } = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(own, others, name, ocsp, now) {
            // The name is looked at below.
            Ok(_) => {}
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => {}
            Err(_) if self.is_named(own, named, now) => {}
            Err(Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            )) => {
                return Err(refused(format!("no authority that is trusted ({from}) has signed it")));
            }
            Err(error) => return Err(error),
        }
        let Some(host) = host else { return Ok(ServerCertVerified::assertion()) };
        match Certificate::read(own) {
            Some(read) if host::is_for(&read, host) => Ok(ServerCertVerified::assertion()),
            Some(read) => Err(refused(format!("it is for {}, and not for {host}", host::all(&read)))),
            None => Err(CertificateError::BadEncoding.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(read) = Certificate::read(own).filter(|read| read.is_first_version) else {
            return verify_tls12_signature(message, own, signed, self.algorithms());
        };
        let candidates = self.algorithms().mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
        let good = candidates.flat_map(|(_, algorithms)| algorithms.iter()).any(|algorithm| {
            algorithm.public_key_alg_id().as_ref() == read.key_algorithm
                && algorithm.verify_signature(read.key, message, signed.signature()).is_ok()
        });
        if good {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(read) = Certificate::read(own).filter(|read| read.is_first_version) else {
            return verify_tls13_signature(message, own, signed, self.algorithms());
        };
        let key = SubjectPublicKeyInfoDer::from(read.key_info);
        verify_tls13_signature_with_raw_key(message, &key, signed, self.algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms().supported_schemes()
    }
}

/// Says in a sentence why a handshake failed.
pub(crate) fn explain(error: io::Error) -> io::Error {
    let Some(cause) = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                io::Error::new(io::ErrorKind::InvalidData, "the server ended the TLS handshake")
            }
            _ => error,
        };
    };
    let why = match cause {
        Error::InvalidCertificate(CertificateError::Other(other)) => other.to_string(),
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "it has expired".to_owned()
        }
        Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => "it is not valid yet".to_owned(),
        Error::InvalidCertificate(other) => other.to_string(),
        other => {
            return io::Error::new(io::ErrorKind::InvalidData, format!("the TLS handshake failed: {other}"));
        }
    };
    io::Error::new(io::ErrorKind::InvalidData, format!("the server's certificate is not accepted: {why}"))
}
