//! What can be wrong before a line is read.

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
    /// The endpoint wants TLS.
    #[error(
        "{origin} is '{endpoint}', and TLS is not built in: name the http:// address of Spyhop, or of a collector or \
         sidecar near the app that speaks TLS to it"
    )]
    Tls {
        /// The flag or variable.
        origin: String,
        /// What it says.
        endpoint: String,
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
