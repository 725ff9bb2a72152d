//! The protobuf wire format, borrowed: a message is a run of numbered fields.

use crate::Stop;

/// A field's value as its wire type has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    /// A text, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
}

/// The fields of a message, in the order they were sent. Groups are skipped.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

const TRUNCATED: Stop = Stop::Malformed("a field is cut short");
const VARINT: Stop = Stop::Malformed("a varint is longer than 64 bits");

impl<'a> Fields<'a> {
    #[inline]
    pub fn new(message: &'a [u8]) -> Fields<'a> {
        Fields { rest: message }
    }

    /// Bytes not yet read.
    #[inline]
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next field, if there is one.
    #[inline(always)]
    pub fn field(&mut self) -> Result<Option<(u32, Value<'a>)>, Stop> {
        while let Some(tag) = self.tag()? {
            let value = match tag & 7 {
                0 => Value::Varint(self.varint()?),
                1 => Value::Fixed64(self.fixed64()?),
                2 => Value::Bytes(self.bytes()?),
                5 => Value::Fixed32(self.fixed32()?),
                _ => {
                    self.skip(tag)?;
                    continue;
                }
            };
            return Ok(Some((tag >> 3, value)));
        }
        Ok(None)
    }

    /// The next field's number and wire type in one, if there is one: what hot readers choose by, with one jump a field.
    /// Its value must be read or skipped next.
    #[inline(always)]
    pub fn tag(&mut self) -> Result<Option<u32>, Stop> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        match u32::try_from(self.varint()?) {
            // Field numbers begin with 1.
            Ok(tag @ 8..) => Ok(Some(tag)),
            _ => Err(Stop::Malformed("a field number is out of range")),
        }
    }

    /// Skips the value of a field of this tag.
    pub fn skip(&mut self, tag: u32) -> Result<(), Stop> {
        match tag & 7 {
            0 => self.varint().map(drop),
            1 => self.fixed64().map(drop),
            2 => self.bytes().map(drop),
            3 => self.skip_group(tag >> 3),
            5 => self.fixed32().map(drop),
            _ => Err(Stop::Malformed("unknown wire type")),
        }
    }

    #[inline(always)]
    pub fn varint(&mut self) -> Result<u64, Stop> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            [low, high, rest @ ..] if *high < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*low & 0x7f) | u64::from(*high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    #[inline(always)]
    pub fn fixed64(&mut self) -> Result<u64, Stop> {
        self.array().map(u64::from_le_bytes)
    }

    #[inline(always)]
    pub fn fixed32(&mut self) -> Result<u32, Stop> {
        self.array().map(u32::from_le_bytes)
    }

    fn long_varint(&mut self) -> Result<u64, Stop> {
        let mut value = 0;
        for (at, &byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                // The tenth byte has room for one bit.
                if at == 9 && byte > 1 {
                    return Err(VARINT);
                }
                self.rest = &self.rest[at + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { TRUNCATED } else { VARINT })
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(*array)
    }

    #[inline(always)]
    pub fn bytes(&mut self) -> Result<&'a [u8], Stop> {
        let length = usize::try_from(self.varint()?).map_err(|_| TRUNCATED)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Skips to the end of a group without recursion: the numbers of the groups open inside are kept.
    fn skip_group(&mut self, number: u32) -> Result<(), Stop> {
        let mut open = vec![number];
        while let Some(&innermost) = open.last() {
            let tag = self.tag()?.ok_or(TRUNCATED)?;
            match tag & 7 {
                3 => open.push(tag >> 3),
                4 if tag >> 3 == innermost => drop(open.pop()),
                4 => return Err(Stop::Malformed("a group does not end as it began")),
                _ => self.skip(tag)?,
            }
        }
        Ok(())
    }
}

/// Tag of a field whose value is a varint.
pub(crate) const fn varint(number: u32) -> u32 {
    number << 3
}

/// Tag of a field whose value is eight bytes.
pub(crate) const fn fixed64(number: u32) -> u32 {
    number << 3 | 1
}

/// Tag of a field whose value is a text, bytes, a message or packed numbers.
pub(crate) const fn bytes(number: u32) -> u32 {
    number << 3 | 2
}

/// Tag of a field whose value is four bytes.
pub(crate) const fn fixed32(number: u32) -> u32 {
    number << 3 | 5
}

/// Feeds a repeated fixed64 field, packed or not.
pub(crate) fn repeated_fixed64(value: Value<'_>, mut feed: impl FnMut(u64)) -> Result<(), Stop> {
    match value {
        Value::Fixed64(value) => feed(value),
        Value::Bytes(packed) => {
            let (values, rest) = packed.as_chunks::<8>();
            if !rest.is_empty() {
                return Err(TRUNCATED);
            }
            values.iter().for_each(|value| feed(u64::from_le_bytes(*value)));
        }
        Value::Varint(_) | Value::Fixed32(_) => {}
    }
    Ok(())
}

/// Feeds a repeated varint field, packed or not.
pub(crate) fn repeated_varint(value: Value<'_>, mut feed: impl FnMut(u64)) -> Result<(), Stop> {
    match value {
        Value::Varint(value) => feed(value),
        Value::Bytes(packed) => {
            let mut packed = Fields::new(packed);
            while !packed.rest.is_empty() {
                feed(packed.varint()?);
            }
        }
        Value::Fixed64(_) | Value::Fixed32(_) => {}
    }
    Ok(())
}

/// A `sint32` from its varint.
pub(crate) fn zigzag(value: u64) -> i32 {
    let value = value as u32;
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Stop> {
        let mut fields = Fields::new(bytes);
        let mut found = Vec::new();
        while let Some(field) = fields.field()? {
            found.push(field);
        }
        Ok(found)
    }

    #[test]
    fn fields_of_every_wire_type() {
        let check = |bytes: &[u8], expect: &[(u32, Value<'_>)]| assert_eq!(all(bytes).as_deref(), Ok(expect));
        check(&[], &[]);
        check(&[0x08, 0x96, 0x01], &[(1, Value::Varint(150))]);
        check(&[0x09, 1, 0, 0, 0, 0, 0, 0, 0], &[(1, Value::Fixed64(1))]);
        check(&[0x0d, 1, 0, 0, 0], &[(1, Value::Fixed32(1))]);
        check(&[0x0a, 2, 7, 8], &[(1, Value::Bytes(&[7, 8]))]);
        check(&[0xc2, 0x3e, 0], &[(1000, Value::Bytes(&[]))]);
        let minus_one = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        check(&minus_one, &[(1, Value::Varint(u64::MAX))]);
        // A group with a group, a varint and bytes inside.
        check(&[0x0b, 0x13, 0x18, 1, 0x14, 0x22, 1, 9, 0x0c, 0x10, 5], &[(2, Value::Varint(5))]);
    }

    #[test]
    fn what_is_malformed_stops() {
        let check = |bytes: &[u8]| assert!(all(bytes).is_err(), "{bytes:02x?}");
        check(&[0x80]);
        check(&[0x08]);
        check(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]);
        check(&[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]);
        check(&[0x0a, 5, 1]);
        check(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
        check(&[0x00, 1]);
        check(&[0x0f]);
        check(&[0x0b]);
        check(&[0x0b, 0x14]);
        check(&[0x0c]);
        check(&[0x0b; 100_000]);
    }

    #[test]
    fn numbers_packed_or_not() {
        let check = |value: Value<'_>, expect: &[u64]| {
            let mut found = Vec::new();
            repeated_fixed64(value, |value| found.push(value)).expect("valid");
            assert_eq!(found, expect);
        };
        check(Value::Fixed64(42), &[42]);
        check(Value::Bytes(&[42, 0, 0, 0, 0, 0, 0, 0]), &[42]);
        assert!(repeated_fixed64(Value::Bytes(&[42, 0]), |_| ()).is_err());
        let mut found = Vec::new();
        repeated_varint(Value::Bytes(&[1, 0x96, 1]), |value| found.push(value)).expect("valid");
        assert_eq!(found, [1, 150]);
        assert_eq!([zigzag(0), zigzag(1), zigzag(2), zigzag(u64::from(u32::MAX))], [0, -1, 1, i32::MIN]);
    }
}
