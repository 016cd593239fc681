//! TLS by rustls, with the meanings of libpq's `sslmode`: encrypted only, by a known authority, or by a known authority for this very host.

use crate::settings::{Mode, Options};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
};
use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

fn unusable(what: &str, path: &Path, why: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{what} {} cannot be used: {why}", path.display()))
}

/// The configuration that the settings ask for.
pub(crate) fn config(options: &Options) -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    // As in libpq, an authority that is named is asked even where only `require` is said.
    let verified = matches!(options.tls, Mode::VerifyCa | Mode::VerifyFull)
        || (options.tls == Mode::Require && options.tls_ca.is_some());
    let verifier: Arc<dyn ServerCertVerifier> = if verified {
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(options)?), provider)
            .build()
            .map_err(io::Error::other)?;
        if options.tls == Mode::VerifyFull { inner } else { Arc::new(AnyName(inner)) }
    } else {
        Arc::new(Anybody(provider))
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let config = match &options.tls_client {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let chain = CertificateDer::pem_file_iter(cert)
                .and_then(Iterator::collect)
                .map_err(|error| unusable("`tls_cert`", cert, error))?;
            let key_read =
                PrivateKeyDer::from_pem_file(key).map_err(|error| unusable("`tls_key`", key, error))?;
            builder
                .with_client_auth_cert(chain, key_read)
                .map_err(|error| unusable("`tls_key`", key, error))?
        }
    };
    Ok(Arc::new(config))
}

fn roots(options: &Options) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match &options.tls_ca {
        Some(path) => {
            let certificates =
                CertificateDer::pem_file_iter(path).map_err(|error| unusable("`tls_ca`", path, error))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| unusable("`tls_ca`", path, error))?;
                roots.add(certificate).map_err(|error| unusable("`tls_ca`", path, error))?;
            }
        }
        None => {
            let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if added == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    "the system has no trusted authorities; name one by `tls_ca`",
                ));
            }
        }
    }
    Ok(roots)
}

/// Makes the connection secret, before anything else is sent.
pub(crate) fn handshake(
    config: Arc<ClientConfig>,
    host: &str,
    stream: TcpStream,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{host:?} is no name that a certificate could have"),
        )
    })?;
    let client = ClientConnection::new(config, name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(client, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// Takes any certificate: encrypted, but to whom is not known.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Takes a certificate of a known authority, whatever host it is for.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(certificate, chain, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
