//! Pushes in JSON, read as they come: nothing is kept but the stream that is being read.
//!
//! A stream's `values` may come before its `stream`: its lines are gathered then until the labels are known.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Push, labels};
use crate::any_value::Leaf;
use crate::{DoorError, Reason};

pub(super) fn read(body: &[u8], push: &mut Push) -> Result<(), DoorError> {
    let mut full = None;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let walk = Walk { level: Level::Request, reading: &mut Reading { push, error: &mut full, early: None } };
    let read = walk.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match (full, read) {
        (Some(error), _) => Err(error),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) => {
            Err(DoorError::Malformed(format!("the body is no JSON push: {} at line {}", what(&error), error.line())))
        }
    }
}

/// What is wrong, in words without the place.
fn what(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().chars().take(100).collect()
}

/// What the levels share.
struct Reading<'a> {
    push: &'a mut Push,
    /// Why reading was stopped, where it was not for the JSON.
    error: &'a mut Option<DoorError>,
    /// Lines of a stream whose labels have not come yet: their records.
    early: Option<Vec<u8>>,
}

/// Where in a push the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Request,
    Streams,
    Stream,
    Labels,
    Values,
    Entry,
    Metadata,
}

struct Walk<'a, 'b> {
    level: Level,
    reading: &'a mut Reading<'b>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Walk<'_, '_> {
    /// Neither list nor object: the body is no push, or one record of it is none.
    fn scalar<E: Error>(self) -> Result<(), E> {
        match self.level {
            Level::Request => return Err(E::custom("an object with streams is expected")),
            Level::Metadata => {}
            _ => self.reading.push.turn_away(Reason::InvalidValue, "a stream or an entry is neither list nor object"),
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.level {
            Level::Request => "an object with streams",
            Level::Streams => "a list of streams",
            Level::Stream => "a stream: an object with stream and values",
            Level::Labels => "labels: an object of texts",
            Level::Values => "a list of entries",
            Level::Entry => "an entry: a list of time, line and metadata",
            Level::Metadata => "metadata: an object of texts",
        })
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.scalar()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        // Labels may be in a text, as protobuf has them.
        let stream = &mut self.reading.push.stream;
        if self.level == Level::Labels && labels::read(text, |name, value| stream.label(name, value)).is_ok() {
            return Ok(());
        }
        self.scalar()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Walk { level, reading } = self;
        match level {
            Level::Streams => while list.next_element_seed(Walk { level: Level::Stream, reading })?.is_some() {},
            Level::Values => while list.next_element_seed(Walk { level: Level::Entry, reading })?.is_some() {},
            Level::Entry => return entry(reading, list),
            // Of another kind than it should be; its lines, if it has any, cannot be told.
            _ => {
                reading.push.turn_away(Reason::InvalidValue, "a list where an object should be");
                while list.next_element::<IgnoredAny>()?.is_some() {}
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Walk { level, reading } = self;
        match level {
            Level::Stream => return stream(reading, object),
            Level::Request | Level::Labels | Level::Metadata => {}
            Level::Streams | Level::Values | Level::Entry => {
                reading.push.turn_away(Reason::InvalidValue, "an object where a list should be");
                while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(());
            }
        }
        while let Some(name) = object.next_key::<String>()? {
            match level {
                Level::Request if name == "streams" => {
                    object.next_value_seed(Walk { level: Level::Streams, reading })?;
                }
                Level::Request => drop(object.next_value::<IgnoredAny>()?),
                _ => {
                    // A value of another kind than a text is kept as its text; nested ones and null are left out.
                    let Some(value) = object.next_value::<Leaf>()?.into_text() else { continue };
                    match level {
                        Level::Labels => reading.push.stream.label(&name, &value),
                        _ => Push::metadata(&mut reading.push.draft, &name, &value),
                    }
                }
            }
        }
        Ok(())
    }
}

fn stream<'de, A: MapAccess<'de>>(reading: &mut Reading<'_>, mut object: A) -> Result<(), A::Error> {
    reading.push.stream.clear();
    let mut has_labels = false;
    let mut early: Option<Vec<u8>> = None;
    while let Some(name) = object.next_key::<String>()? {
        match name.as_str() {
            "stream" | "labels" => {
                object.next_value_seed(Walk { level: Level::Labels, reading })?;
                reading.push.stream.settle();
                has_labels = true;
            }
            "values" | "entries" => {
                reading.early = (!has_labels).then(Vec::new);
                object.next_value_seed(Walk { level: Level::Values, reading })?;
                if let Some(records) = reading.early.take() {
                    early.get_or_insert_default().extend_from_slice(&records);
                }
            }
            _ => drop(object.next_value::<IgnoredAny>()?),
        }
    }
    if let Some(records) = early.filter(|records| !records.is_empty()) {
        let push = &mut *reading.push;
        let added = push.envelope.add_written(&push.stream.resource, &[], &records);
        keep(reading.error, added)?;
    }
    Ok(())
}

/// Reads `[time, line]` or `[time, line, metadata]`.
fn entry<'de, A: SeqAccess<'de>>(reading: &mut Reading<'_>, mut list: A) -> Result<(), A::Error> {
    reading.push.draft.clear();
    let time = list.next_element::<Leaf>()?;
    let line = list.next_element::<Leaf>()?;
    if line.is_some() && list.next_element_seed(Walk { level: Level::Metadata, reading })?.is_some() {
        while list.next_element::<IgnoredAny>()?.is_some() {}
    }
    let push = &mut *reading.push;
    let time = time.as_ref().and_then(Leaf::as_u64).filter(|time| i64::try_from(*time).is_ok());
    match (time, line) {
        (Some(time), Some(Leaf::Text(line))) => {
            let added = match &mut reading.early {
                None => push.line(time, line.as_bytes()),
                Some(records) => {
                    push.draft.time = time;
                    push.draft.text_body(line.as_bytes());
                    push.draft.write(records);
                    push.envelope.check_room(records.len())
                }
            };
            return keep(reading.error, added);
        }
        (None, Some(_)) => {
            push.turn_away(Reason::InvalidTime, "the time of an entry must be Unix nanoseconds, in a text");
        }
        (_, _) => push.turn_away(Reason::InvalidValue, "an entry must be a list of its time and its line, both texts"),
    }
    Ok(())
}

/// Stops reading for a reason of ours, which is kept beside what `serde` can say.
fn keep<E: Error>(kept: &mut Option<DoorError>, added: Result<(), DoorError>) -> Result<(), E> {
    added.map_err(|error| {
        let message = E::custom("stopped");
        *kept = Some(error);
        message
    })
}
