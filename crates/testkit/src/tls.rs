//! A client over TLS: raw exchanges over HTTP/1.1 and calls over HTTP/2, each on a connection of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::pki::Identity;
use crate::raw::{self, RawAnswer};
use crate::{Answer, Server, ServerSettings};

static ONLY_12: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS12];

/// Longest wait for a server to become ready.
const READY_MAX: Duration = Duration::from_secs(30);

/// Connects to loopback ports, trusting one authority.
#[derive(Debug, Clone)]
pub struct TlsClient {
    authority: String,
    identity: Option<Identity>,
    versions: &'static [&'static SupportedProtocolVersion],
}

impl TlsClient {
    /// A client that trusts this authority, and shows an identity where it has one.
    pub fn new(authority: &str, identity: Option<&Identity>) -> TlsClient {
        TlsClient { authority: authority.to_owned(), identity: identity.cloned(), versions: rustls::ALL_VERSIONS }
    }

    /// The same with TLS 1.2 alone.
    pub fn only_tls12(self) -> TlsClient {
        TlsClient { versions: &ONLY_12, ..self }
    }

    fn config(&self, protocols: &[&str]) -> Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(self.authority.as_bytes()) {
            roots.add(certificate.context("the authority is no PEM")?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).context("the key is no PEM")?;
                builder.with_client_auth_cert(chain.context("the certificate is no PEM")?, key)?
            }
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(config)
    }

    /// A connection to a loopback port; `protocols` are offered, best first.
    ///
    /// # Errors
    /// When there is no connection or no handshake.
    pub async fn connect(&self, port: u16, protocols: &[&str]) -> Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.context("no connection")?;
        let connector = TlsConnector::from(Arc::new(self.config(protocols)?));
        let name = ServerName::try_from("localhost").context("a name")?;
        connector.connect(name, stream).await.context("no handshake")
    }

    /// Sends bytes over HTTP/1.1 and reads one answer.
    ///
    /// # Errors
    /// When there is no handshake or no whole answer.
    pub async fn exchange(&self, port: u16, bytes: &[u8]) -> Result<RawAnswer> {
        let mut stream = self.connect(port, &["http/1.1"]).await?;
        stream.write_all(bytes).await.context("cannot send")?;
        raw::read_answer(&mut stream).await
    }

    /// A gRPC call over HTTP/2.
    ///
    /// # Errors
    /// When there is no handshake or no whole answer.
    pub async fn grpc_call(&self, port: u16, path: &str, frame: Vec<u8>) -> Result<Answer> {
        let stream = self.connect(port, &["h2"]).await?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            bail!("the server chose {:?} instead of h2", stream.get_ref().1.alpn_protocol());
        }
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.context("no HTTP/2")?;
        let serving = tokio::spawn(connection);
        let request = Request::post(format!("https://localhost:{port}{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(Bytes::from(frame)))?;
        let (head, body) = sender.send_request(request).await.context("no answer")?.into_parts();
        let body = body.collect().await.context("the answer broke off")?;
        let mut headers = head.headers;
        headers.extend(body.trailers().cloned().unwrap_or_default());
        drop(sender);
        serving.abort();
        Ok(Answer { status: head.status, headers, body: body.to_bytes() })
    }
}

impl Server {
    /// Starts a server that speaks TLS and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start_tls(settings: ServerSettings, client: &TlsClient) -> Result<Server> {
        let mut server = Server::prepare(settings)?;
        server.launch()?;
        let begun = Instant::now();
        let request = raw::request("GET", "/readyz", &[], b"");
        let [_, http, api] = server.ports();
        for port in [http, api] {
            while !client.exchange(port, &request).await.is_ok_and(|answer| answer.status == 200) {
                if begun.elapsed() > READY_MAX {
                    bail!("not ready over TLS after {READY_MAX:?}:\n{}", server.log_tail());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(server)
    }
}
