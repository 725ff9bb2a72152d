//! Identifiers. Trace and span ids are raw bytes inside and lowercase hex outside.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text has the wrong number of digits.
    #[error("expected {expected} hex digits, got {actual}")]
    Length {
        /// Digits an id of this kind has.
        expected: usize,
        /// Digits the text has.
        actual: usize,
    },
    /// The text holds something that is no hex digit.
    #[error("expected hex digits only")]
    Digit,
}

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], IdError> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return Err(IdError::Length { expected: N * 2, actual: digits.len() });
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = (pair[0] as char).to_digit(16).ok_or(IdError::Digit)?;
        let low = (pair[1] as char).to_digit(16).ok_or(IdError::Digit)?;
        *byte = (high * 16 + low) as u8;
    }
    Ok(bytes)
}

macro_rules! byte_id {
    ($name:ident, $length:literal, $what:literal) => {
        #[doc = $what]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// The id if `bytes` has the right length and is not all zeros (the OTLP "invalid" id).
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                let id: [u8; $length] = bytes.try_into().ok()?;
                (id != [0; $length]).then_some(Self(id))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

byte_id!(TraceId, 16, "A W3C / OpenTelemetry trace id, 16 bytes.");
byte_id!(SpanId, 8, "A W3C / OpenTelemetry span id, 8 bytes.");

macro_rules! number_id {
    ($name:ident, $what:literal) => {
        #[doc = $what]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_hex::<8>(text).map(|bytes| Self(u64::from_be_bytes(bytes)))
            }
        }
    };
}

number_id!(SegmentId, "Number of a journal segment, drawn from the catalog; printed as 16 hex digits.");
number_id!(FileId, "Number of a Parquet file, drawn from the catalog; printed as 16 hex digits, its file stem.");
number_id!(SequenceNumber, "Number of a catalog write transaction; a snapshot is pinned to one.");
number_id!(LeaseEpoch, "How often a lease has changed hands; a swap is fenced by it.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_and_parse() {
        let id: TraceId = "9F3C1B7A5D2E4C08B6A1F0D4C3B2E21A".parse().expect("mixed case is hex");
        assert_eq!(id.to_string(), "9f3c1b7a5d2e4c08b6a1f0d4c3b2e21a");
        assert_eq!("12".parse::<SpanId>(), Err(IdError::Length { expected: 16, actual: 2 }));
        assert_eq!("zz00000000000000".parse::<SpanId>(), Err(IdError::Digit));
        assert_eq!(SpanId::from_bytes(&[0; 8]), None);
        assert_eq!("00000000000000ff".parse(), Ok(SegmentId(255)));
        assert_eq!(SegmentId(255).to_string(), "00000000000000ff");
    }
}
