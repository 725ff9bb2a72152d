//! Bits one after another, lowest first, and the codes that small numbers are written in.
//!
//! - *Golomb*, exponential, of an order: short for small numbers, never long; the order is about the bits of a usual one.
//! - *Rice* of a width: shorter where numbers are spread like the waiting times of a steady stream; larger ones escape.

/// Ones that announce an escaped Rice code.
const ESCAPE: u32 = 16;

/// Order of the Golomb code behind the escape.
const ESCAPE_ORDER: u32 = 8;

/// Writes bits.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    pending: u128,
    filled: u32,
}

impl BitWriter {
    /// The lowest `count` bits of a number, 64 at most.
    pub(super) fn bits(&mut self, value: u64, count: u32) {
        self.pending |= u128::from(value) << self.filled;
        self.filled += count;
        while self.filled >= 8 {
            self.bytes.push(self.pending as u8);
            self.pending >>= 8;
            self.filled -= 8;
        }
    }

    /// So many ones.
    fn ones(&mut self, mut count: u32) {
        while count > 32 {
            self.bits(u64::from(u32::MAX), 32);
            count -= 32;
        }
        self.bits((1 << count) - 1, count);
    }

    pub(super) fn golomb(&mut self, value: u64, order: u32) {
        let shifted = u128::from(value) + (1 << order);
        let low_bits = 127 - shifted.leading_zeros();
        self.ones(low_bits - order);
        self.bits(0, 1);
        self.bits((shifted - (1 << low_bits)) as u64, low_bits);
    }

    pub(super) fn signed(&mut self, value: i64, order: u32) {
        self.golomb(((value << 1) ^ (value >> 63)) as u64, order);
    }

    pub(super) fn rice(&mut self, value: u64, width: u32) {
        match value >> width {
            high if high < u64::from(ESCAPE) => {
                self.ones(high as u32);
                self.bits(0, 1);
                self.bits(value & ((1 << width) - 1), width);
            }
            _ => {
                self.ones(ESCAPE);
                self.golomb(value, ESCAPE_ORDER);
            }
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.golomb(text.len() as u64, 4);
        text.bytes().for_each(|byte| self.bits(u64::from(byte), 8));
    }

    pub(super) fn texts<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a str>) {
        self.golomb(texts.len() as u64, 4);
        texts.for_each(|text| self.text(text));
    }

    /// The bytes, the last filled up with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.filled > 0 {
            self.bytes.push(self.pending as u8);
        }
        self.bytes
    }
}

/// Bits that a Rice code takes.
pub(super) fn rice_bits(value: u64, width: u32) -> u64 {
    match value >> width {
        high if high < u64::from(ESCAPE) => high + 1 + u64::from(width),
        _ => {
            let low_bits = 127 - (u128::from(value) + (1 << ESCAPE_ORDER)).leading_zeros();
            u64::from(ESCAPE + 2 * low_bits + 1 - ESCAPE_ORDER)
        }
    }
}

/// Reads what [`BitWriter`] wrote; `None` where the bits end or make no sense.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> BitReader<'a> {
        BitReader { bytes, at: 0 }
    }

    /// The next 57 bits or more, as far as there are any.
    fn window(&self) -> u64 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or(&[]);
        let word = match rest.first_chunk::<8>() {
            Some(whole) => u64::from_le_bytes(*whole),
            None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        word >> (self.at % 8)
    }

    pub(super) fn bits(&mut self, count: u32) -> Option<u64> {
        if count > 32 {
            let low = self.bits(32)?;
            return Some(low | self.bits(count - 32)? << 32);
        }
        let value = self.window() & ((1 << count) - 1);
        self.at += count as usize;
        (self.at <= self.bytes.len() * 8).then_some(value)
    }

    /// Ones up to the next zero, which is taken too; no more than `max`, after which no zero is.
    fn ones(&mut self, max: u32) -> Option<u32> {
        let mut count = 0;
        loop {
            let here = self.window().trailing_ones().min(32).min(max - count);
            self.at += here as usize;
            count += here;
            if self.at > self.bytes.len() * 8 {
                return None;
            }
            if count == max {
                return Some(count);
            }
            if here < 32 {
                self.bits(1)?;
                return Some(count);
            }
        }
    }

    pub(super) fn golomb(&mut self, order: u32) -> Option<u64> {
        let low_bits = self.ones(65)? + order;
        if low_bits > 64 {
            return None;
        }
        let value = (1_u128 << low_bits) + u128::from(self.bits(low_bits)?) - (1 << order);
        u64::try_from(value).ok()
    }

    pub(super) fn signed(&mut self, order: u32) -> Option<i64> {
        let value = self.golomb(order)?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(super) fn rice(&mut self, width: u32) -> Option<u64> {
        match self.ones(ESCAPE)? {
            ESCAPE => self.golomb(ESCAPE_ORDER),
            high => Some(u64::from(high) << width | self.bits(width)?),
        }
    }

    /// A number that is an index into so many.
    pub(super) fn index(&mut self, order: u32, count: usize) -> Option<u32> {
        let value = self.golomb(order)?;
        (value < count as u64).then_some(value as u32)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        let length = self.golomb(4)?;
        if length > self.bytes.len() as u64 {
            return None;
        }
        let bytes: Option<Vec<u8>> = (0..length).map(|_| self.bits(8).map(|byte| byte as u8)).collect();
        String::from_utf8(bytes?).ok()
    }

    pub(super) fn texts(&mut self) -> Option<Vec<String>> {
        let count = self.golomb(4)?;
        (0..count).map(|_| self.text()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_in_every_code() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut numbers = vec![0, 1, 2, 15, 16, 17, 255, 256, u64::from(u32::MAX), u64::MAX - 1, u64::MAX];
        numbers.extend((0..500).map(|_| random.u64(..) >> random.u32(..64)));
        let mut writer = BitWriter::default();
        for number in &numbers {
            writer.bits(*number, 64);
            writer.bits(number & 7, 3);
            for order in [0, 3, 12] {
                writer.golomb(*number, order);
                writer.rice(*number, order);
                writer.signed(*number as i64, order);
            }
            writer.text("é日");
        }
        writer.texts(["a", ""].into_iter());
        let bytes = writer.finish();
        let mut reader = BitReader::new(&bytes);
        for number in &numbers {
            assert_eq!(reader.bits(64), Some(*number));
            assert_eq!(reader.bits(3), Some(number & 7));
            for order in [0, 3, 12] {
                assert_eq!(reader.golomb(order), Some(*number), "order {order}");
                assert_eq!(reader.rice(order), Some(*number), "width {order}");
                assert_eq!(reader.signed(order), Some(*number as i64), "order {order}");
            }
            assert_eq!(reader.text().as_deref(), Some("é日"));
        }
        assert_eq!(reader.texts(), Some(vec!["a".to_owned(), String::new()]));
        assert_eq!(reader.bits(16), None);
    }

    #[test]
    fn the_cost_of_a_rice_code_is_what_it_takes() {
        for number in [0, 1, 5, 15, 16, 300, 70_000, u64::MAX] {
            for width in 0..8 {
                let mut writer = BitWriter::default();
                writer.rice(number, width);
                let bits = writer.bytes.len() as u64 * 8 + u64::from(writer.filled);
                assert_eq!(bits, rice_bits(number, width), "{number} {width}");
            }
        }
    }

    #[test]
    fn any_bytes_are_read_without_harm() {
        let mut random = fastrand::Rng::with_seed(2);
        for length in 0..200 {
            let bytes: Vec<u8> = (0..length).map(|_| random.u8(..) | random.u8(..)).collect();
            let mut reader = BitReader::new(&bytes);
            while let Some(choice) = reader.bits(2) {
                let read = match choice {
                    0 => reader.golomb(2),
                    1 => reader.rice(1),
                    2 => reader.text().map(|_| 0),
                    _ => reader.index(0, 4).map(u64::from),
                };
                if read.is_none() {
                    break;
                }
            }
        }
    }
}
