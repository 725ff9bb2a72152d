//! Records that cannot be stored, by reason.

use std::collections::BTreeMap;

/// Characters of a detail that is kept.
const DETAIL_CHARS_MAX: usize = 200;

/// Why a record is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Its time is none, or beyond the year 2262.
    InvalidTime,
    /// A trace or span id that it needs is none.
    InvalidId,
    /// A field has the wrong type or form.
    InvalidValue,
    /// It is larger than a record may be.
    TooLarge,
    /// What it asks for is not done here, or OTLP has no place for it.
    Unsupported,
}

impl Reason {
    /// The name in the ledger and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Reason::InvalidTime => "invalid_time",
            Reason::InvalidId => "invalid_id",
            Reason::InvalidValue => "invalid_value",
            Reason::TooLarge => "record_too_large",
            Reason::Unsupported => "unsupported",
        }
    }
}

/// How many records were turned away, and why the first of them was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TurnedAway {
    counts: BTreeMap<Reason, u32>,
    first: Option<String>,
}

impl TurnedAway {
    pub(crate) fn add(&mut self, reason: Reason, detail: &str) {
        self.add_many(reason, 1, detail);
    }

    pub(crate) fn add_many(&mut self, reason: Reason, count: u32, detail: &str) {
        if count == 0 {
            return;
        }
        let total = self.counts.entry(reason).or_default();
        *total = total.saturating_add(count);
        self.first.get_or_insert_with(|| detail.chars().take(DETAIL_CHARS_MAX).collect());
    }

    /// Records in all.
    pub fn count(&self) -> u32 {
        self.counts.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Records by reason.
    pub fn by_reason(&self) -> impl Iterator<Item = (Reason, u32)> {
        self.counts.iter().map(|(reason, count)| (*reason, *count))
    }

    /// A sentence for a person who reads a client's log; empty where nothing was turned away.
    pub fn sentence(&self, noun: &str, of: u32) -> String {
        match (&self.first, self.count()) {
            (Some(first), count) => format!("{count} of {of} {noun} are not stored: {first}"),
            (None, _) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_turned_away_is_counted_and_the_first_is_told() {
        let mut away = TurnedAway::default();
        assert_eq!((away.count(), away.sentence("entries", 3)), (0, String::new()));
        away.add(Reason::InvalidTime, "no time");
        away.add(Reason::InvalidTime, "still no time");
        away.add_many(Reason::TooLarge, 0, "nothing");
        assert_eq!(away.by_reason().collect::<Vec<_>>(), [(Reason::InvalidTime, 2)]);
        assert_eq!(away.sentence("entries", 3), "2 of 3 entries are not stored: no time");
        away.add_many(Reason::TooLarge, u32::MAX, &"x".repeat(1000));
        assert_eq!(away.count(), u32::MAX);
    }
}
