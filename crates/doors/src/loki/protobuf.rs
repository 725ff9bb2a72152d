//! Pushes in protobuf: `PushRequest { streams: 1 }`, a stream has labels (1) and entries (2), an entry its time (1), its
//! line (2) and structured metadata (3).

use otlp_wire::{Fields, Malformed, Value};

use super::{Push, labels};
use crate::{DoorError, Reason};

pub(super) fn read(body: &[u8], push: &mut Push) -> Result<(), DoorError> {
    let mut fields = Fields(body);
    loop {
        match fields.field() {
            Ok(Some((1, Value::Bytes(stream)))) => read_stream(stream, push)?,
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(Malformed) => return Err(DoorError::malformed("the body is no push request in protobuf")),
        }
    }
}

fn read_stream(stream: &[u8], push: &mut Push) -> Result<(), DoorError> {
    const BROKEN: &str = "a stream is no protobuf message";
    push.stream.clear();
    let mut wrong = None;
    let mut fields = Fields(stream);
    let mut entries: u32 = 0;
    loop {
        match fields.field() {
            Ok(Some((1, Value::Bytes(text)))) => {
                let text = String::from_utf8_lossy(text);
                let stream = &mut push.stream;
                wrong = labels::read(&text, |name, value| stream.label(name, value)).err();
            }
            Ok(Some((2, Value::Bytes(_)))) => entries += 1,
            Ok(Some(_)) => {}
            Ok(None) => break,
            // What came before it is not stored either: a cut message has lost its labels, or shows those of another.
            Err(Malformed) => {
                push.turned_away.add_many(Reason::InvalidValue, entries.max(1), BROKEN);
                return Ok(());
            }
        }
    }
    push.stream.settle();
    if let Some(wrong) = wrong {
        push.turned_away.add_many(Reason::InvalidValue, entries, wrong);
        return Ok(());
    }
    let mut fields = Fields(stream);
    while let Ok(Some((number, value))) = fields.field() {
        if let (2, Value::Bytes(entry)) = (number, value) {
            read_entry(entry, push)?;
        }
    }
    Ok(())
}

fn read_entry(entry: &[u8], push: &mut Push) -> Result<(), DoorError> {
    push.draft.clear();
    match entry_fields(entry, push) {
        Ok((Some(time), line)) => push.line(time, line),
        Ok((None, _)) => {
            push.turn_away(Reason::InvalidTime, "the time of an entry lies before 1970 or beyond the year 2262");
            Ok(())
        }
        Err(Malformed) => {
            push.turn_away(Reason::InvalidValue, "an entry is no protobuf message");
            Ok(())
        }
    }
}

/// The time and the line of an entry; its metadata go into the draft. Without a time message there is none, which is 0.
fn entry_fields<'a>(entry: &'a [u8], push: &mut Push) -> Result<(Option<u64>, &'a [u8]), Malformed> {
    let (mut time, mut line) = (Some(0), &[][..]);
    let mut fields = Fields(entry);
    while let Some(field) = fields.field()? {
        match field {
            (1, Value::Bytes(message)) => time = read_time(message)?,
            (2, Value::Bytes(text)) => line = text,
            (3, Value::Bytes(pair)) => {
                let (mut name, mut value) = (&[][..], &[][..]);
                let mut fields = Fields(pair);
                while let Some(field) = fields.field()? {
                    match field {
                        (1, Value::Bytes(text)) => name = text,
                        (2, Value::Bytes(text)) => value = text,
                        _ => {}
                    }
                }
                let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
                Push::metadata(&mut push.draft, &name, &value);
            }
            _ => {}
        }
    }
    Ok((time, line))
}

/// A `google.protobuf.Timestamp` in Unix nanoseconds; nothing where OTLP cannot have it.
fn read_time(message: &[u8]) -> Result<Option<u64>, Malformed> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    let mut fields = Fields(message);
    while let Some(field) = fields.field()? {
        match field {
            (1, Value::Varint(value)) => seconds = value as i64,
            (2, Value::Varint(value)) => nanos = i64::from(value as i32),
            _ => {}
        }
    }
    let time = seconds.checked_mul(1_000_000_000).and_then(|time| time.checked_add(nanos));
    Ok(time.and_then(|time| u64::try_from(time).ok()))
}
