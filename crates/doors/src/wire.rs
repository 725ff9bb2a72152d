//! The protobuf wire format: a writer that appends to bytes, and a reader that borrows.
//!
//! A message is opened, its fields are appended, and it is closed: its length is put in afterwards. Most messages are
//! shorter than 128 bytes, for which the one byte that is kept free is enough.

/// Appends a number of variable length.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that [`put_varint`] appends.
pub(crate) fn varint_bytes(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn put_tag(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    put_varint(out, u64::from(field << 3 | wire_type));
}

/// Appends an integer, an enum or a boolean.
pub(crate) fn put_number(out: &mut Vec<u8>, field: u32, value: u64) {
    put_tag(out, field, 0);
    put_varint(out, value);
}

/// Appends a `sint32`.
pub(crate) fn put_zigzag(out: &mut Vec<u8>, field: u32, value: i32) {
    put_number(out, field, u64::from((value << 1 ^ value >> 31) as u32));
}

/// Appends eight bytes.
pub(crate) fn put_fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    put_tag(out, field, 1);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a double.
pub(crate) fn put_double(out: &mut Vec<u8>, field: u32, value: f64) {
    put_fixed64(out, field, value.to_bits());
}

/// Appends four bytes.
pub(crate) fn put_fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    put_tag(out, field, 5);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a text, bytes, or a message that is written already.
pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    put_tag(out, field, 2);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Bytes that [`put_bytes`] appends for a value of this length and a field below 16.
pub(crate) fn field_bytes(length: usize) -> usize {
    1 + varint_bytes(length as u64) + length
}

/// Appends the head of a message whose length is known.
pub(crate) fn put_head(out: &mut Vec<u8>, field: u32, length: usize) {
    put_tag(out, field, 2);
    put_varint(out, length as u64);
}

/// Opens a message; what is appended until [`close`] is in it.
pub(crate) fn open(out: &mut Vec<u8>, field: u32) -> usize {
    put_tag(out, field, 2);
    out.push(0);
    out.len()
}

/// Closes the message that [`open`] returned the start of.
pub(crate) fn close(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start;
    let extra = varint_bytes(length as u64) - 1;
    if extra > 0 {
        out.resize(out.len() + extra, 0);
        out.copy_within(start..start + length, start + extra);
    }
    let mut rest = length;
    for byte in &mut out[start - 1..start + extra] {
        *byte = (rest & 0x7f) as u8 | 0x80;
        rest >>= 7;
    }
    out[start + extra - 1] &= 0x7f;
}

/// Appends a message that `write` appends the fields of.
pub(crate) fn put_message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    let start = open(out, field);
    write(out);
    close(out, start);
}

/// Appends a `KeyValue` as this field; `value` appends the fields of its `AnyValue`.
pub(crate) fn put_key_value(out: &mut Vec<u8>, field: u32, key: &str, value: impl FnOnce(&mut Vec<u8>)) {
    put_message(out, field, |out| {
        put_bytes(out, 1, key.as_bytes());
        put_message(out, 2, value);
    });
}

/// Appends a `KeyValue` whose value is a text.
pub(crate) fn put_text(out: &mut Vec<u8>, field: u32, key: &str, text: &str) {
    put_key_value(out, field, key, |out| put_bytes(out, 1, text.as_bytes()));
}

/// Appends a `KeyValue` whose value is an integer.
pub(crate) fn put_int(out: &mut Vec<u8>, field: u32, key: &str, value: i64) {
    put_key_value(out, field, key, |out| put_number(out, 3, value as u64));
}

/// Appends a `KeyValue` whose value is a boolean.
pub(crate) fn put_bool(out: &mut Vec<u8>, field: u32, key: &str, value: bool) {
    put_key_value(out, field, key, |out| put_number(out, 2, u64::from(value)));
}

/// The bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A field's value as its wire type has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// The fields of a message in the order they were sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field, if there is one.
    pub(crate) fn field(&mut self) -> Result<Option<(u64, Value<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
                self.0 = rest;
                Value::Bytes(bytes)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            // Groups: no protocol that is read here ever had one.
            _ => return Err(Malformed),
        };
        match tag >> 3 {
            0 => Err(Malformed),
            number => Ok(Some((number, value))),
        }
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(Malformed)?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*array)
    }
}

/// Feeds the values of a repeated varint field, packed or not.
pub(crate) fn repeated_varint(value: Value<'_>, mut feed: impl FnMut(u64)) -> Result<(), Malformed> {
    match value {
        Value::Varint(value) => feed(value),
        Value::Bytes(packed) => {
            let mut packed = Fields(packed);
            while !packed.0.is_empty() {
                feed(packed.varint()?);
            }
        }
        _ => return Err(Malformed),
    }
    Ok(())
}

/// Feeds the values of a repeated double field, packed or not.
pub(crate) fn repeated_double(value: Value<'_>, mut feed: impl FnMut(f64)) -> Result<(), Malformed> {
    match value {
        Value::Fixed64(bits) => feed(f64::from_bits(bits)),
        Value::Bytes(packed) => {
            let (values, rest) = packed.as_chunks::<8>();
            if !rest.is_empty() {
                return Err(Malformed);
            }
            values.iter().for_each(|bytes| feed(f64::from_bits(u64::from_le_bytes(*bytes))));
        }
        _ => return Err(Malformed),
    }
    Ok(())
}

/// A `sint32` or `sint64` from its varint.
pub(crate) fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_every_length_are_read_back() {
        for length in [0, 1, 127, 128, 300, 16_383, 16_384, 70_000] {
            let mut out = vec![0xaa];
            put_message(&mut out, 9, |out| out.resize(out.len() + length, 7));
            assert_eq!(out.len(), 1 + field_bytes(length), "{length}");
            let mut fields = Fields(&out[1..]);
            assert_eq!(fields.field(), Ok(Some((9, Value::Bytes(&vec![7; length])))), "{length}");
            assert_eq!(fields.field(), Ok(None));
        }
    }

    #[test]
    fn numbers_are_read_back() {
        for value in [0, 1, 127, 128, 1 << 35, u64::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, 3, value);
            assert_eq!(out.len(), 1 + varint_bytes(value), "{value}");
            assert_eq!(Fields(&out).field(), Ok(Some((3, Value::Varint(value)))));
        }
        for value in [0, 1, -1, i32::MAX, i32::MIN] {
            let mut out = Vec::new();
            put_zigzag(&mut out, 6, value);
            let Ok(Some((6, Value::Varint(found)))) = Fields(&out).field() else { panic!("{value}") };
            assert_eq!(zigzag(found), i64::from(value));
        }
    }

    #[test]
    fn what_is_no_message_is_malformed() {
        for bytes in [&[0x80][..], &[0x08], &[0x0a, 5, 1], &[0x0b], &[0x0c], &[0x0f], &[0x00, 0], &[0xff; 12]] {
            assert_eq!(Fields(bytes).field(), Err(Malformed), "{bytes:02x?}");
        }
    }
}
