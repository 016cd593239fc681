//! The settings of TLS, the same for every driver that has a server.
//!
//! | setting | meaning | default |
//! | --- | --- | --- |
//! | `tls` | what is wanted of TLS: the words of [`Mode`] | `prefer` |
//! | `tls_ca` | a file with the certificates of the authorities to trust, in PEM; a server's own certificate may be among them | the system's authorities |
//! | `tls_cert`, `tls_key` | files with the client's certificate and its key, in PEM; the key readable by its owner alone | no client certificate |

use crate::authorities;
use crate::verify::{Trust, Verifier};
use runsheet_sdk::{Error, Settings};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ClientConnection};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

/// What `tls` says. The words mean what libpq's `sslmode` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Never TLS.
    Disable,
    /// Without TLS, unless the server refuses it so.
    Allow,
    /// With TLS where the server has it, else without.
    Prefer,
    /// With TLS or not at all; by whom the server's certificate is does not matter, unless `tls_ca` is set.
    Require,
    /// And its certificate must be by an authority of `tls_ca`.
    VerifyCa,
    /// And it must be for the host that is connected to.
    VerifyFull,
}

impl Mode {
    fn word(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// TLS as an instance wants it.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The mode.
    pub mode: Mode,
    ca: Option<PathBuf>,
    client: Option<(PathBuf, PathBuf)>,
}

/// The value, or nothing where reading it is a fault, which is told.
pub fn read_or_tell<T>(read: Result<T, Error>, faults: &mut Vec<Error>) -> Option<T> {
    read.map_err(|fault| faults.push(fault)).ok()
}

impl Tls {
    /// Reads the settings and the files that they name. Every fault is told; what is faulty reads as its default.
    pub fn read(settings: &Settings, modes: &[Mode], faults: &mut Vec<Error>) -> Self {
        let words: Vec<&str> = modes.iter().map(|mode| mode.word()).collect();
        let word = read_or_tell(settings.word("tls", "prefer", &words), faults);
        let mode = modes.iter().find(|mode| Some(mode.word()) == word).copied().unwrap_or(Mode::Prefer);
        let path = |key: &str| settings.text(key).map(PathBuf::from);
        let client = match (path("tls_cert"), path("tls_key")) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => {
                faults.push(Error::setting("tls_key", "`tls_cert` needs `tls_key`, and it is not set"));
                None
            }
            (None, Some(_)) => {
                faults.push(Error::setting("tls_cert", "`tls_key` needs `tls_cert`, and it is not set"));
                None
            }
        };
        let tls = Self { mode, ca: path("tls_ca"), client };
        if word.is_some() {
            tls.examine(faults);
        }
        tls
    }

    /// What does not fit together, and what is wrong with the files.
    fn examine(&self, faults: &mut Vec<Error>) {
        let word = self.mode.word();
        match self.mode {
            Mode::Disable | Mode::Allow | Mode::Prefer if self.ca.is_some() => {
                faults.push(Error::setting(
                    "tls_ca",
                    format!("`tls_ca` is set, and with tls = \"{word}\" a server that it does not trust is spoken to all the same, without TLS; set tls = \"verify-full\""),
                ));
            }
            Mode::VerifyCa if self.ca.is_none() => {
                faults.push(Error::setting(
                    "tls_ca",
                    "tls = \"verify-ca\" needs `tls_ca`: the system's authorities sign for everybody, so that any server would do; name your authority, or set tls = \"verify-full\"",
                ));
            }
            _ => {}
        }
        if self.mode == Mode::Disable {
            if self.client.is_some() {
                let message = "`tls_cert` is set, and with tls = \"disable\" it is never shown";
                faults.push(Error::setting("tls_cert", message));
            }
            return;
        }
        read_or_tell(self.trust("").map(drop), faults);
        if let Some((cert, key)) = &self.client {
            read_or_tell(authorities::identity(cert, key).map(drop), faults);
        }
    }

    fn trust(&self, host: &str) -> Result<Trust, Error> {
        // As in libpq, an authority that is named is asked even where only `require` is said.
        let asked = matches!(self.mode, Mode::VerifyCa | Mode::VerifyFull) || self.ca.is_some();
        if !asked {
            return Ok(Trust::Anybody);
        }
        let (roots, named) = authorities::read(self.ca.as_deref())?;
        let provider = Arc::new(ring::default_provider());
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| Error::setting("tls_ca", format!("`tls_ca` cannot be used: {error}")))?;
        let from = match &self.ca {
            Some(path) => path.display().to_string(),
            None => "the system's".to_owned(),
        };
        let host = (self.mode == Mode::VerifyFull).then(|| host.to_owned());
        Ok(Trust::Authorities { chain, named, host, from })
    }

    /// The client's side of a handshake with a host.
    pub(crate) fn client(&self, host: &str) -> io::Result<ClientConnection> {
        let wrong = |error: Error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string());
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier::new(Arc::clone(&provider), self.trust(host).map_err(wrong)?);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match &self.client {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let identity = authorities::identity(cert, key).map_err(wrong)?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
            }
        };
        // The name is only for the server to choose a certificate by; whether that is good, the verifier says.
        let unnamed = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into());
        let name = ServerName::try_from(host.to_owned()).unwrap_or(unnamed);
        ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)
    }
}
