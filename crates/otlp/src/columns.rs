//! Columns while they grow.
//!
//! A column may lag behind its table's rows: it is padded with nulls when a value comes for a later row, and at
//! the freeze. So a column nobody writes to costs nothing. Setting a row again replaces its value (OTLP: the
//! last one wins), and truncating to a number of rows takes back what came after.

use std::ops::Range;

use crate::dictionary::Dictionary;
use crate::notes::Notes;

/// Bits, least significant first, as Arrow has them; gathered in words, so that most bits cost no memory access.
#[derive(Default)]
pub(crate) struct Bitmap {
    /// Whole words.
    words: Vec<u64>,
    /// The bits behind them.
    word: u64,
    len: usize,
}

impl Bitmap {
    #[inline(always)]
    pub fn push(&mut self, bit: bool) {
        self.word |= u64::from(bit) << (self.len & 63);
        self.len += 1;
        if self.len & 63 == 0 {
            self.words.push(self.word);
            self.word = 0;
        }
    }

    pub fn extend(&mut self, mut count: usize, bit: bool) {
        let ones = if bit { u64::MAX } else { 0 };
        while count > 0 {
            let fits = count.min(64 - (self.len & 63));
            self.word |= (ones >> (64 - fits)) << (self.len & 63);
            self.len += fits;
            count -= fits;
            if self.len & 63 == 0 {
                self.words.push(self.word);
                self.word = 0;
            }
        }
    }

    #[inline]
    pub fn get(&self, at: usize) -> bool {
        at < self.len && self.words.get(at / 64).unwrap_or(&self.word) >> (at & 63) & 1 == 1
    }

    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        if let Some(word) = self.words.get(len / 64) {
            self.word = *word;
        }
        self.words.truncate(len / 64);
        self.word &= (1 << (len & 63)) - 1;
        self.len = len;
    }

    pub fn ones(&self) -> usize {
        self.words.iter().chain([&self.word]).map(|word| word.count_ones() as usize).sum()
    }

    /// The bits and how many they are, none if all are ones; the bitmap is empty afterwards.
    pub fn take(&mut self) -> Option<(Vec<u64>, usize)> {
        let all_ones = self.ones() == self.len;
        let len = std::mem::take(&mut self.len);
        let last = std::mem::take(&mut self.word);
        if all_ones {
            self.words.clear();
            return None;
        }
        if len & 63 != 0 {
            self.words.push(last);
        }
        let mut words = take_vec(&mut self.words);
        // Arrow's bits lie in bytes.
        words.iter_mut().for_each(|word| *word = word.to_le());
        Some((words, len))
    }
}

/// Hands the vector out and leaves an empty one with room for as much again and somewhat more: commits of a steady
/// load differ by a little, and growing at the very end would copy all that came before.
pub(crate) fn take_vec<T>(vec: &mut Vec<T>) -> Vec<T> {
    let room = vec.len() + vec.len() / 8;
    std::mem::replace(vec, Vec::with_capacity(room))
}

/// Values of one size, each present or null.
#[derive(Default)]
pub(crate) struct Values<T> {
    pub values: Vec<T>,
    pub valid: Bitmap,
}

impl<T: Copy + Default> Values<T> {
    /// Brings the column to this many rows.
    pub fn align(&mut self, rows: usize) {
        if self.values.len() < rows {
            self.valid.extend(rows - self.values.len(), false);
            self.values.resize(rows, T::default());
        } else {
            self.truncate(rows);
        }
    }

    #[inline(always)]
    pub fn set(&mut self, row: usize, value: T) {
        if self.values.len() != row {
            self.align(row);
        }
        self.values.push(value);
        self.valid.push(true);
    }

    #[inline]
    pub fn set_option(&mut self, row: usize, value: Option<T>) {
        if let Some(value) = value {
            self.set(row, value);
        }
    }

    /// Sets the row unless the value is the default, which stands for an absent field.
    #[inline]
    pub fn set_unless_default(&mut self, row: usize, value: T)
    where
        T: PartialEq,
    {
        if value != T::default() {
            self.set(row, value);
        }
    }

    pub fn fill(&mut self, rows: Range<usize>, value: T) {
        if rows.is_empty() {
            return;
        }
        self.align(rows.start);
        self.values.resize(rows.end, value);
        self.valid.extend(rows.len(), true);
    }

    pub fn get(&self, row: usize) -> Option<T> {
        self.valid.get(row).then(|| self.values[row])
    }

    #[inline]
    pub fn truncate(&mut self, rows: usize) {
        if self.values.len() > rows {
            self.values.truncate(rows);
            self.valid.truncate(rows);
        }
    }
}

/// Where each row's elements end, for texts and lists. Elements behind the last end belong to the row that is
/// open and are taken back by whoever aligns the column next.
pub(crate) struct Ends {
    pub offsets: Vec<i32>,
    pub valid: Bitmap,
}

impl Default for Ends {
    fn default() -> Self {
        Ends { offsets: vec![0], valid: Bitmap::default() }
    }
}

impl Ends {
    /// Elements of all rows that are closed.
    #[inline]
    pub fn last(&self) -> usize {
        self.offsets.last().map_or(0, |end| *end as usize)
    }

    /// Brings the column to this many rows; how many elements remain.
    #[inline(always)]
    pub fn align(&mut self, rows: usize) -> usize {
        if self.offsets.len() != rows + 1 {
            self.pad_or_truncate(rows);
        }
        self.last()
    }

    fn pad_or_truncate(&mut self, rows: usize) {
        let missing = (rows + 1).saturating_sub(self.offsets.len());
        if missing > 0 {
            self.valid.extend(missing, false);
            self.offsets.resize(rows + 1, self.last() as i32);
        } else {
            self.truncate(rows);
        }
    }

    #[inline]
    pub fn close(&mut self, end: usize) {
        self.offsets.push(end as i32);
        self.valid.push(true);
    }

    #[inline]
    pub fn truncate(&mut self, rows: usize) -> usize {
        if self.offsets.len() > rows + 1 {
            self.offsets.truncate(rows + 1);
            self.valid.truncate(rows);
        }
        self.last()
    }

    pub fn take(&mut self) -> Vec<i32> {
        let offsets = take_vec(&mut self.offsets);
        self.offsets.push(0);
        offsets
    }
}

/// Texts.
#[derive(Default)]
pub(crate) struct Texts {
    pub ends: Ends,
    pub bytes: Vec<u8>,
}

impl Texts {
    /// Opens a row: what the caller pushes is its text, once [`Texts::close`] is called.
    #[inline]
    pub fn open(&mut self, row: usize) -> &mut Vec<u8> {
        let end = self.ends.align(row);
        self.bytes.truncate(end);
        &mut self.bytes
    }

    /// Bytes of the row that is open.
    #[inline]
    pub fn open_bytes(&self) -> usize {
        self.bytes.len() - self.ends.last()
    }

    #[inline]
    pub fn close(&mut self) {
        self.ends.close(self.bytes.len());
    }

    #[inline]
    pub fn set(&mut self, row: usize, text: &str) {
        self.open(row).extend_from_slice(text.as_bytes());
        self.close();
    }

    /// Sets a text that may be no UTF-8.
    #[inline(always)]
    pub fn set_raw(&mut self, row: usize, bytes: &[u8], notes: &mut Notes) {
        notes.push_text(self.open(row), bytes);
        self.close();
    }

    #[inline]
    pub fn set_raw_unless_empty(&mut self, row: usize, bytes: &[u8], notes: &mut Notes) {
        if bytes.is_empty() {
            self.truncate(row);
        } else {
            self.set_raw(row, bytes, notes);
        }
    }

    #[inline]
    pub fn set_unless_empty(&mut self, row: usize, text: &str) {
        if text.is_empty() {
            self.truncate(row);
        } else {
            self.set(row, text);
        }
    }

    pub fn get(&self, row: usize) -> Option<&[u8]> {
        let valid = self.ends.valid.get(row);
        valid.then(|| &self.bytes[self.ends.offsets[row] as usize..self.ends.offsets[row + 1] as usize])
    }

    #[inline]
    pub fn truncate(&mut self, rows: usize) {
        let end = self.ends.truncate(rows);
        self.bytes.truncate(end);
    }
}

/// Texts with few distinct values.
#[derive(Default)]
pub(crate) struct Keywords {
    pub keys: Values<i32>,
    pub dictionary: Dictionary,
    /// Texts to keep when the request is rolled back.
    marked: usize,
}

impl Keywords {
    #[inline]
    pub fn set(&mut self, row: usize, text: &str) {
        let key = self.dictionary.intern(text);
        self.keys.set(row, key);
    }

    /// Sets a text that may be no UTF-8.
    #[inline(always)]
    pub fn set_raw(&mut self, row: usize, bytes: &[u8], notes: &mut Notes) {
        let key = match self.dictionary.find(bytes) {
            Ok(key) => key,
            Err(_) => self.dictionary.intern(&notes.text(bytes)),
        };
        self.keys.set(row, key);
    }

    #[inline]
    pub fn set_unless_empty(&mut self, row: usize, text: &str) {
        if text.is_empty() {
            self.keys.truncate(row);
        } else {
            self.set(row, text);
        }
    }

    #[inline]
    pub fn set_raw_unless_empty(&mut self, row: usize, bytes: &[u8], notes: &mut Notes) {
        if bytes.is_empty() {
            self.keys.truncate(row);
        } else {
            self.set_raw(row, bytes, notes);
        }
    }

    pub fn fill(&mut self, rows: Range<usize>, text: &str) {
        if !rows.is_empty() {
            let key = self.dictionary.intern(text);
            self.keys.fill(rows, key);
        }
    }

    pub fn fill_unless_empty(&mut self, rows: Range<usize>, text: &str) {
        if !text.is_empty() {
            self.fill(rows, text);
        }
    }

    /// The key of a text, for [`Keywords::fill_key`].
    pub fn intern_unless_empty(&mut self, text: &str) -> Option<i32> {
        (!text.is_empty()).then(|| self.dictionary.intern(text))
    }

    pub fn fill_key(&mut self, rows: Range<usize>, key: Option<i32>) {
        if let Some(key) = key {
            self.keys.fill(rows, key);
        }
    }

    pub fn get(&self, row: usize) -> Option<&[u8]> {
        self.keys.get(row).map(|key| self.dictionary.text(key as usize))
    }

    /// Takes rows back; their texts stay in the dictionary until the request ends.
    #[inline]
    pub fn truncate(&mut self, rows: usize) {
        self.keys.truncate(rows);
    }

    /// A request begins.
    pub fn mark(&mut self) {
        self.marked = self.dictionary.len();
    }

    /// The request that began at the mark failed.
    pub fn roll_back(&mut self, rows: usize) {
        self.keys.truncate(rows);
        self.dictionary.truncate(self.marked);
    }
}

/// Lists of numbers.
#[derive(Default)]
pub(crate) struct Lists<T> {
    pub ends: Ends,
    pub values: Vec<T>,
}

impl<T: Copy> Lists<T> {
    /// Opens a row: what the caller pushes are its elements, once [`Lists::close`] is called.
    pub fn open(&mut self, row: usize) -> &mut Vec<T> {
        let end = self.ends.align(row);
        self.values.truncate(end);
        &mut self.values
    }

    /// Elements of the row that is open.
    pub fn open_values(&self) -> &[T] {
        &self.values[self.ends.last()..]
    }

    /// Closes the row; without elements it stays null.
    pub fn close(&mut self) {
        if !self.open_values().is_empty() {
            self.ends.close(self.values.len());
        }
    }

    pub fn truncate(&mut self, rows: usize) {
        let end = self.ends.truncate(rows);
        self.values.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitmaps_count_and_truncate() {
        let mut bits = Bitmap::default();
        for step in 0..200 {
            bits.extend(step % 13, step % 3 == 0);
            bits.push(step % 2 == 0);
        }
        let expect: Vec<bool> = (0..bits.len).map(|at| bits.get(at)).collect();
        assert_eq!(bits.ones(), expect.iter().filter(|bit| **bit).count());
        bits.truncate(77);
        bits.extend(3, false);
        assert_eq!(bits.ones(), expect[..77].iter().filter(|bit| **bit).count());
        assert!((0..77).all(|at| bits.get(at) == expect[at]) && !bits.get(77) && !bits.get(500));
    }

    #[test]
    fn columns_lag_replace_and_truncate() {
        let mut values = Values::<i64>::default();
        values.set(3, 7);
        values.set(3, 8);
        values.fill(5..7, 1);
        let found: Vec<_> = (0..8).map(|row| values.get(row)).collect();
        assert_eq!(found, [None, None, None, Some(8), None, Some(1), Some(1), None]);
        values.truncate(4);
        assert_eq!((values.get(3), values.get(5)), (Some(8), None));

        let mut texts = Texts::default();
        texts.set(1, "one");
        texts.open(2).extend_from_slice(b"left open");
        texts.set(2, "two");
        texts.set(2, "2");
        assert_eq!((texts.get(0), texts.get(1), texts.get(2)), (None, Some(&b"one"[..]), Some(&b"2"[..])));
        texts.truncate(2);
        assert_eq!(texts.bytes, b"one");

        let mut lists = Lists::<u64>::default();
        lists.open(2).extend([1, 2]);
        lists.close();
        lists.open(3);
        lists.close();
        assert_eq!(lists.ends.offsets, [0, 0, 0, 2]);
        lists.truncate(0);
        assert!(lists.values.is_empty());
    }
}
