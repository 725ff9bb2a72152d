//! Protobuf, written by hand: log records are encoded where they are parsed, without a tree of messages in between.

/// A message or a text: its length comes first.
const LENGTH_DELIMITED: u32 = 2;

/// Appends a number of variable length.
pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that [`varint`] writes.
pub(crate) fn varint_bytes(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn tag(out: &mut Vec<u8>, field: u32, kind: u32) {
    varint(out, u64::from(field << 3 | kind));
}

/// Appends an integer, an enum or a boolean.
pub(crate) fn number(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, 0);
    varint(out, value);
}

/// Appends eight bytes.
pub(crate) fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, 1);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends four bytes.
pub(crate) fn fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    tag(out, field, 5);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a text, bytes, or a message that is encoded already.
pub(crate) fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    tag(out, field, LENGTH_DELIMITED);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Appends a message that `write` appends the fields of. Its length is put in afterwards; most messages are shorter
/// than 128 bytes, for which the one byte kept free is enough.
pub(crate) fn message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    tag(out, field, LENGTH_DELIMITED);
    out.push(0);
    let start = out.len();
    write(out);
    let length = out.len() - start;
    let extra = varint_bytes(length as u64) - 1;
    if extra > 0 {
        out.resize(out.len() + extra, 0);
        out.copy_within(start..start + length, start + extra);
    }
    let mut value = length;
    for byte in &mut out[start - 1..start + extra] {
        *byte = (value & 0x7f) as u8 | 0x80;
        value >>= 7;
    }
    out[start + extra - 1] &= 0x7f;
}

/// Appends the bytes of an `AnyValue` that is this text.
pub(crate) fn text_value(out: &mut Vec<u8>, text: &str) {
    bytes(out, 1, text.as_bytes());
}

/// Appends the bytes of an `AnyValue` that is this integer.
pub(crate) fn int_value(out: &mut Vec<u8>, value: i64) {
    number(out, 3, value as u64);
}

/// Appends a `KeyValue` as this field.
pub(crate) fn key_value(out: &mut Vec<u8>, field: u32, key: &str, value: impl FnOnce(&mut Vec<u8>)) {
    message(out, field, |out| {
        bytes(out, 1, key.as_bytes());
        message(out, 2, value);
    });
}

/// Fields of an encoded message, as far as they can be read.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Field<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let tag = self.read_varint()?;
        let field = match tag & 7 {
            0 => Field::Number(self.read_varint()?),
            1 => Field::Bytes(self.take(8)?),
            2 => {
                let length = self.read_varint()?;
                Field::Bytes(self.take(usize::try_from(length).ok()?)?)
            }
            5 => Field::Bytes(self.take(4)?),
            _ => return None,
        };
        Some((tag >> 3, field))
    }
}

impl<'a> Fields<'a> {
    fn read_varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_size_are_read_back() {
        for length in [0, 1, 127, 128, 300, 16_383, 16_384, 70_000] {
            let mut out = vec![0xAA];
            message(&mut out, 9, |out| out.resize(out.len() + length, 7));
            let mut fields = Fields(&out[1..]);
            assert_eq!(fields.next(), Some((9, Field::Bytes(&vec![7; length][..]))), "{length}");
            assert_eq!(fields.next(), None);
        }
    }

    #[test]
    fn numbers_are_read_back() {
        for value in [0, 1, 127, 128, 1 << 35, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, 3, value);
            assert_eq!(out.len(), 1 + varint_bytes(value), "{value}");
            assert_eq!(Fields(&out).next(), Some((3, Field::Number(value))));
        }
        assert_eq!(Fields(&[0x0a, 5, 1]).next(), None, "cut off");
    }
}
