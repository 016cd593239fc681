//! Certificates for tests, made by `openssl`: an authority, and what it signs, good and bad.

use crate::process::run;
use anyhow::Result;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The year in which a good certificate ends.
const GOOD_UNTIL: &str = "20991231235959Z";

const CONFIG: &str = "[ca]\ndefault_ca = here\n[here]\ndatabase = index\nnew_certs_dir = .\ndefault_md = sha256\n\
policy = any\nunique_subject = no\nserial = serial\nrand_serial = yes\n[any]\ncommonName = supplied\n";

/// An authority in a folder of its own.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
}

/// What a certificate is to say.
#[derive(Clone, Debug)]
pub struct Request {
    /// The subject's common name.
    pub common_name: String,
    /// Entries of subjectAltName such as `DNS:localhost` or `IP:127.0.0.1`. Without any it is a certificate of the first version
    /// of X.509, as `openssl x509 -req` makes it.
    pub names: Vec<String>,
    /// When it ends, as `YYYYMMDDHHMMSSZ`.
    pub until: String,
    /// Further lines of its extensions.
    pub extensions: Vec<String>,
}

impl Request {
    /// A good one.
    pub fn new(common_name: &str, names: &[&str]) -> Self {
        Self {
            common_name: common_name.to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            until: GOOD_UNTIL.to_owned(),
            extensions: Vec::new(),
        }
    }
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Issued {
    /// In PEM.
    pub certificate: PathBuf,
    /// In PEM, readable by its owner alone.
    pub key: PathBuf,
}

fn openssl(folder: &Path, arguments: &[&str]) -> Result<String> {
    run(Command::new("openssl").args(arguments).current_dir(folder))
}

impl Authority {
    /// Makes one, with this name.
    pub fn new(name: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("runsheet-ca-").tempdir()?;
        let at = folder.path();
        fs::write(at.join("config"), CONFIG)?;
        fs::write(at.join("index"), "")?;
        self_signed(at, name, "ca")?;
        Ok(Self { folder })
    }

    /// Its own certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// Signs a certificate.
    pub fn issue(&self, request: &Request) -> Result<Issued> {
        let at = self.folder.path();
        let name = crate::fresh_name("issued");
        let file = |end: &str| format!("{name}.{end}");
        let subject = format!("/CN={}", request.common_name);
        let (key, wish, certificate) = (file("key"), file("csr"), file("crt"));
        let mut new_key = key_arguments(&key);
        new_key.extend(["-subj", &subject, "-out", &wish]);
        openssl(at, &[&["req"], new_key.as_slice()].concat())?;
        let mut sign = vec!["ca", "-batch", "-notext", "-config", "config"];
        sign.extend(["-cert", "ca.crt", "-keyfile", "ca.key", "-startdate", "20200101000000Z"]);
        sign.extend(["-enddate", &request.until, "-in", &wish, "-out", &certificate]);
        let extensions = file("extensions");
        if !request.names.is_empty() || !request.extensions.is_empty() {
            let mut lines = request.extensions.clone();
            if !request.names.is_empty() {
                lines.push(format!("subjectAltName={}", request.names.join(",")));
            }
            fs::write(at.join(&extensions), lines.join("\n"))?;
            sign.extend(["-extfile", &extensions]);
        }
        openssl(at, &sign)?;
        issued(at, &name)
    }
}

/// A server's certificate by nobody but itself, as `openssl req -x509` makes it.
pub fn self_signed(folder: &Path, common_name: &str, name: &str) -> Result<Issued> {
    let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
    let subject = format!("/CN={common_name}");
    let mut arguments = vec!["req", "-x509", "-days", "300", "-subj", &subject, "-out", &certificate];
    arguments.extend(key_arguments(&key));
    openssl(folder, &arguments)?;
    issued(folder, name)
}

fn key_arguments(key: &str) -> Vec<&str> {
    vec!["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key]
}

fn issued(folder: &Path, name: &str) -> Result<Issued> {
    let file = |end: &str| folder.join(format!("{name}.{end}"));
    let issued = Issued { certificate: file("crt"), key: file("key") };
    fs::set_permissions(&issued.key, fs::Permissions::from_mode(0o600))?;
    Ok(issued)
}
