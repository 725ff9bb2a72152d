//! Bodies of answers to exports, in the encoding of the request. None is longer than 4 KiB: clients read little.

use model::Signal;
use model::attributes::{write_int, write_string};

use crate::Encoding;

/// Bytes of a message; escapes multiply them by six at most.
const MESSAGE_BYTES_MAX: usize = 512;

/// An `Export…ServiceResponse`. Without rejections and message it is a full success: no bytes, or `{}`.
pub fn response_body(signal: Signal, encoding: Encoding, rejected: u32, message: &str) -> Vec<u8> {
    let message = clip(message);
    let partial = rejected > 0 || !message.is_empty();
    match encoding {
        Encoding::Protobuf if !partial => Vec::new(),
        Encoding::Protobuf => {
            let mut inner = Vec::new();
            put_varint_field(&mut inner, 1, u64::from(rejected));
            put_bytes_field(&mut inner, 2, message.as_bytes());
            let mut out = Vec::new();
            put_bytes_field(&mut out, 1, &inner);
            out
        }
        Encoding::Json if !partial => b"{}".to_vec(),
        Encoding::Json => {
            let rejected_name = match signal {
                Signal::Traces => "rejectedSpans",
                Signal::Logs => "rejectedLogRecords",
                Signal::Metrics => "rejectedDataPoints",
            };
            let mut out = String::from(r#"{"partialSuccess":{"#);
            if rejected > 0 {
                out.push_str(&format!(r#""{rejected_name}":"{rejected}""#));
            }
            if !message.is_empty() {
                out.push_str(if rejected > 0 { r#","errorMessage":"# } else { r#""errorMessage":"# });
                write_string(&mut out, message);
            }
            out.push_str("}}");
            out.into_bytes()
        }
    }
}

/// A `google.rpc.Status`, the body of every refusal.
pub fn status_body(encoding: Encoding, code: i32, message: &str) -> Vec<u8> {
    let message = clip(message);
    match encoding {
        Encoding::Protobuf => {
            let mut out = Vec::new();
            put_varint_field(&mut out, 1, code as i64 as u64);
            put_bytes_field(&mut out, 2, message.as_bytes());
            out
        }
        Encoding::Json => {
            let mut out = String::from(r#"{"code":"#);
            write_int(&mut out, i64::from(code));
            out.push_str(r#","message":"#);
            write_string(&mut out, message);
            out.push('}');
            out.into_bytes()
        }
    }
}

fn clip(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE_BYTES_MAX)]
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Defaults are left out.
fn put_varint_field(out: &mut Vec<u8>, number: u8, value: u64) {
    if value != 0 {
        out.push(number << 3);
        put_varint(out, value);
    }
}

fn put_bytes_field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    if !bytes.is_empty() {
        out.push(number << 3 | 2);
        put_varint(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_byte_exact() {
        let check = |encoding, rejected, message: &str, expect: &[u8]| {
            assert_eq!(response_body(Signal::Traces, encoding, rejected, message), expect);
        };
        check(Encoding::Protobuf, 0, "", b"");
        check(Encoding::Protobuf, 1, "x", &[0x0a, 0x05, 0x08, 0x01, 0x12, 0x01, b'x']);
        check(Encoding::Protobuf, 0, "x", &[0x0a, 0x03, 0x12, 0x01, b'x']);
        check(Encoding::Json, 0, "", b"{}");
        check(Encoding::Json, 1, "x", br#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"x"}}"#);
        check(Encoding::Json, 0, "x\"", br#"{"partialSuccess":{"errorMessage":"x\""}}"#);
        check(Encoding::Json, 2, "", br#"{"partialSuccess":{"rejectedSpans":"2"}}"#);
        assert_eq!(status_body(Encoding::Protobuf, 3, "x"), [0x08, 0x03, 0x12, 0x01, b'x']);
        assert_eq!(status_body(Encoding::Json, 3, "x"), br#"{"code":3,"message":"x"}"#);
    }

    #[test]
    fn bodies_are_short() {
        for message in ["\u{1}".repeat(1_000_000), "é".repeat(1_000_000)] {
            for encoding in [Encoding::Protobuf, Encoding::Json] {
                assert!(response_body(Signal::Logs, encoding, u32::MAX, &message).len() < 4096);
                assert!(status_body(encoding, -1, &message).len() < 4096);
            }
        }
    }
}
