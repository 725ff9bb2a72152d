//! Reads PEM files and makes of them what a handshake needs. Everything that is wrong is one sentence.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::expiry;
use super::{TlsFiles, TlsVersion};

/// Most bytes of a file; a bundle of every public authority has about a quarter of it.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why TLS cannot be served with these files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("tls.{setting} is '{}', which cannot be read: {reason}", .path.display())]
    Unreadable {
        /// Which setting names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A file does not hold what it should.
    #[error("tls.{setting} is '{}', {reason}", .path.display())]
    Unusable {
        /// Which setting names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// The key is another certificate's.
    #[error("the key in '{}' does not belong to the first certificate in '{}': give the two that were made together", .key.display(), .certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

/// What the files held when they were read.
pub(super) struct Contents {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Contents {
    pub(super) fn read(files: &TlsFiles) -> Result<Contents, TlsError> {
        Ok(Contents {
            certificate: read("certificate", &files.certificate)?,
            key: read("key", &files.key)?,
            client_ca: files.client_ca.as_ref().map(|path| read("client_ca", path)).transpose()?,
        })
    }

    pub(super) fn fingerprint(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for content in [&self.certificate, &self.key].into_iter().chain(&self.client_ca) {
            hasher.update(&(content.len() as u64).to_le_bytes()).update(content);
        }
        hasher.finalize()
    }
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |reason: String| TlsError::Unreadable { setting, path: path.to_owned(), reason };
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut content = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content).map_err(|error| unreadable(error.to_string()))?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(unreadable("it is larger than 1 MiB".to_owned()));
    }
    Ok(content)
}

/// What a handshake needs.
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    /// When the certificate ends, in Unix seconds.
    pub(super) expires: Option<i64>,
}

pub(super) fn load(files: &TlsFiles, contents: &Contents) -> Result<Loaded, TlsError> {
    let chain = certificates("certificate", &files.certificate, &contents.certificate)?;
    let expires = chain.first().and_then(|leaf| expiry::not_after(leaf));
    let key = private_key(&files.key, &contents.key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let unusable = |setting, path: &Path, reason: String| TlsError::Unusable { setting, path: path.to_owned(), reason };
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions(files.version_min))
        .map_err(|error| unusable("version_min", &files.certificate, error.to_string()))?;
    let builder = match (&files.client_ca, &contents.client_ca) {
        (Some(path), Some(content)) => {
            let roots = authorities(path, content)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build();
            let verifier = verifier.map_err(|error| unusable("client_ca", path, error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
        _ => builder.with_no_client_auth(),
    };
    check_pair(files, &chain, &key, &provider)?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| unusable("certificate", &files.certificate, format!("which is no good: {error}")))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Loaded { config: Arc::new(config), expires })
}

/// Whether key and certificate are a pair, in words of our own.
fn check_pair(
    files: &TlsFiles,
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<(), TlsError> {
    let loaded = rustls::sign::CertifiedKey::from_der(chain.to_vec(), key.clone_key(), provider);
    match loaded {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(TlsError::Mismatch { certificate: files.certificate.clone(), key: files.key.clone() })
        }
        Err(error) => Err(TlsError::Unusable {
            setting: "key",
            path: files.key.clone(),
            reason: format!("which cannot be used with the certificate: {error}"),
        }),
    }
}

pub(super) fn certificates(
    setting: &'static str,
    path: &Path,
    content: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unusable = |reason: &str| TlsError::Unusable { setting, path: path.to_owned(), reason: reason.to_owned() };
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(content).collect();
    match read {
        Ok(found) if found.is_empty() => {
            Err(unusable("which holds no certificate: give a PEM file with BEGIN CERTIFICATE in it"))
        }
        Ok(found) => Ok(found),
        Err(_) => Err(unusable("which is no valid PEM file")),
    }
}

pub(super) fn private_key(path: &Path, content: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(content).map_err(|_| {
        let text = String::from_utf8_lossy(content);
        let reason = if text.contains("ENCRYPTED") {
            "which is encrypted: give the key without a passphrase"
        } else {
            "which holds no private key: give a PEM file with BEGIN PRIVATE KEY in it"
        };
        TlsError::Unusable { setting: "key", path: path.to_owned(), reason: reason.to_owned() }
    })
}

fn authorities(path: &Path, content: &[u8]) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates("client_ca", path, content)? {
        roots.add(authority).map_err(|error| TlsError::Unusable {
            setting: "client_ca",
            path: path.to_owned(),
            reason: format!("which holds a certificate that cannot be an authority: {error}"),
        })?;
    }
    Ok(Arc::new(roots))
}

/// Newest first.
static FROM_12: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
static FROM_13: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];

fn versions(version_min: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match version_min {
        TlsVersion::Tls12 => &FROM_12,
        TlsVersion::Tls13 => &FROM_13,
    }
}
