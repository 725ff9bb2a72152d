//! Samples of rejected records: the JSON of one, cut to a bound, with nothing in it that a terminal or a page would
//! take for anything but text.
//!
//! Only what is rejected gets here, and of that a few a second ([`SampleRate`]), so that plain code is fast enough.
//! A sample is for people: it is JSON unless it was cut, which shows as `…` at its end.

use std::collections::HashMap;

use model::Signal;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::metrics::{MetricHead, MetricKind};
use crate::notes::RejectReason;
use crate::sample_shapes::{Field, Kind};
use crate::wire::{Fields, Value, repeated_fixed64, repeated_varint, zigzag};

/// Values nested deeper are not shown.
const DEPTH_MAX: usize = 12;

/// Bytes of a record that are looked at for each byte that may be shown.
const LOOK_RATIO: usize = 8;

const CUT: &str = "…";

/// A sample while it is written.
pub(crate) struct SampleText {
    text: String,
    bytes_max: usize,
    is_cut: bool,
}

impl SampleText {
    pub fn new(bytes_max: usize) -> SampleText {
        SampleText { text: String::new(), bytes_max, is_cut: false }
    }

    pub fn finish(self) -> String {
        self.text
    }

    /// Appends up to the bound; once something was cut nothing follows.
    pub fn push(&mut self, piece: &str) {
        if self.is_cut {
            return;
        }
        let room = self.bytes_max.saturating_sub(CUT.len());
        if self.text.len() + piece.len() <= room {
            self.text.push_str(piece);
        } else {
            let kept = piece.floor_char_boundary(room.saturating_sub(self.text.len()));
            self.text.push_str(&piece[..kept]);
            self.cut();
        }
    }

    fn cut(&mut self) {
        if !self.is_cut {
            self.is_cut = true;
            self.text.push_str(CUT);
        }
    }

    fn push_char(&mut self, character: char) {
        if is_invisible(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                self.push(&format!("\\u{unit:04x}"));
            }
        } else {
            self.push(character.encode_utf8(&mut [0; 4]));
        }
    }

    /// A text in quotes.
    fn string(&mut self, bytes: &[u8]) {
        let shown = &bytes[..bytes.len().min(self.bytes_max)];
        self.push("\"");
        for character in String::from_utf8_lossy(shown).chars() {
            match character {
                '"' => self.push("\\\""),
                '\\' => self.push("\\\\"),
                '\n' => self.push("\\n"),
                '\t' => self.push("\\t"),
                other => self.push_char(other),
            }
        }
        self.end_of(bytes, shown);
        self.push("\"");
    }

    fn end_of(&mut self, bytes: &[u8], shown: &[u8]) {
        if shown.len() < bytes.len() {
            self.cut();
        }
    }

    fn hex(&mut self, bytes: &[u8]) {
        let shown = &bytes[..bytes.len().min(self.bytes_max)];
        self.push("\"");
        shown.iter().for_each(|byte| self.push(&format!("{byte:02x}")));
        self.end_of(bytes, shown);
        self.push("\"");
    }

    /// JSON as it came, without the white space between its values.
    pub fn json(&mut self, raw: &[u8]) {
        let looked_at = &raw[..raw.len().min(self.bytes_max.saturating_mul(LOOK_RATIO))];
        let (mut is_string, mut is_escaped) = (false, false);
        for character in String::from_utf8_lossy(looked_at).chars() {
            if !is_string && character.is_ascii_whitespace() {
                continue;
            }
            match (is_string, is_escaped, character) {
                (false, _, '"') => is_string = true,
                (true, false, '"') => is_string = false,
                (true, false, '\\') => {
                    is_escaped = true;
                    self.push("\\");
                    continue;
                }
                _ => {}
            }
            is_escaped = false;
            self.push_char(character);
            if self.is_cut {
                return;
            }
        }
        self.end_of(raw, looked_at);
    }

    /// A data point with what is said once of its metric.
    pub fn data_point(&mut self, head: &MetricHead, kind: MetricKind, point: impl FnOnce(&mut SampleText)) {
        self.push("{\"metric\":");
        self.string(head.name.as_bytes());
        self.push(&format!(",\"type\":\"{}\"", kind.name()));
        if kind.has_temporality() {
            self.push(&format!(",\"aggregationTemporality\":{}", head.temporality));
        }
        self.push(",\"dataPoint\":");
        point(self);
        self.push("}");
    }

    /// A protobuf message as OTLP's JSON has it, its fields in the order they came.
    pub fn protobuf(&mut self, message: &[u8], shape: &'static [Field]) {
        let looked_at = &message[..message.len().min(self.bytes_max.saturating_mul(LOOK_RATIO))];
        let before = self.text.len();
        self.message(looked_at, shape, 0);
        if &self.text[before..] == "{}" && !message.is_empty() {
            // Not one field that is known: the bytes themselves then.
            self.text.truncate(before);
            self.push("{\"$hex\":");
            self.hex(message);
            self.push("}");
        }
        self.end_of(message, looked_at);
    }

    fn message(&mut self, message: &[u8], shape: &'static [Field], depth: usize) {
        if depth > DEPTH_MAX {
            return self.push("\"…\"");
        }
        self.push("{");
        let mut fields = Fields::new(message);
        let (mut is_first, mut open) = (true, None);
        // What is looked at may end in the middle of a field.
        while !self.is_cut
            && let Ok(Some((number, value))) = fields.field()
        {
            let Some(field) = shape.iter().find(|field| field.number == number) else { continue };
            if open == Some(number) {
                self.push(",");
            } else {
                if open.take().is_some() {
                    self.push("]");
                }
                self.push(if is_first { "\"" } else { ",\"" });
                self.push(field.name);
                self.push(if field.is_list { "\":[" } else { "\":" });
                open = field.is_list.then_some(number);
            }
            is_first = false;
            self.value(field.kind, value, depth);
        }
        if open.is_some() {
            self.push("]");
        }
        self.push("}");
    }

    fn value(&mut self, kind: Kind, value: Value<'_>, depth: usize) {
        match (kind, value) {
            (Kind::Text, Value::Bytes(bytes)) => self.string(bytes),
            (Kind::Hex, Value::Bytes(bytes)) => self.hex(bytes),
            (Kind::Message(shape), Value::Bytes(bytes)) => self.message(bytes, shape, depth + 1),
            (Kind::Fixed, Value::Fixed64(number)) => self.push(&format!("\"{number}\"")),
            (Kind::SignedFixed, Value::Fixed64(bits)) => self.push(&format!("\"{}\"", bits as i64)),
            (Kind::Fixed, Value::Fixed32(number)) => self.push(&number.to_string()),
            (Kind::Double, Value::Fixed64(bits)) => self.double(f64::from_bits(bits)),
            (Kind::Int64, Value::Varint(number)) => self.push(&format!("\"{}\"", number as i64)),
            (Kind::Int32, Value::Varint(number)) => self.push(&(number as i32).to_string()),
            (Kind::Zigzag, Value::Varint(number)) => self.push(&zigzag(number).to_string()),
            (Kind::Bool, Value::Varint(number)) => self.push(if number == 0 { "false" } else { "true" }),
            (Kind::FixedList, value) => {
                let mut list = Separated::default();
                let read = repeated_fixed64(value, |number| list.push(self, &format!("\"{number}\"")));
                read.unwrap_or_default();
            }
            (Kind::DoubleList, value) => {
                let mut list = Separated::default();
                let read = repeated_fixed64(value, |bits| list.push(self, &double(f64::from_bits(bits))));
                read.unwrap_or_default();
            }
            (Kind::VarintList, value) => {
                let mut list = Separated::default();
                let read = repeated_varint(value, |number| list.push(self, &format!("\"{number}\"")));
                read.unwrap_or_default();
            }
            // A field of another wire type than OTLP's: how it came says more than its value.
            (_, Value::Bytes(bytes)) => self.hex(bytes),
            (_, Value::Varint(number) | Value::Fixed64(number)) => self.push(&format!("\"{number}\"")),
            (_, Value::Fixed32(number)) => self.push(&number.to_string()),
        }
    }

    fn double(&mut self, number: f64) {
        self.push(&double(number));
    }
}

fn double(number: f64) -> String {
    match number {
        number if number.is_finite() => number.to_string(),
        number if number.is_nan() => "\"NaN\"".to_owned(),
        number if number > 0.0 => "\"Infinity\"".to_owned(),
        _ => "\"-Infinity\"".to_owned(),
    }
}

/// Puts commas between the items of a list.
#[derive(Default)]
struct Separated {
    is_begun: bool,
}

impl Separated {
    fn push(&mut self, text: &mut SampleText, item: &str) {
        if std::mem::replace(&mut self.is_begun, true) {
            text.push(",");
        }
        text.push(item);
    }
}

/// Whether a character has no picture of its own, or changes how others are shown.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Lets so many samples a second in of each service, signal and reason, so that a client that sends nothing but bad
/// records does not fill the journal with them. Time is passed in; a clock that jumps begins a new second.
pub(crate) struct SampleRate {
    per_second: u32,
    /// By a hash of the three: the second, and how many were let in.
    seen: HashMap<u64, (i64, u32)>,
}

/// Services, signals and reasons that are remembered; beyond it all are forgotten, which lets a few more in.
const SEEN_MAX: usize = 4096;

impl SampleRate {
    pub fn new(per_second: u32) -> SampleRate {
        SampleRate { per_second, seen: HashMap::new() }
    }

    pub fn admits(&mut self, signal: Signal, service: &str, reason: RejectReason, now: i64) -> bool {
        let second = now.div_euclid(1_000_000_000);
        let key = xxh3_64_with_seed(service.as_bytes(), (signal as u64) << 8 | reason as u64);
        if self.seen.len() >= SEEN_MAX && !self.seen.contains_key(&key) {
            self.seen.clear();
        }
        let (last, count) = self.seen.entry(key).or_insert((second, 0));
        if *last != second {
            (*last, *count) = (second, 0);
        }
        *count += 1;
        *count <= self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample_shapes::{LOG_RECORD, NUMBER_POINT, SPAN};

    fn sample(bytes_max: usize, write: impl FnOnce(&mut SampleText)) -> String {
        let mut text = SampleText::new(bytes_max);
        write(&mut text);
        assert!(text.text.len() <= bytes_max, "{} of {bytes_max}", text.text.len());
        text.finish()
    }

    #[test]
    fn json_comes_without_white_space_and_invisible_characters() {
        let check = |raw: &[u8], expect: &str| assert_eq!(sample(200, |text| text.json(raw)), expect);
        check(b"{ \"a\" : [ 1,\n 2 ] }", r#"{"a":[1,2]}"#);
        check(b"{\"a b\": \"c \\\" d\"}", r#"{"a b":"c \" d"}"#);
        check(b"\"a\x1b[31m\x07\"", r#""a\u001b[31m\u0007""#);
        check("\"\u{202e}evil\u{85}\"".as_bytes(), r#""\u202eevil\u0085""#);
        check(b"\"\xff\"", "\"\u{fffd}\"");
    }

    #[test]
    fn what_is_long_is_cut_and_says_so() {
        let long = format!("\"{}\"", "é".repeat(1000));
        let cut = sample(64, |text| text.json(long.as_bytes()));
        assert!(cut.ends_with("é…") && cut.len() > 60, "{cut}");
        let spaces = format!("{}1", " ".repeat(100_000));
        assert_eq!(sample(64, |text| text.json(spaces.as_bytes())), "…");
        for bytes_max in 3..40 {
            sample(bytes_max, |text| text.json(long.as_bytes()));
            sample(bytes_max, |text| text.protobuf(&[0x0a, 4, 1, 2, 3, 4, 0x2a, 3, b'a', b'b', b'c'], SPAN));
        }
    }

    #[test]
    fn protobuf_reads_as_otlp_json() {
        let check = |message: &[u8], shape, expect: &str| {
            assert_eq!(sample(300, |text| text.protobuf(message, shape)), expect, "{message:02x?}");
        };
        check(&[], SPAN, "{}");
        check(&[0x0a, 2, 0xab, 0xcd, 0x2a, 1, b'n', 0x30, 2], SPAN, r#"{"traceId":"abcd","name":"n","kind":2}"#);
        // Two attributes, then a body.
        let key_value = [0x32, 9, 0x0a, 1, b'k', 0x12, 4, 0x0a, 2, b'"', 0x1b];
        let body = [0x2a, 2, 0x18, 7];
        check(
            &[&key_value[..], &key_value, &body].concat(),
            LOG_RECORD,
            r#"{"attributes":[{"key":"k","value":{"stringValue":"\"\u001b"}},{"key":"k","value":{"stringValue":"\"\u001b"}}],"body":{"intValue":"7"}}"#,
        );
        let nan = [&[0x21][..], &f64::NAN.to_bits().to_le_bytes()].concat();
        check(&nan, NUMBER_POINT, r#"{"asDouble":"NaN"}"#);
        check(&[0xf8, 0x07, 1], SPAN, r#"{"$hex":"f80701"}"#);
        check(&[0x0a, 0x7f, 1], SPAN, r#"{"$hex":"0a7f01"}"#);
        // As deep as one likes: lists in lists.
        let mut deep = vec![0x18, 1];
        for _ in 0..60 {
            let length = deep.len() as u8;
            deep = [&[0x2a, length + 2, 0x0a, length][..], &deep].concat();
            if deep.len() > 100 {
                break;
            }
        }
        let body = [&[0x2a, deep.len() as u8][..], &deep].concat();
        assert!(sample(2000, |text| text.protobuf(&body, LOG_RECORD)).contains('…'));
    }

    #[test]
    fn few_samples_a_second_of_each_kind() {
        let mut rate = SampleRate::new(2);
        let mut check = |service: &str, reason, now, expect: bool| {
            assert_eq!(rate.admits(Signal::Logs, service, reason, now), expect, "{service} {now}");
        };
        let (a, b) = (RejectReason::InvalidNumber, RejectReason::InvalidEnum);
        check("cart", a, 0, true);
        check("cart", a, 1, true);
        check("cart", a, 2, false);
        check("cart", b, 3, true);
        check("shop", a, 4, true);
        check("cart", a, 1_000_000_000, true);
        for number in 0..10_000 {
            rate.admits(Signal::Logs, &number.to_string(), a, 0);
        }
        assert!(rate.seen.len() <= SEEN_MAX);
    }
}
