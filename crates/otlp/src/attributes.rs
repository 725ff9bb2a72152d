//! Places attributes go to: the JSON of a row, or a text with its entries sorted.

use crate::columns::Texts;
use crate::notes::{Notes, Warning};

/// Where a walker writes key-value lists: it asks for an entry and appends `"key":value`.
pub(crate) trait Entries {
    /// Room for the next entry; none where the limit is reached and the entry only counts as dropped.
    fn entry(&mut self, notes: &mut Notes) -> Option<&mut Vec<u8>>;
}

/// An `attributes` column.
#[derive(Default)]
pub(crate) struct AttributesColumn {
    pub text: Texts,
    entries: u32,
    over: u32,
}

impl AttributesColumn {
    pub fn begin(&mut self, row: usize) {
        self.text.open(row);
        self.entries = 0;
        self.over = 0;
    }

    /// Counts an attribute that goes elsewhere; false beyond the limit.
    #[inline]
    pub fn count(&mut self, notes: &mut Notes) -> bool {
        self.entries += 1;
        let fits = self.entries <= notes.limits.attributes_max;
        if !fits {
            self.over += 1;
            notes.warn(Warning::AttributesCut);
        }
        fits
    }

    /// Room for an entry that has been counted.
    #[inline]
    pub fn counted_entry(&mut self) -> &mut Vec<u8> {
        let first = self.text.open_bytes() == 0;
        self.text.bytes.push(if first { b'{' } else { b',' });
        &mut self.text.bytes
    }

    /// Ends the row, null without entries; how many attributes the limit dropped.
    #[inline]
    pub fn end(&mut self) -> u32 {
        if self.text.open_bytes() > 0 {
            self.text.bytes.push(b'}');
            self.text.close();
        }
        self.over
    }
}

impl Entries for AttributesColumn {
    #[inline]
    fn entry(&mut self, notes: &mut Notes) -> Option<&mut Vec<u8>> {
        self.count(notes).then(|| self.counted_entry())
    }
}

/// A key-value list that identifies something (resource, scope, series): its text has the entries sorted by key,
/// equal keys in the order sent, so that the order in which a client sends them makes no difference.
#[derive(Default)]
pub(crate) struct SortedAttributes {
    text: Vec<u8>,
    /// Start of each entry.
    starts: Vec<u32>,
    sorted: Vec<u8>,
    order: Vec<u32>,
    pub over: u32,
}

impl SortedAttributes {
    pub fn clear(&mut self) {
        self.text.clear();
        self.starts.clear();
        self.over = 0;
    }

    /// Each entry's raw text, `"key":value`.
    fn raw(&self, entry: usize) -> &[u8] {
        let end = self.starts.get(entry + 1).map_or(self.text.len(), |next| *next as usize - 1);
        &self.text[self.starts[entry] as usize..end]
    }

    /// The object's text, to be asked for once; empty without entries.
    pub fn finish(&mut self) -> &[u8] {
        let mut in_order = true;
        let mut previous: &[u8] = &[];
        for entry in 0..self.starts.len() {
            let key = raw_key(self.raw(entry));
            in_order &= previous <= key;
            previous = key;
        }
        if in_order {
            if !self.starts.is_empty() {
                self.text.push(b'}');
            }
            return &self.text;
        }
        let mut sorted = std::mem::take(&mut self.sorted);
        let mut order = std::mem::take(&mut self.order);
        sorted.clear();
        order.clear();
        order.extend(0..self.starts.len() as u32);
        order.sort_by_key(|entry| raw_key(self.raw(*entry as usize)));
        for (at, entry) in order.iter().enumerate() {
            sorted.push(if at == 0 { b'{' } else { b',' });
            sorted.extend_from_slice(self.raw(*entry as usize));
        }
        sorted.push(b'}');
        self.sorted = sorted;
        self.order = order;
        &self.sorted
    }
}

impl Entries for SortedAttributes {
    #[inline]
    fn entry(&mut self, notes: &mut Notes) -> Option<&mut Vec<u8>> {
        if self.starts.len() >= notes.limits.attributes_max as usize {
            self.over += 1;
            notes.warn(Warning::AttributesCut);
            return None;
        }
        self.text.push(if self.starts.is_empty() { b'{' } else { b',' });
        self.starts.push(self.text.len() as u32);
        Some(&mut self.text)
    }
}

/// The key of `"key":value`, still escaped, without its quotes.
fn raw_key(entry: &[u8]) -> &[u8] {
    let bytes = &entry[1..];
    let mut at = 0;
    while bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    &bytes[..at]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecodeLimits;

    #[test]
    fn sorted_texts_do_not_depend_on_the_order_sent() {
        let mut notes = Notes::new(DecodeLimits { attributes_max: 4, ..DecodeLimits::default() }, 0);
        let mut attributes = SortedAttributes::default();
        let mut check = |entries: &[&str], expect: &str| {
            attributes.clear();
            for entry in entries {
                if let Some(out) = attributes.entry(&mut notes) {
                    out.extend_from_slice(entry.as_bytes());
                }
            }
            assert_eq!(attributes.finish(), expect.as_bytes());
        };
        check(&[], "");
        check(&[r#""a":1"#, r#""b":2"#], r#"{"a":1,"b":2}"#);
        check(&[r#""b":2"#, r#""a\"c":3"#, r#""a":1"#, r#""b":1"#], r#"{"a":1,"a\"c":3,"b":2,"b":1}"#);
        check(&[r#""e":1"#, r#""d":1"#, r#""c":1"#, r#""b":1"#, r#""a":1"#], r#"{"b":1,"c":1,"d":1,"e":1}"#);
    }
}
