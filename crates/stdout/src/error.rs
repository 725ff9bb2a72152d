//! What can be wrong before a line is read.

use std::path::PathBuf;

/// Why nothing can be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StdoutError {
    /// The endpoint is no address of OTLP over HTTP.
    #[error("{origin} is '{endpoint}': write the address of OTLP/HTTP such as http://127.0.0.1:4318")]
    Endpoint {
        /// The flag or variable.
        origin: String,
        /// What it says.
        endpoint: String,
    },
    /// A flag is about TLS, and the endpoint has none.
    #[error("{flag} is set, and nothing is encrypted on the way to {endpoint}: write https://, or leave the flag out")]
    NoTls {
        /// The flag.
        flag: &'static str,
        /// Where records go.
        endpoint: String,
    },
    /// A file of TLS is no good.
    #[error("{origin} is '{}', {reason}", .path.display())]
    File {
        /// The flag or variable.
        origin: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// No authority is trusted, so no server is.
    #[error(
        "this system trusts no authority ({reason}): name the one of the server's certificate with --ca-file or \
         OTEL_EXPORTER_OTLP_CERTIFICATE"
    )]
    Authority {
        /// Why none was found.
        reason: String,
    },
    /// A header cannot be sent.
    #[error("{origin} names the header '{name}', which cannot be sent: write pairs such as x-api-key=secret")]
    Header {
        /// The flag or variable.
        origin: String,
        /// Its name; its value may be secret.
        name: String,
    },
    /// A setting is none of its values.
    #[error("{origin} is '{value}': {advice}")]
    Setting {
        /// The flag or variable.
        origin: String,
        /// What it says.
        value: String,
        /// What to write instead.
        advice: &'static str,
    },
}
