//! Fields of OTLP/JSON messages: each reader takes the value that stands here and rejects the record being read
//! where it does not fit. Null is the default everywhere.

use model::attributes::base64;

use crate::Stop;
use crate::json::{Json, Shape};
use crate::json_any_value::attributes;
use crate::json_number::{Scan, double, integer};
use crate::notes::{Id, Notes, RejectReason, Warning};
use crate::origin::{EntityRef, ORIGIN_DEPTH, Resource, Scope, replace};

/// Names of `SpanKind`, by number.
pub(crate) const SPAN_KINDS: &[&str] = &[
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

/// Names of `Status.code`, by number.
pub(crate) const STATUS_CODES: &[&str] = &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

/// Names of `AggregationTemporality`, by number.
pub(crate) const TEMPORALITIES: &[&str] =
    &["AGGREGATION_TEMPORALITY_UNSPECIFIED", "AGGREGATION_TEMPORALITY_DELTA", "AGGREGATION_TEMPORALITY_CUMULATIVE"];

/// Names of `SeverityNumber`, by number.
pub(crate) const SEVERITIES: &[&str] = &[
    "SEVERITY_NUMBER_UNSPECIFIED",
    "SEVERITY_NUMBER_TRACE",
    "SEVERITY_NUMBER_TRACE2",
    "SEVERITY_NUMBER_TRACE3",
    "SEVERITY_NUMBER_TRACE4",
    "SEVERITY_NUMBER_DEBUG",
    "SEVERITY_NUMBER_DEBUG2",
    "SEVERITY_NUMBER_DEBUG3",
    "SEVERITY_NUMBER_DEBUG4",
    "SEVERITY_NUMBER_INFO",
    "SEVERITY_NUMBER_INFO2",
    "SEVERITY_NUMBER_INFO3",
    "SEVERITY_NUMBER_INFO4",
    "SEVERITY_NUMBER_WARN",
    "SEVERITY_NUMBER_WARN2",
    "SEVERITY_NUMBER_WARN3",
    "SEVERITY_NUMBER_WARN4",
    "SEVERITY_NUMBER_ERROR",
    "SEVERITY_NUMBER_ERROR2",
    "SEVERITY_NUMBER_ERROR3",
    "SEVERITY_NUMBER_ERROR4",
    "SEVERITY_NUMBER_FATAL",
    "SEVERITY_NUMBER_FATAL2",
    "SEVERITY_NUMBER_FATAL3",
    "SEVERITY_NUMBER_FATAL4",
];

/// What should have been a text, message or list but is not rejects the record.
pub(crate) fn expect(shape: Shape, notes: &mut Notes) {
    if shape == Shape::Other {
        notes.reject(RejectReason::InvalidValue);
    }
}

/// Calls `read` with the text that stands here.
#[inline]
pub(crate) fn text(json: &mut Json<'_>, notes: &mut Notes, read: impl FnOnce(&str)) -> Result<(), Stop> {
    let shape = json.string(|text| read(notes.clip(text)))?;
    expect(shape, notes);
    Ok(())
}

/// Replaces a text.
pub(crate) fn set_text(json: &mut Json<'_>, into: &mut String, notes: &mut Notes) -> Result<(), Stop> {
    text(json, notes, |text| replace(into, text))
}

/// Reads an integer of any width.
#[inline]
pub(crate) fn set_integer<T: TryFrom<i128>>(json: &mut Json<'_>, into: &mut T, notes: &mut Notes) -> Result<(), Stop> {
    match integer(json)? {
        Scan::Value(value) => *into = value,
        Scan::Null => {}
        Scan::Bad => notes.reject(RejectReason::InvalidNumber),
    }
    Ok(())
}

/// Reads a double; null unsets it.
pub(crate) fn set_double(json: &mut Json<'_>, into: &mut Option<f64>, notes: &mut Notes) -> Result<(), Stop> {
    match double(json)? {
        Scan::Value(value) => *into = Some(value),
        Scan::Null => *into = None,
        Scan::Bad => notes.reject(RejectReason::InvalidNumber),
    }
    Ok(())
}

/// Reads an enum value, by number or, with a warning, by name.
pub(crate) fn set_enum(json: &mut Json<'_>, into: &mut i32, names: &[&str], notes: &mut Notes) -> Result<(), Stop> {
    if json.peek()? != b'"' {
        return set_integer(json, into, notes);
    }
    let mut known = None;
    json.string(|name| {
        let by_name = names.iter().position(|known| *known == name).map(|number| number as i32);
        // Numbers in quotes are as good as without.
        known = by_name.map(|number| (number, true)).or_else(|| name.parse().ok().map(|number| (number, false)));
    })?;
    match known {
        Some((number, by_name)) => {
            *into = number;
            if by_name {
                notes.warn(Warning::EnumName);
            }
        }
        None => notes.reject(RejectReason::InvalidEnum),
    }
    Ok(())
}

/// Reads a trace or span id: hex in either case, or, with a warning, base64. Hex digits alone are hex of a wrong length,
/// although 22 of them could be a trace id in base64 without its padding: one such id in 10^10 is.
pub(crate) fn set_id<const N: usize>(json: &mut Json<'_>, into: &mut Id<N>, notes: &mut Notes) -> Result<(), Stop> {
    *into = Id::Absent;
    if json.peek()? != b'"' {
        if !json.null()? {
            json.skip()?;
            *into = Id::Malformed;
        }
        return Ok(());
    }
    let (raw, _) = json.raw_string()?;
    *into = match raw.len() {
        0 => Id::Absent,
        length if length == 2 * N => hex(raw).map_or(Id::Malformed, |id: [u8; N]| Id::of(&id)),
        _ => {
            let mut bytes = Vec::new();
            let valid = raw.len() <= 4 * N
                && !raw.iter().all(u8::is_ascii_hexdigit)
                && base64::decode(&mut bytes, raw)
                && bytes.len() == N;
            if valid {
                notes.warn(Warning::Base64Id);
                Id::of(&bytes)
            } else if raw.iter().all(|digit| *digit == b'0') {
                Id::Absent
            } else {
                Id::Malformed
            }
        }
    };
    Ok(())
}

fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    };
    let mut id = [0; N];
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(id)
}

/// Reads a Resource.
pub(crate) fn read_resource(json: &mut Json<'_>, resource: &mut Resource, notes: &mut Notes) -> Result<(), Stop> {
    let shape = json.object(|json, key| match key {
        b"attributes" => attributes(json, &mut resource.attributes, ORIGIN_DEPTH, notes),
        b"droppedAttributesCount" => set_integer(json, &mut resource.dropped, notes),
        b"entityRefs" => {
            let shape = json.array(|json| {
                notes.count_one()?;
                let mut entity = EntityRef::default();
                read_entity_ref(json, &mut entity, notes)?;
                resource.entity_refs.push(entity);
                Ok(())
            })?;
            expect(shape, notes);
            Ok(())
        }
        _ => json.skip_unknown(),
    })?;
    expect(shape, notes);
    Ok(())
}

fn read_entity_ref(json: &mut Json<'_>, entity: &mut EntityRef, notes: &mut Notes) -> Result<(), Stop> {
    let shape = json.object(|json, key| match key {
        b"schemaUrl" => set_text(json, &mut entity.schema_url, notes),
        b"type" => set_text(json, &mut entity.kind, notes),
        b"idKeys" => read_texts(json, &mut entity.id_keys, notes),
        b"descriptionKeys" => read_texts(json, &mut entity.description_keys, notes),
        _ => json.skip_unknown(),
    })?;
    expect(shape, notes);
    Ok(())
}

fn read_texts(json: &mut Json<'_>, into: &mut Vec<String>, notes: &mut Notes) -> Result<(), Stop> {
    into.clear();
    let shape = json.array(|json| text(json, notes, |text| into.push(text.to_owned())))?;
    expect(shape, notes);
    Ok(())
}

/// Reads an InstrumentationScope.
pub(crate) fn read_scope(json: &mut Json<'_>, scope: &mut Scope, notes: &mut Notes) -> Result<(), Stop> {
    let shape = json.object(|json, key| match key {
        b"name" => set_text(json, &mut scope.name, notes),
        b"version" => set_text(json, &mut scope.version, notes),
        b"attributes" => attributes(json, &mut scope.attributes, ORIGIN_DEPTH, notes),
        b"droppedAttributesCount" => set_integer(json, &mut scope.dropped, notes),
        _ => json.skip_unknown(),
    })?;
    expect(shape, notes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecodeLimits;

    #[test]
    fn ids() {
        let check = |json: &str, expect: Id<8>, warnings: &[Warning]| {
            let mut notes = Notes::new(DecodeLimits::default(), 0);
            let mut id = Id::Absent;
            set_id(&mut Json::new(json.as_bytes()), &mut id, &mut notes).expect("valid JSON");
            assert_eq!((id, notes.warnings().as_slice()), (expect, warnings), "{json}");
        };
        let id = Id::Valid([0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74]);
        check(r#""eee19b7ec3c1b174""#, id, &[]);
        check(r#""EEE19B7EC3C1B174""#, id, &[]);
        check(r#""7uGbfsPBsXQ=""#, id, &[Warning::Base64Id]);
        check(r#""7uGbfsPBsXQ""#, id, &[Warning::Base64Id]);
        check(r#""""#, Id::Absent, &[]);
        check("null", Id::Absent, &[]);
        check(r#""0000000000000000""#, Id::Absent, &[]);
        check(r#""eee1""#, Id::Malformed, &[]);
        check(r#""zze19b7ec3c1b174""#, Id::Malformed, &[]);
        check(r#""0xeee19b7ec3c1b174""#, Id::Malformed, &[]);
        check("12", Id::Malformed, &[]);
    }

    #[test]
    fn enums() {
        let check = |json: &str, expect: Option<i32>| {
            let mut notes = Notes::new(DecodeLimits::default(), 0);
            let mut value = -7;
            set_enum(&mut Json::new(json.as_bytes()), &mut value, SPAN_KINDS, &mut notes).expect("valid JSON");
            assert_eq!(notes.settle().then_some(value), expect, "{json}");
        };
        check("2", Some(2));
        check("99", Some(99));
        check(r#""2""#, Some(2));
        check(r#""SPAN_KIND_SERVER""#, Some(2));
        check(r#""SERVER""#, None);
        check("null", Some(-7));
        check("{}", None);
    }
}
