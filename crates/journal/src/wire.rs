//! Little-endian numbers in and out of byte buffers. Everything in a segment begins at a multiple of eight bytes,
//! so that Arrow can use what was read in place.

/// Everything in a segment is aligned to this many bytes.
pub(crate) const ALIGNMENT: usize = 8;

/// `length` rounded up to [`ALIGNMENT`].
pub(crate) fn padded(length: usize) -> usize {
    length.next_multiple_of(ALIGNMENT)
}

/// Fills up with zeros to [`ALIGNMENT`].
pub(crate) fn pad(out: &mut Vec<u8>) {
    out.resize(padded(out.len()), 0);
}

/// Puts bytes at a place that is already there.
pub(crate) fn patch(out: &mut [u8], at: usize, bytes: &[u8]) {
    out[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Reads numbers and bytes from the front of a slice; `None` where it is too short.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Take<'a> {
    rest: &'a [u8],
}

impl<'a> Take<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Take<'a> {
        Take { rest: bytes }
    }

    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// Text behind a length of one byte.
    pub(crate) fn short_text(&mut self) -> Option<&'a str> {
        let length = usize::from(self.u8()?);
        std::str::from_utf8(self.bytes(length)?).ok()
    }
}

/// Text of at most 255 bytes behind a length of one byte; what is beyond is cut at a character.
pub(crate) fn put_short_text(out: &mut Vec<u8>, text: &str) {
    let length = text.floor_char_boundary(usize::from(u8::MAX));
    out.push(length as u8);
    out.extend_from_slice(&text.as_bytes()[..length]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_taken() {
        let mut out = Vec::new();
        put_short_text(&mut out, "ab");
        put_short_text(&mut out, &"é".repeat(200));
        out.extend_from_slice(&7_u32.to_le_bytes());
        let mut take = Take::new(&out);
        assert_eq!(take.short_text(), Some("ab"));
        assert_eq!(take.short_text().map(str::len), Some(254));
        assert_eq!((take.u32(), take.u8()), (Some(7), None));
        pad(&mut out);
        assert_eq!(out.len() % ALIGNMENT, 0);
    }
}
