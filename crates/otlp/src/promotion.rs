//! Attributes of spans and log records: promoted keys to columns of their own, the others to JSON.
//!
//! A key leaves the JSON only where its value has the column's type and it occurs once in the record. The first
//! occurrence goes to the column at once; a second one brings it back to the JSON, before itself.

use std::sync::LazyLock;

use model::attributes::{write_int, write_string};
use schema::{PROMOTED, PromotedType};

use arrow::error::ArrowError;

use crate::attributes::AttributesColumn;
use crate::columns::{Keywords, Texts, Values};
use crate::dictionary::same;
use crate::freeze::Assembly;
use crate::notes::Notes;

/// A value as promoted columns can hold it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scalar<'a> {
    /// Perhaps no UTF-8.
    Text(&'a [u8]),
    Int(i64),
    Other,
}

/// Slots of the perfect hash.
const SLOTS: usize = 256;

/// Finds a promoted key with one hash and one comparison.
struct PerfectHash {
    factor: u32,
    /// Key and its position in `PROMOTED`; an empty key, which none is, where there is none.
    slots: [(&'static [u8], u8); SLOTS],
}

const NO_KEY: (&[u8], u8) = (&[], 0);

/// A few bytes tell the keys apart: length, and those at four places.
#[inline]
fn slot_of(key: &[u8], factor: u32) -> usize {
    let at = |place: usize| u32::from(key[place]);
    let length = key.len();
    let mixed = at(length - 1) | at(length / 2) << 8 | at(length / 4) << 16 | at(length * 3 / 4) << 24;
    ((mixed ^ length as u32).wrapping_mul(factor) >> 24) as usize
}

static PERFECT: LazyLock<PerfectHash> = LazyLock::new(|| {
    let place = |factor: u32| {
        let mut slots = [NO_KEY; SLOTS];
        for (at, promoted) in PROMOTED.iter().enumerate() {
            let slot = &mut slots[slot_of(promoted.key.as_bytes(), factor)];
            if *slot != NO_KEY {
                return None;
            }
            *slot = (promoted.key.as_bytes(), at as u8);
        }
        Some(PerfectHash { factor, slots })
    };
    // Odd factors; a test shows that one of them fits.
    (0..1_000_000_u32)
        .find_map(|attempt| place(attempt.wrapping_mul(0x9e37_79b8) | 1))
        .unwrap_or(PerfectHash { factor: 1, slots: [NO_KEY; SLOTS] })
});

/// Position in [`PROMOTED`] of this key.
#[inline(always)]
pub(crate) fn promoted(key: &[u8]) -> Option<usize> {
    // Shorter keys than any on the list, among them the empty one.
    if key.len() < 8 {
        return None;
    }
    let perfect = &*PERFECT;
    let (found, at) = perfect.slots[slot_of(key, perfect.factor)];
    same(found, key).then_some(usize::from(at))
}

enum PromotedColumn {
    Keyword(Box<Keywords>),
    Text(Texts),
    Int(Values<i64>),
}

/// `attributes`, `dropped_attributes_count` and the promoted columns.
pub(crate) struct RecordAttributes {
    pub json: AttributesColumn,
    dropped: Values<u32>,
    columns: Vec<PromotedColumn>,
    /// Keys of this record that are in their column.
    promoted: u32,
    /// Keys of this record that are in the JSON, for good.
    kept: u32,
}

impl Default for RecordAttributes {
    fn default() -> Self {
        let column = |kind| match kind {
            PromotedType::Keyword => PromotedColumn::Keyword(Box::default()),
            PromotedType::Text => PromotedColumn::Text(Texts::default()),
            PromotedType::Int => PromotedColumn::Int(Values::default()),
        };
        RecordAttributes {
            json: AttributesColumn::default(),
            dropped: Values::default(),
            columns: PROMOTED.iter().map(|promoted| column(promoted.kind)).collect(),
            promoted: 0,
            kept: 0,
        }
    }
}

// The sets of keys above are bits of a u32.
const _: () = assert!(PROMOTED.len() <= 32);

impl RecordAttributes {
    pub fn begin(&mut self, row: usize) {
        self.json.begin(row);
        self.promoted = 0;
        self.kept = 0;
    }

    /// Puts the value of the promoted key `at` into its column; false where it belongs into the JSON.
    pub fn promote(&mut self, row: usize, at: usize, value: Scalar<'_>, notes: &mut Notes) -> bool {
        let bit = 1 << at;
        if self.kept & bit != 0 {
            return false;
        }
        if self.promoted & bit != 0 {
            self.bring_back(row, at, notes);
            return false;
        }
        match (&mut self.columns[at], value) {
            (PromotedColumn::Keyword(column), Scalar::Text(text)) => column.set_raw(row, text, notes),
            (PromotedColumn::Text(column), Scalar::Text(text)) => column.set_raw(row, text, notes),
            (PromotedColumn::Int(column), Scalar::Int(value)) => column.set(row, value),
            _ => {
                self.kept |= bit;
                return false;
            }
        }
        self.promoted |= bit;
        true
    }

    fn bring_back(&mut self, row: usize, at: usize, notes: &mut Notes) {
        self.promoted &= !(1 << at);
        self.kept |= 1 << at;
        let out = self.json.counted_entry();
        write_string(out, PROMOTED[at].key);
        out.push(b':');
        match &mut self.columns[at] {
            PromotedColumn::Keyword(column) => {
                notes.write_text(out, column.get(row).unwrap_or_default());
                column.truncate(row);
            }
            PromotedColumn::Text(column) => {
                notes.write_text(out, column.get(row).unwrap_or_default());
                column.truncate(row);
            }
            PromotedColumn::Int(column) => {
                write_int(out, column.get(row).unwrap_or_default());
                column.truncate(row);
            }
        }
    }

    /// Ends the record; `dropped` is the count its sender gave.
    pub fn end(&mut self, row: usize, dropped: u32) {
        let over = self.json.end();
        self.dropped.set_unless_default(row, dropped.saturating_add(over));
    }

    pub fn truncate(&mut self, rows: usize) {
        self.json.text.truncate(rows);
        self.dropped.truncate(rows);
        for column in &mut self.columns {
            match column {
                PromotedColumn::Keyword(column) => column.truncate(rows),
                PromotedColumn::Text(column) => column.truncate(rows),
                PromotedColumn::Int(column) => column.truncate(rows),
            }
        }
    }

    pub fn mark(&mut self) {
        for column in &mut self.columns {
            if let PromotedColumn::Keyword(column) = column {
                column.mark();
            }
        }
    }

    pub fn roll_back(&mut self, rows: usize) {
        self.truncate(rows);
        for column in &mut self.columns {
            if let PromotedColumn::Keyword(column) = column {
                column.roll_back(rows);
            }
        }
    }

    pub fn freeze(&mut self, assembly: &mut Assembly) -> Result<(), ArrowError> {
        assembly.texts("attributes", &mut self.json.text)?;
        assembly.numbers("dropped_attributes_count", &mut self.dropped)?;
        for (promoted, column) in PROMOTED.iter().zip(&mut self.columns) {
            match column {
                PromotedColumn::Keyword(column) => assembly.keywords(promoted.column, column)?,
                PromotedColumn::Text(column) => assembly.texts(promoted.column, column)?,
                PromotedColumn::Int(column) => assembly.numbers(promoted.column, column)?,
            }
        }
        Ok(())
    }

    /// Counts an attribute against the limit; false beyond it.
    #[inline]
    pub fn count(&mut self, notes: &mut Notes) -> bool {
        self.json.count(notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_perfect_hash_knows_every_key_and_no_other() {
        for (at, entry) in PROMOTED.iter().enumerate() {
            assert_eq!(promoted(entry.key.as_bytes()), Some(at), "{}", entry.key);
            assert_eq!(promoted(&entry.key.as_bytes()[..entry.key.len() - 1]), None);
        }
        for other in ["", "x", "http.rout", "http.routes", "1234567", "12345678"] {
            assert_eq!(promoted(other.as_bytes()), None, "{other}");
        }
    }
}
