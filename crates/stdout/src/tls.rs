//! TLS as a sender speaks it: which authority is trusted, and what is shown to a server that asks who is there.
//!
//! Flags come first, then the variables that OpenTelemetry names. The files are read once, at start, and what is wrong
//! with them is said then. Without an authority's file those that the system trusts are trusted.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::error::StdoutError;

/// Most bytes of a file; a bundle of every public authority has about a quarter of it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What flags say of TLS; what they leave out, variables may.
#[derive(Debug, Clone, Default)]
pub struct TlsFlags {
    /// `--ca-file`: whose certificates are trusted.
    pub ca_file: Option<PathBuf>,
    /// `--client-certificate`: what is shown to a server that asks for it.
    pub client_certificate: Option<PathBuf>,
    /// `--client-key`: its private key.
    pub client_key: Option<PathBuf>,
}

/// What is spoken on the way to an endpoint.
#[derive(Debug, Clone)]
pub struct Tls(pub(crate) ClientConfig);

/// A file, and the flag or variable that names it.
#[derive(Debug)]
struct Named {
    origin: String,
    path: PathBuf,
}

/// One of the three settings: its flag, and the end of its variable's name.
#[derive(Debug, Clone, Copy)]
struct Setting {
    flag: &'static str,
    variable: &'static str,
}

const CA_FILE: Setting = Setting { flag: "--ca-file", variable: "CERTIFICATE" };
const CLIENT_CERTIFICATE: Setting = Setting { flag: "--client-certificate", variable: "CLIENT_CERTIFICATE" };
const CLIENT_KEY: Setting = Setting { flag: "--client-key", variable: "CLIENT_KEY" };

impl Tls {
    /// Resolves flags and the environment for an endpoint. `signal` is what stands in the names of variables of one
    /// signal, such as `LOGS_`; they come before those of all.
    ///
    /// # Errors
    /// The first file that cannot be used, or a flag for an endpoint that is not https.
    pub fn resolve(
        endpoint: &str,
        flags: &TlsFlags,
        signal: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Tls, StdoutError> {
        if !is_https(endpoint) {
            // Variables are for all that an app sends; a flag is for this endpoint.
            let given = [(CA_FILE, &flags.ca_file), (CLIENT_CERTIFICATE, &flags.client_certificate)];
            return match given.into_iter().chain([(CLIENT_KEY, &flags.client_key)]).find(|(_, flag)| flag.is_some()) {
                Some((Setting { flag, .. }, _)) => Err(StdoutError::NoTls { flag, endpoint: endpoint.to_owned() }),
                None => config(RootCertStore::empty(), None),
            };
        }
        let named = |setting: Setting, flag: &Option<PathBuf>| {
            let of_flag = flag.clone().map(|path| Named { origin: setting.flag.to_owned(), path });
            of_flag.or_else(|| {
                [signal, ""].into_iter().find_map(|signal| {
                    let origin = format!("OTEL_EXPORTER_OTLP_{signal}{}", setting.variable);
                    let text = variable(&origin).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())?;
                    Some(Named { origin, path: PathBuf::from(text) })
                })
            })
        };
        let certificate = named(CLIENT_CERTIFICATE, &flags.client_certificate);
        let identity = match (certificate, named(CLIENT_KEY, &flags.client_key)) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(half), None) => return Err(half.without(CLIENT_KEY)),
            (None, Some(half)) => return Err(half.without(CLIENT_CERTIFICATE)),
        };
        let roots = match named(CA_FILE, &flags.ca_file) {
            Some(named) => named.authorities()?,
            None => system_authorities()?,
        };
        config(roots, identity)
    }
}

/// Whether an endpoint wants TLS.
fn is_https(endpoint: &str) -> bool {
    endpoint.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

fn config(roots: RootCertStore, identity: Option<(Named, Named)>) -> Result<Tls, StdoutError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StdoutError::Authority { reason: error.to_string() })?
        .with_root_certificates(roots);
    let Some((certificate, key)) = identity else { return Ok(Tls(builder.with_no_client_auth())) };
    let paired = builder.with_client_auth_cert(certificate.certificates()?, key.private_key()?);
    let config = paired.map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => key.unusable(format!(
            "which does not belong to the certificate in '{}': give the two that were made together",
            certificate.path.display()
        )),
        error => certificate.unusable(format!("which cannot be shown with its key: {error}")),
    })?;
    Ok(Tls(config))
}

fn system_authorities() -> Result<RootCertStore, StdoutError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A store of a system may hold authorities that are too old to be of use; the others are.
    let (added, _) = roots.add_parsable_certificates(found.certs);
    match added {
        0 => {
            let reason = found.errors.first().map_or_else(|| "none was found".to_owned(), ToString::to_string);
            Err(StdoutError::Authority { reason })
        }
        _ => Ok(roots),
    }
}

impl Named {
    fn unusable(&self, reason: impl Into<String>) -> StdoutError {
        StdoutError::File { origin: self.origin.clone(), path: self.path.clone(), reason: reason.into() }
    }

    /// Only one half of a pair is given; this is the other.
    fn without(&self, other: Setting) -> StdoutError {
        let Setting { flag, variable } = other;
        self.unusable(format!("and the other half is missing: name it with {flag} or OTEL_EXPORTER_OTLP_{variable}"))
    }

    fn read(&self) -> Result<Vec<u8>, StdoutError> {
        let unreadable =
            |error: std::io::Error| self.unusable(format!("which cannot be read ({error}): name a PEM file"));
        let mut content = Vec::new();
        let file = File::open(&self.path).map_err(unreadable)?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content).map_err(unreadable)?;
        match content.len() as u64 > FILE_BYTES_MAX {
            true => Err(self.unusable("which is larger than 1 MiB: name a PEM file")),
            false => Ok(content),
        }
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, StdoutError> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.read()?).collect();
        let found = read.map_err(|_| self.unusable("which is no valid PEM file: make it again"))?;
        match found.is_empty() {
            true => Err(self.unusable("which holds no certificate: name a PEM file with BEGIN CERTIFICATE in it")),
            false => Ok(found),
        }
    }

    fn authorities(&self) -> Result<RootCertStore, StdoutError> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            roots.add(certificate).map_err(|error| {
                self.unusable(format!("which holds a certificate that cannot be an authority ({error}): take it out"))
            })?;
        }
        Ok(roots)
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, StdoutError> {
        let content = self.read()?;
        PrivateKeyDer::from_pem_slice(&content).map_err(|_| {
            self.unusable(match String::from_utf8_lossy(&content).contains("ENCRYPTED") {
                true => "which is encrypted: name the key without a passphrase",
                false => "which holds no private key: name a PEM file with BEGIN PRIVATE KEY in it",
            })
        })
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
