//! Arguments about TLS of the commands that send: pipe, exec, import and demo.

use std::path::PathBuf;

use clap::Args;
use stdout::TlsFlags;

/// Files for an https endpoint.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TlsArguments {
    /// Authority whose certificates are trusted, a PEM file [variable: OTEL_EXPORTER_OTLP_CERTIFICATE] [default: those
    /// that the system trusts].
    #[arg(long, value_name = "FILE", help_heading = "TLS, where the endpoint is https")]
    ca_file: Option<PathBuf>,
    /// Certificate to show to a server that asks for one, a PEM file [variable: OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE].
    #[arg(long, value_name = "FILE", help_heading = "TLS, where the endpoint is https")]
    client_certificate: Option<PathBuf>,
    /// Its private key, a PEM file [variable: OTEL_EXPORTER_OTLP_CLIENT_KEY].
    #[arg(long, value_name = "FILE", help_heading = "TLS, where the endpoint is https")]
    client_key: Option<PathBuf>,
}

impl TlsArguments {
    pub(crate) fn flags(&self) -> TlsFlags {
        TlsFlags {
            ca_file: self.ca_file.clone(),
            client_certificate: self.client_certificate.clone(),
            client_key: self.client_key.clone(),
        }
    }
}
