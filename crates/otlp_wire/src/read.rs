//! The reader: fields of a message in the order they were sent, borrowed from its bytes.

/// The bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no protobuf message")]
pub struct Malformed;

/// A field's value as its wire type has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// An integer, an enum or a boolean.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Four bytes.
    Fixed32(u32),
    /// A text, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
}

/// The fields of a message in the order they were sent.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(
    /// What is not read yet.
    pub &'a [u8],
);

impl<'a> Fields<'a> {
    /// The next field, if there is one.
    ///
    /// # Errors
    /// What follows is no field.
    pub fn field(&mut self) -> Result<Option<(u64, Value<'a>)>, Malformed> {
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

    /// The next number of variable length.
    ///
    /// # Errors
    /// The bytes end before it does, or it is longer than ten.
    pub fn varint(&mut self) -> Result<u64, Malformed> {
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

    /// The fields as far as they can be read, for messages that only help to explain something.
    pub fn readable(mut self) -> impl Iterator<Item = (u64, Value<'a>)> {
        std::iter::from_fn(move || self.field().ok().flatten())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*array)
    }
}

/// Feeds the values of a repeated varint field, packed or not.
///
/// # Errors
/// The value is neither.
pub fn repeated_varint(value: Value<'_>, mut feed: impl FnMut(u64)) -> Result<(), Malformed> {
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
///
/// # Errors
/// The value is neither.
pub fn repeated_double(value: Value<'_>, mut feed: impl FnMut(f64)) -> Result<(), Malformed> {
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
pub fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{field_bytes, put_message, put_number, put_zigzag, varint_bytes};

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

    #[test]
    fn what_can_be_read_is() {
        let check = |bytes: &[u8], expect: &[u64]| {
            let numbers: Vec<u64> = Fields(bytes).readable().map(|(number, _)| number).collect();
            assert_eq!(numbers, expect, "{bytes:02x?}");
        };
        check(&[], &[]);
        check(&[0x08, 1, 0x12, 1, 7], &[1, 2]);
        check(&[0x08, 1, 0x12, 5, 7], &[1]);
        check(&[0xff, 0xff], &[]);
    }
}
