//! Reads the list as it comes: nothing is kept but the span that is being read. A value of another type than it should be
//! costs its span; what is no JSON costs the list.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Spans;
use super::draft::End;
use crate::any_value::Leaf;
use crate::{DoorError, Reason};

pub(super) fn read(body: &[u8], spans: &mut Spans) -> Result<(), DoorError> {
    let mut stopped = None;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let walk = Walk { level: Level::Spans, spans, stopped: &mut stopped };
    let read = walk.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match (stopped, read) {
        (Some(error), _) => Err(error),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) => {
            let what: String = error.to_string().chars().take(120).collect();
            Err(DoorError::Malformed(format!("the body is no list of spans in JSON: {what}")))
        }
    }
}

/// Where in the list the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Spans,
    Span,
    Endpoint(End),
    Annotations,
    Annotation,
    Tags,
}

struct Walk<'a> {
    level: Level,
    spans: &'a mut Spans,
    /// Why reading was stopped, where it was not for the JSON.
    stopped: &'a mut Option<DoorError>,
}

impl<'a> Walk<'a> {
    fn below(&mut self, level: Level) -> Walk<'_> {
        Walk { level, spans: &mut *self.spans, stopped: &mut *self.stopped }
    }

    /// A value that is neither list nor object where one should be, or the other of the two.
    fn other<E: Error>(self) -> Result<(), E> {
        match self.level {
            Level::Spans => return Err(E::custom("a list is expected")),
            Level::Span => self.spans.turned_away.add(Reason::InvalidValue, "a span must be an object"),
            _ => self.spans.draft.wrong(Reason::InvalidValue, "a field of a span has the wrong type"),
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of spans")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        match self.level {
            Level::Spans | Level::Span => self.other(),
            _ => Ok(()),
        }
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.other()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.other()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.other()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.other()
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.other()
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let level = match self.level {
            Level::Spans => Level::Span,
            Level::Annotations => Level::Annotation,
            _ => {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return self.other();
            }
        };
        while list.next_element_seed(self.below(level))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        match self.level {
            Level::Span => {
                self.spans.draft.clear();
                while let Some(name) = object.next_key::<String>()? {
                    self.span_field(&name, &mut object)?;
                }
                let Walk { spans, stopped, .. } = self;
                return spans.settle().map_err(|error| {
                    *stopped = Some(error);
                    A::Error::custom("stopped")
                });
            }
            Level::Endpoint(end) => {
                while let Some(name) = object.next_key::<String>()? {
                    let text = object.next_value::<Leaf>()?.into_text().unwrap_or_default();
                    self.spans.draft.endpoint(end, &name, &text);
                }
            }
            Level::Tags => {
                while let Some(name) = object.next_key::<String>()? {
                    if let Some(text) = object.next_value::<Leaf>()?.into_text() {
                        self.spans.draft.tag(&name, &text);
                    }
                }
            }
            Level::Annotation => {
                let (mut time, mut value) = (Some(0), String::new());
                while let Some(name) = object.next_key::<String>()? {
                    let leaf = object.next_value::<Leaf>()?;
                    match name.as_str() {
                        "timestamp" => time = leaf.as_u64(),
                        "value" => value = leaf.into_text().unwrap_or_default(),
                        _ => {}
                    }
                }
                match time {
                    Some(time) => self.spans.draft.annotation(time, &value),
                    None => self.spans.draft.wrong(Reason::InvalidTime, "the time of an annotation is no number"),
                }
            }
            Level::Spans | Level::Annotations => {
                while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return self.other();
            }
        }
        Ok(())
    }
}

impl Walk<'_> {
    fn span_field<'de, A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "localEndpoint" => return object.next_value_seed(self.below(Level::Endpoint(End::Local))),
            "remoteEndpoint" => return object.next_value_seed(self.below(Level::Endpoint(End::Remote))),
            "annotations" => return object.next_value_seed(self.below(Level::Annotations)),
            "tags" => return object.next_value_seed(self.below(Level::Tags)),
            _ => {}
        }
        let leaf = object.next_value::<Leaf>()?;
        let draft = &mut self.spans.draft;
        match (name, leaf) {
            (_, Leaf::Null) => {}
            ("traceId", Leaf::Text(text)) => draft.trace_id(&text),
            ("id", Leaf::Text(text)) => draft.span_id(&text),
            ("parentId", Leaf::Text(text)) => draft.parent_id(&text),
            ("name", Leaf::Text(text)) => draft.name = text,
            ("kind", Leaf::Text(text)) => draft.kind(&text),
            ("shared", Leaf::Bool(value)) => draft.flag("zipkin.shared", value),
            ("debug", Leaf::Bool(value)) => draft.flag("zipkin.debug", value),
            ("timestamp" | "duration", leaf) => match (name, leaf.as_u64()) {
                ("timestamp", Some(micros)) => draft.timestamp(micros),
                (_, Some(micros)) => draft.duration(micros),
                (_, None) => draft.wrong(Reason::InvalidTime, "timestamp and duration must be whole microseconds"),
            },
            ("traceId" | "id" | "parentId" | "name" | "kind" | "shared" | "debug", _) => {
                draft.wrong(Reason::InvalidValue, "a field of a span has the wrong type");
            }
            _ => {}
        }
        Ok(())
    }
}
