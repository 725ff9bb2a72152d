//! A client for one's own server: it trusts the certificate that the settings name, whatever names are in it.
//!
//! A health check asks `127.0.0.1`, which no certificate is for. What it must know is that the server is the one of
//! these settings, and that is so exactly if the server shows this certificate and holds its key. Where clients need a
//! certificate it shows the same one.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::TlsFiles;
use super::files::{Contents, TlsError, certificates, private_key};

/// Connects to servers that show one certificate.
#[derive(Clone)]
pub struct TlsProbe(Arc<ClientConfig>);

impl TlsProbe {
    /// Reads the files that the server reads.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(files: &TlsFiles) -> Result<TlsProbe, TlsError> {
        let contents = Contents::read(files)?;
        let chain = certificates("certificate", &files.certificate, &contents.certificate)?;
        let key = private_key(&files.key, &contents.key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let expected =
            chain.first().cloned().ok_or_else(|| unusable(&files.certificate, "which is empty".to_owned()))?;
        let verifier = Arc::new(Shows { expected, provider: provider.clone() });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map(|builder| builder.dangerous().with_custom_certificate_verifier(verifier))
            .and_then(|builder| builder.with_client_auth_cert(chain, key))
            .map_err(|error| unusable(&files.certificate, format!("which is no good: {error}")))?;
        Ok(TlsProbe(Arc::new(config)))
    }

    /// Connects to `host:port`.
    ///
    /// # Errors
    /// There is no connection, or the server is another one.
    pub async fn connect(&self, address: &str) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        TlsConnector::from(self.0.clone()).connect(name, stream).await
    }
}

fn unusable(path: &Path, reason: String) -> TlsError {
    TlsError::Unusable { setting: "certificate", path: path.to_owned(), reason }
}

/// Accepts one certificate and no other.
#[derive(Debug)]
struct Shows {
    expected: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Shows {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match shown.as_ref() == self.expected.as_ref() {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
