//! What a row of a table is: bytes to send, and what the answer must look like.

use anyhow::{Result, bail, ensure};
use serde_json::Value;
use testkit::raw::{self, RawAnswer};
use testkit::{Message, proto};

/// A log request of one record with this body text, in JSON.
pub fn log_json(body: &str) -> Vec<u8> {
    logs_json(&format!(r#"{{"body":{{"stringValue":"{body}"}}}}"#))
}

/// A log request with these records, in JSON.
pub fn logs_json(records: &str) -> Vec<u8> {
    format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}"#).into_bytes()
}

/// A log request of one record with this body text, in protobuf, written by hand.
pub fn log_protobuf(body: &[u8]) -> Vec<u8> {
    // AnyValue.string_value, LogRecord.body, ScopeLogs.log_records, ResourceLogs.scope_logs, request.resource_logs.
    [0x0a_u8, 0x2a, 0x12, 0x12, 0x0a].iter().fold(body.to_vec(), |inner, tag| field(*tag, &inner))
}

/// A field of length-delimited type: tag, length, content.
pub fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(content);
    bytes
}

/// What an answer's body must be.
#[derive(Debug, Clone, Copy)]
pub enum Body {
    /// Anything.
    Any,
    /// No bytes: full success in protobuf.
    Empty,
    /// These bytes.
    Exactly(&'static str),
    /// A `google.rpc.Status` in JSON whose message holds this.
    Status(&'static str),
    /// The same in protobuf.
    StatusProtobuf(&'static str),
}

/// What must come back.
#[derive(Debug, Clone, Copy)]
pub struct Expect {
    pub status: u16,
    /// Headers that must be there, with a part of their value.
    pub headers: &'static [(&'static str, &'static str)],
    pub body: Body,
}

impl Expect {
    pub const fn new(status: u16, body: Body) -> Expect {
        Expect { status, headers: &[], body }
    }

    pub const fn with(self, headers: &'static [(&'static str, &'static str)]) -> Expect {
        Expect { headers, ..self }
    }

    /// Full success, in JSON.
    pub const JSON: Expect = Expect::new(200, Body::Exactly("{}")).with(&[("content-type", "application/json")]);
    /// Full success, in protobuf.
    pub const PROTOBUF: Expect = Expect::new(200, Body::Empty).with(&[("content-type", "application/x-protobuf")]);

    /// Whether the answer is what is expected.
    pub fn check(&self, answer: &RawAnswer) -> Result<()> {
        ensure!(answer.status == self.status, "status {} instead of {}: {}", answer.status, self.status, answer.text());
        for (name, part) in self.headers {
            let Some(value) = answer.header(name) else { bail!("no header {name}: {:?}", answer.headers) };
            ensure!(value.contains(part), "{name}: {value:?} lacks {part:?}");
        }
        let clean = |message: &str, part: &str| -> Result<()> {
            ensure!(message.contains(part), "message {message:?} lacks {part:?}");
            for leak in ["/tmp", "::", "{ ", "Err(", "src/"] {
                ensure!(!message.contains(leak), "message {message:?} shows internals");
            }
            Ok(())
        };
        match self.body {
            Body::Any => Ok(()),
            Body::Empty => {
                ensure!(answer.body.is_empty(), "a body: {:?}", answer.text());
                Ok(())
            }
            Body::Exactly(text) => {
                ensure!(answer.text() == text, "body {:?} instead of {text:?}", answer.text());
                Ok(())
            }
            Body::Status(part) => {
                let status: Value = serde_json::from_slice(&answer.body)?;
                clean(status["message"].as_str().unwrap_or_default(), part)
            }
            Body::StatusProtobuf(part) => clean(&proto::Status::decode(&answer.body[..])?.message, part),
        }
    }
}

/// Runs rows, keeps what failed, and tells all of it at the end.
#[derive(Debug)]
pub struct Table {
    name: &'static str,
    passed: usize,
    failures: Vec<String>,
}

impl Table {
    pub fn new(name: &'static str) -> Table {
        Table { name, passed: 0, failures: Vec::new() }
    }

    /// Notes the outcome of a row.
    pub fn note(&mut self, row: &str, outcome: Result<()>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(error) => self.failures.push(format!("{row}: {error:#}")),
        }
    }

    /// Sends a request to a port and checks what comes back.
    pub async fn row(&mut self, row: &str, port: u16, request: &[u8], expect: Expect) {
        let outcome = match raw::exchange(port, request).await {
            Ok(answer) => expect.check(&answer),
            Err(error) => Err(error),
        };
        self.note(row, outcome);
    }

    /// Fails where a row did.
    pub fn finish(self) -> Result<()> {
        println!("conformance {}: {} rows passed, {} failed", self.name, self.passed, self.failures.len());
        ensure!(self.passed + self.failures.len() > 0, "{}: no row ran", self.name);
        ensure!(self.failures.is_empty(), "{}:\n{}", self.name, self.failures.join("\n"));
        Ok(())
    }
}

/// The bytes of a binary gRPC header; none where it is absent or no base64.
pub fn header_bytes(value: Option<&str>) -> Vec<u8> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    value.and_then(|text| STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()).unwrap_or_default()
}
