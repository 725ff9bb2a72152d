//! What a request's records were rejected for, and what was put right or cut in those that were kept.

use std::borrow::Cow;

use model::attributes::write_string;

use crate::sample::SampleText;
use crate::tally::Tally;
use crate::{DecodeLimits, Stop};

/// Why a record was rejected. The rest of its request is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum RejectReason {
    /// A span without a trace id of 16 bytes, not all zero.
    InvalidTraceId,
    /// A span without a span id of 8 bytes, not all zero.
    InvalidSpanId,
    /// A time beyond the year 2262.
    TimeOutOfRange,
    /// A data point without a time.
    TimeMissing,
    /// A number that is none, is not integral where it must be, or is out of range.
    InvalidNumber,
    /// The name of an enum value that does not exist.
    InvalidEnum,
    /// A field of the wrong JSON type, or bytes that are no base64.
    InvalidValue,
    /// A sum or histogram whose aggregation temporality is unspecified.
    TemporalityUnspecified,
    /// A number point that holds no value and does not say so in its flags.
    ValueMissing,
    /// A histogram whose bucket counts do not match its bounds.
    BucketsMismatch,
    /// A histogram whose bounds do not increase strictly.
    BoundsNotIncreasing,
}

impl RejectReason {
    /// Every reason.
    pub const ALL: [RejectReason; 11] = [
        RejectReason::InvalidTraceId,
        RejectReason::InvalidSpanId,
        RejectReason::TimeOutOfRange,
        RejectReason::TimeMissing,
        RejectReason::InvalidNumber,
        RejectReason::InvalidEnum,
        RejectReason::InvalidValue,
        RejectReason::TemporalityUnspecified,
        RejectReason::ValueMissing,
        RejectReason::BucketsMismatch,
        RejectReason::BoundsNotIncreasing,
    ];

    /// A stable name, for metrics and the ledger.
    pub fn name(self) -> &'static str {
        match self {
            RejectReason::InvalidTraceId => "invalid_trace_id",
            RejectReason::InvalidSpanId => "invalid_span_id",
            RejectReason::TimeOutOfRange => "time_out_of_range",
            RejectReason::TimeMissing => "time_missing",
            RejectReason::InvalidNumber => "invalid_number",
            RejectReason::InvalidEnum => "invalid_enum",
            RejectReason::InvalidValue => "invalid_value",
            RejectReason::TemporalityUnspecified => "temporality_unspecified",
            RejectReason::ValueMissing => "value_missing",
            RejectReason::BucketsMismatch => "buckets_mismatch",
            RejectReason::BoundsNotIncreasing => "bounds_not_increasing",
        }
    }

    /// The reason of this name.
    pub fn named(name: &str) -> Option<RejectReason> {
        RejectReason::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// A clause for people: "3 records: …".
    pub fn message(self) -> &'static str {
        match self {
            RejectReason::InvalidTraceId => "the trace id is not 16 bytes or is all zeros",
            RejectReason::InvalidSpanId => "the span id is not 8 bytes or is all zeros",
            RejectReason::TimeOutOfRange => "a time lies beyond the year 2262",
            RejectReason::TimeMissing => "the data point has no time",
            RejectReason::InvalidNumber => "a number is malformed or out of range",
            RejectReason::InvalidEnum => "an enum name is unknown",
            RejectReason::InvalidValue => "a field has the wrong type",
            RejectReason::TemporalityUnspecified => "the aggregation temporality is unspecified",
            RejectReason::ValueMissing => "the number point has no value",
            RejectReason::BucketsMismatch => "the bucket counts do not match the bounds",
            RejectReason::BoundsNotIncreasing => "the bucket bounds do not increase",
        }
    }
}

/// What was not as it should be, yet cost no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Warning {
    /// A text held bytes that are no UTF-8, or half a surrogate pair; they became U+FFFD.
    TextReplaced,
    /// A trace or span id of a log, link, exemplar or parent was malformed and dropped.
    IdDropped,
    /// A value nested too deep became empty.
    DepthCut,
    /// More attributes than the limit; the rest were counted as dropped.
    AttributesCut,
    /// A value longer than the limit was cut.
    ValueCut,
    /// JSON keys in snake_case.
    SnakeCaseKey,
    /// JSON ids in base64.
    Base64Id,
    /// JSON enum values as names.
    EnumName,
    /// A data point whose value is JSON's null was taken as NaN.
    NullValue,
    /// A reference to a string table, which only profiles have.
    StringIndex,
    /// Fields that OTLP removed (instrumentation libraries) were ignored.
    RemovedField,
    /// A resource or scope held a malformed value, now empty or missing.
    OriginInvalid,
    /// A histogram's count differs from the sum of its buckets.
    CountMismatch,
}

impl Warning {
    const ALL: [Warning; 13] = [
        Warning::TextReplaced,
        Warning::IdDropped,
        Warning::DepthCut,
        Warning::AttributesCut,
        Warning::ValueCut,
        Warning::SnakeCaseKey,
        Warning::Base64Id,
        Warning::EnumName,
        Warning::NullValue,
        Warning::StringIndex,
        Warning::RemovedField,
        Warning::OriginInvalid,
        Warning::CountMismatch,
    ];

    /// A clause for people, fit for a partial success without rejections.
    pub fn message(self) -> &'static str {
        match self {
            Warning::TextReplaced => "invalid UTF-8 was replaced",
            Warning::IdDropped => "malformed trace or span ids were dropped",
            Warning::DepthCut => "values nested deeper than 128 levels were cut",
            Warning::AttributesCut => "attributes beyond the limit were dropped",
            Warning::ValueCut => "values longer than the limit were cut",
            Warning::SnakeCaseKey => "JSON keys should be lowerCamelCase",
            Warning::Base64Id => "JSON ids should be hex, not base64",
            Warning::EnumName => "JSON enum values should be integers",
            Warning::NullValue => "data points with the value null were stored as NaN",
            Warning::StringIndex => "string table references outside profiles were ignored",
            Warning::RemovedField => "instrumentation library fields, removed from OTLP, were ignored",
            Warning::OriginInvalid => "malformed resource or scope fields were ignored",
            Warning::CountMismatch => "histogram counts differ from the sum of their buckets",
        }
    }
}

/// Notes on the request being read.
pub(crate) struct Notes {
    pub limits: DecodeLimits,
    pub arrival: i64,
    /// Why the record being read will be rejected.
    reject: Option<RejectReason>,
    /// Why every record of the metric being read will be rejected.
    pub reject_all: Option<RejectReason>,
    /// Why the record read last was rejected, until a sample of it was asked for.
    just_rejected: Option<RejectReason>,
    pub received: u32,
    pub rejected: [u32; RejectReason::ALL.len()],
    /// The same by service.
    pub tally: Tally,
    /// Whether some record carries a time of its own.
    pub has_own_time: bool,
    warnings: u32,
    records_left: usize,
}

impl Notes {
    pub fn new(limits: DecodeLimits, arrival: i64) -> Notes {
        Notes {
            limits,
            arrival,
            reject: None,
            reject_all: None,
            just_rejected: None,
            received: 0,
            rejected: [0; RejectReason::ALL.len()],
            tally: Tally::default(),
            has_own_time: false,
            warnings: 0,
            records_left: limits.records_max,
        }
    }

    /// A record begins.
    pub fn begin(&mut self) -> Result<(), Stop> {
        self.reject = self.reject_all;
        self.received += 1;
        self.count_one()
    }

    /// An event, link, exemplar or quantile begins.
    pub fn count_one(&mut self) -> Result<(), Stop> {
        match self.records_left.checked_sub(1) {
            Some(left) => {
                self.records_left = left;
                Ok(())
            }
            None => Err(Stop::TooManyRecords),
        }
    }

    /// The record being read must be rejected; the first reason stands.
    pub fn reject(&mut self, reason: RejectReason) {
        self.reject.get_or_insert(reason);
    }

    /// The reason the record being read is rejected for, counted; none if it may be stored.
    pub fn settle(&mut self) -> bool {
        match self.reject.take() {
            Some(reason) => {
                self.rejected[reason as usize] += 1;
                self.just_rejected = Some(reason);
                false
            }
            None => true,
        }
    }

    /// Keeps a sample of the record read last, if it was rejected and its like was not sampled yet.
    #[inline]
    pub fn sample(&mut self, write: impl FnOnce(&mut SampleText)) {
        if let Some(reason) = self.just_rejected.take() {
            self.tally.sample(reason, self.limits.sample_bytes_max, write);
        }
    }

    /// A resource begins: what is counted from here on is of its service.
    pub fn begin_resource(&mut self) {
        self.tally.begin_resource(self.received, &self.rejected);
    }

    /// A resource ends; its service is known now.
    pub fn end_resource(&mut self, service: &str) {
        self.tally.end_resource(service, self.received, &self.rejected);
    }

    /// A resource or scope, which nothing rejects, has been read.
    pub fn settle_origin(&mut self) {
        if self.reject.take().is_some() {
            self.warn(Warning::OriginInvalid);
        }
    }

    /// A metric's own fields have been read: what is wrong with them rejects each of its points.
    pub fn settle_metric(&mut self) {
        self.reject_all = self.reject.take();
    }

    pub fn warn(&mut self, warning: Warning) {
        self.warnings |= 1 << warning as u8;
    }

    /// The warnings so far, taken away: what is warned of next can be told from them.
    pub fn take_warnings(&mut self) -> u32 {
        std::mem::take(&mut self.warnings)
    }

    /// Puts warnings back; whether there were others meanwhile.
    pub fn add_warnings(&mut self, taken: u32) -> bool {
        let meanwhile = self.warnings != 0;
        self.warnings |= taken;
        meanwhile
    }

    pub fn warnings(&self) -> Vec<Warning> {
        Warning::ALL.into_iter().filter(|warning| self.warnings & (1 << *warning as u8) != 0).collect()
    }

    /// The text in these bytes, what is no UTF-8 replaced, cut to the limit.
    #[inline]
    pub fn text<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, str> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(self.clip(text)),
            Err(_) => {
                self.warn(Warning::TextReplaced);
                let text = String::from_utf8_lossy(bytes);
                Cow::Owned(self.clip(&text).to_owned())
            }
        }
    }

    /// Appends the text in these bytes, as [`Notes::text`] gives it.
    #[inline(always)]
    pub fn push_text(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        if bytes.is_ascii() && bytes.len() <= self.limits.value_bytes_max {
            out.extend_from_slice(bytes);
        } else {
            out.extend_from_slice(self.text(bytes).as_bytes());
        }
    }

    /// Appends the text in these bytes, as [`Notes::text`] gives it, in quotes and escaped.
    #[inline(always)]
    pub fn write_text(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        if is_plain_ascii(bytes) && bytes.len() <= self.limits.value_bytes_max {
            out.reserve(bytes.len() + 3);
            out.push(b'"');
            out.extend_from_slice(bytes);
            out.push(b'"');
        } else {
            write_string(out, &self.text(bytes));
        }
    }

    /// The text up to the limit.
    #[inline]
    pub fn clip<'a>(&mut self, text: &'a str) -> &'a str {
        if text.len() <= self.limits.value_bytes_max {
            return text;
        }
        self.warn(Warning::ValueCut);
        &text[..text.floor_char_boundary(self.limits.value_bytes_max)]
    }

    /// The bytes up to the limit.
    pub fn clip_bytes<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if bytes.len() > self.limits.value_bytes_max {
            self.warn(Warning::ValueCut);
        }
        &bytes[..bytes.len().min(self.limits.value_bytes_max)]
    }

    /// A wire time, or the rejection of the record.
    #[inline]
    pub fn time(&mut self, unix_nano: u64) -> i64 {
        i64::try_from(unix_nano).unwrap_or_else(|_| {
            self.reject(RejectReason::TimeOutOfRange);
            0
        })
    }
}

/// Whether these bytes are ASCII and JSON needs none of them escaped. (False in doubt, for 0x7f.)
#[inline(always)]
fn is_plain_ascii(bytes: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let zero_byte = |x: u64| x.wrapping_sub(ONES) & !x;
    let special = |eight: &[u8; 8]| {
        let eight = u64::from_le_bytes(*eight);
        (eight | eight.wrapping_sub(ONES * 0x20) | zero_byte(eight ^ (ONES * 0x22)) | zero_byte(eight ^ (ONES * 0x5c)))
            & HIGHS
            != 0
    };
    match bytes.last_chunk::<8>() {
        // The last eight bytes may overlap those before.
        Some(last) => !special(last) && !bytes.as_chunks::<8>().0.iter().any(special),
        None => bytes.iter().all(|byte| matches!(byte, 0x20..0x80) && !matches!(byte, b'"' | b'\\')),
    }
}

/// A trace or span id as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Id<const N: usize> {
    /// Not sent, empty, or all zeros.
    #[default]
    Absent,
    /// Wrong length or digits.
    Malformed,
    Valid([u8; N]),
}

impl<const N: usize> Id<N> {
    #[inline]
    pub fn of(bytes: &[u8]) -> Id<N> {
        match <[u8; N]>::try_from(bytes) {
            Ok(id) if id != [0; N] => Id::Valid(id),
            Ok(_) => Id::Absent,
            Err(_) if bytes.is_empty() => Id::Absent,
            Err(_) => Id::Malformed,
        }
    }

    /// The id where its owner may do without: a malformed one is dropped with a warning.
    #[inline]
    pub fn or_drop(self, notes: &mut Notes) -> Option<[u8; N]> {
        match self {
            Id::Valid(id) => Some(id),
            Id::Absent => None,
            Id::Malformed => {
                notes.warn(Warning::IdDropped);
                None
            }
        }
    }
}
