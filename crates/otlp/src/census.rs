//! How many records a request has, and of which services, found by skipping over everything else.
//!
//! The readers are the decoder's own, so that a form of a key, a group or a depth that decoding takes is counted too:
//! there are never fewer records here than decoding finds. (There may be more, where a client says a thing twice.)

use std::borrow::Cow;

use model::Signal;

use crate::json::{Json, Shape};
use crate::origin::SERVICE_NAME;
use crate::wire::{Fields, Value};
use crate::{Encoding, Stop, json_metrics, pb_metrics};

/// Calls `found` with the service and the number of records of each resource; no service where it names none. False
/// where the body cannot be read, of which decoding will say more.
pub fn count_records(
    signal: Signal,
    encoding: Encoding,
    body: &[u8],
    mut found: impl FnMut(Option<Cow<'_, str>>, u64),
) -> bool {
    let read = match encoding {
        Encoding::Protobuf => protobuf(signal, body, &mut found),
        Encoding::Json => json(body, &mut found),
    };
    read.is_ok()
}

/// Calls `found` with every message of `message` that has one of these numbers.
fn messages<'a>(
    message: &'a [u8],
    numbers: &[u32],
    mut found: impl FnMut(u32, &'a [u8]) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let mut fields = Fields::new(message);
    while let Some(field) = fields.field()? {
        match field {
            (number, Value::Bytes(inner)) if numbers.contains(&number) => found(number, inner)?,
            _ => {}
        }
    }
    Ok(())
}

fn protobuf(signal: Signal, body: &[u8], found: &mut impl FnMut(Option<Cow<'_, str>>, u64)) -> Result<(), Stop> {
    messages(body, &[1], |_, resource| {
        let (mut service, mut records) = (None, 0);
        messages(resource, &[1, 2], |number, inner| match number {
            1 => messages(inner, &[1], |_, attribute| protobuf_service(attribute, &mut service)),
            _ => messages(inner, &[2], |_, record| {
                records += if signal == Signal::Metrics { points(record)? } else { 1 };
                Ok(())
            }),
        })?;
        found(service.map(String::from_utf8_lossy), records);
        Ok(())
    })
}

fn protobuf_service<'a>(attribute: &'a [u8], service: &mut Option<&'a [u8]>) -> Result<(), Stop> {
    let (mut is_name, mut text) = (false, None);
    messages(attribute, &[1, 2], |number, inner| match number {
        1 => {
            is_name = inner == SERVICE_NAME.as_bytes();
            Ok(())
        }
        _ => messages(inner, &[1], |_, value| {
            text = Some(value);
            Ok(())
        }),
    })?;
    if is_name && service.is_none() {
        *service = text;
    }
    Ok(())
}

/// Data points of a metric, whatever its kind.
fn points(metric: &[u8]) -> Result<u64, Stop> {
    let mut points = 0;
    let mut fields = Fields::new(metric);
    while let Some(field) = fields.field()? {
        match field {
            (number, Value::Bytes(data)) if pb_metrics::kind_of(number).is_some() => messages(data, &[1], |_, _| {
                points += 1;
                Ok(())
            })?,
            _ => {}
        }
    }
    Ok(points)
}

fn json(body: &[u8], found: &mut impl FnMut(Option<Cow<'_, str>>, u64)) -> Result<(), Stop> {
    let mut json = Json::new(body);
    json.object(|json, key| match key {
        b"resourceLogs" | b"resourceSpans" | b"resourceMetrics" => elements(json, |json| {
            let (mut service, mut records) = (None, 0);
            json.object(|json, key| match key {
                b"resource" => {
                    member(json, b"attributes", |json| elements(json, |json| json_service(json, &mut service)))
                }
                b"scopeLogs" | b"scopeSpans" | b"scopeMetrics" => elements(json, |json| json_scope(json, &mut records)),
                _ => json.skip(),
            })?;
            found(service.map(Cow::Owned), records);
            Ok(())
        }),
        _ => json.skip(),
    })?;
    json.end()
}

/// Calls `read` for each element of the list that stands here, if it is one.
fn elements<'a>(json: &mut Json<'a>, read: impl FnMut(&mut Json<'a>) -> Result<(), Stop>) -> Result<(), Stop> {
    json.array(read).map(drop)
}

/// Calls `read` where the object that stands here has this member.
fn member<'a>(
    json: &mut Json<'a>,
    name: &[u8],
    mut read: impl FnMut(&mut Json<'a>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    json.object(|json, key| if key == name { read(json) } else { json.skip() }).map(drop)
}

fn json_service(json: &mut Json<'_>, service: &mut Option<String>) -> Result<(), Stop> {
    let (mut is_name, mut text) = (false, None);
    json.object(|json, key| match key {
        b"key" => json.string(|key| is_name = key == SERVICE_NAME).map(drop),
        b"value" => member(json, b"stringValue", |json| json.string(|value| text = Some(value.to_owned())).map(drop)),
        _ => json.skip(),
    })?;
    if is_name && service.is_none() {
        *service = text;
    }
    Ok(())
}

/// Records of all signals are counted: a request holds those of one.
fn json_scope(json: &mut Json<'_>, records: &mut u64) -> Result<(), Stop> {
    json.object(|json, key| match key {
        b"spans" | b"logRecords" => elements(json, |json| {
            *records += 1;
            json.skip()
        }),
        b"metrics" => elements(json, |json| {
            let mut points = 0;
            let is_metric = json_metric(json, &mut points)?;
            // What is no metric is turned away as one point.
            *records += if is_metric { points } else { points.max(1) };
            Ok(())
        }),
        _ => json.skip(),
    })
    .map(drop)
}

/// Counts the data points of a metric; false where it, or its data, is something else.
fn json_metric(json: &mut Json<'_>, points: &mut u64) -> Result<bool, Stop> {
    let mut is_metric = true;
    let shape = json.object(|json, key| match key {
        key if json_metrics::kind_of(key).is_some() => {
            let shape = json.object(|json, key| match key {
                b"dataPoints" => elements(json, |json| {
                    *points += 1;
                    json.skip()
                }),
                _ => json.skip(),
            })?;
            is_metric &= shape != Shape::Other;
            Ok(())
        }
        _ => json.skip(),
    })?;
    Ok(is_metric && shape != Shape::Other)
}
