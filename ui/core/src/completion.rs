//! Completion of what is being typed: which word stands at the caret, and what it may become.
//!
//! A caret is a byte offset here; the browser counts in UTF-16, and [`byte_offset`] and [`utf16_offset`] translate.

use std::ops::Range;

/// Candidates offered at a time.
pub const CANDIDATES_MAX: usize = 50;

/// One thing a word may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What is shown and compared.
    pub text: String,
    /// What is put in its place.
    pub insert: String,
    /// What it is, in a word or two.
    pub detail: String,
}

impl Candidate {
    /// A candidate that is inserted as it is shown.
    pub fn new(text: &str, detail: &str) -> Candidate {
        Candidate { text: text.to_owned(), insert: text.to_owned(), detail: detail.to_owned() }
    }
}

/// What can be done at a caret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completion {
    /// The piece of the text that a candidate replaces.
    pub range: Range<usize>,
    /// The best first.
    pub candidates: Vec<Candidate>,
}

/// Those candidates that hold the word, whatever its case: equal beginnings first, each group in the given order. A
/// word that is already whole leaves nothing to offer.
pub fn matching(word: &str, candidates: impl IntoIterator<Item = Candidate>) -> Vec<Candidate> {
    let word = word.to_lowercase();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for candidate in candidates {
        match candidate.text.to_lowercase().find(&word) {
            Some(0) => first.push(candidate),
            Some(_) => second.push(candidate),
            None => {}
        }
    }
    first.append(&mut second);
    first.truncate(CANDIDATES_MAX);
    match first.as_slice() {
        [only] if only.insert == word || only.text.eq_ignore_ascii_case(&word) => Vec::new(),
        _ => first,
    }
}

/// The byte offset of a UTF-16 offset; the end where that lies beyond.
pub fn byte_offset(text: &str, utf16: usize) -> usize {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        if units >= utf16 {
            return at;
        }
        units += c.len_utf16();
    }
    text.len()
}

/// The UTF-16 offset of a byte offset.
pub fn utf16_offset(text: &str, byte: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < byte).map(|(_, c)| c.len_utf16()).sum()
}

/// Line and column, in characters from zero, of a byte offset.
pub fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.char_indices().take_while(|(at, _)| *at < byte);
    before.fold((0, 0), |(line, column), (_, c)| if c == '\n' { (line + 1, 0) } else { (line, column + 1) })
}

/// Completion in a filter over labels (`http.route:"/cart" -service.name:x`): names of labels, then values of the
/// label in front of the colon. `values` gives those of a label, most frequent first.
pub fn filter(text: &str, caret: usize, names: &[String], values: impl Fn(&str) -> Vec<String>) -> Completion {
    let caret = floor_boundary(text, caret);
    let start = word_start(&text[..caret]);
    let word = text[start..caret].trim_start_matches(['-', '(']);
    let start = caret - word.len();
    match word.split_once(':') {
        None => {
            let candidates = names.iter().map(|name| Candidate {
                text: name.clone(),
                insert: format!("{name}:"),
                detail: "label".to_owned(),
            });
            Completion { range: start..caret, candidates: matching(word, candidates) }
        }
        Some((name, typed)) => {
            let plain = typed.trim_start_matches(['"', '>', '<', '=']);
            let known = values(name).into_iter().map(|value| {
                let term = crate::fields::filter_term("", &value, false);
                Candidate {
                    insert: term.strip_prefix(':').unwrap_or(&term).to_owned(),
                    text: value,
                    detail: name.to_owned(),
                }
            });
            let typed_length = typed.len() - typed.trim_start_matches(['>', '<', '=']).len();
            let start = start + name.len() + 1 + typed_length;
            Completion { range: start..caret, candidates: matching(plain.trim_end_matches('"'), known) }
        }
    }
}

/// Where the word that ends the text begins; spaces inside quotes belong to it.
fn word_start(text: &str) -> usize {
    let (mut start, mut quoted) = (0, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => start = at + c.len_utf8(),
            _ => {}
        }
    }
    start
}

/// The nearest place before or at the offset that lies between characters.
pub(crate) fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_translate() {
        let text = "a日\u{1f40b}\nx";
        for (byte, utf16) in [(0, 0), (1, 1), (4, 2), (8, 4), (9, 5), (10, 6)] {
            assert_eq!(utf16_offset(text, byte), utf16);
            assert_eq!(byte_offset(text, utf16), byte);
        }
        assert_eq!(byte_offset(text, 99), text.len());
        assert_eq!(line_and_column(text, 9), (1, 0));
        assert_eq!(line_and_column(text, 4), (0, 2));
    }

    #[test]
    fn beginnings_come_first() {
        let all = ["service_name", "name", "body"].map(|text| Candidate::new(text, ""));
        let found = |word: &str| matching(word, all.clone()).into_iter().map(|c| c.text).collect::<Vec<_>>();
        assert_eq!(found("na"), ["name", "service_name"]);
        assert_eq!(found("BO"), ["body"]);
        assert_eq!(found("body"), Vec::<String>::new());
        assert_eq!(found("").len(), 3);
    }

    #[test]
    fn filters_complete_names_and_values() {
        let names = ["http.route".to_owned(), "service.name".to_owned()];
        let values = |name: &str| match name {
            "http.route" => vec!["/cart".to_owned(), "/cart/{id}".to_owned()],
            _ => Vec::new(),
        };
        let check = |text: &str, range: Range<usize>, expect: &[&str]| {
            let found = filter(text, text.len(), &names, values);
            let inserts: Vec<&str> = found.candidates.iter().map(|c| c.insert.as_str()).collect();
            assert_eq!((found.range, inserts.as_slice()), (range, expect), "{text}");
        };
        check("", 0..0, &["http.route:", "service.name:"]);
        check("ser", 0..3, &["service.name:"]);
        check("a:b -ht", 5..7, &["http.route:"]);
        check("(ht", 1..3, &["http.route:"]);
        check("http.route:/c", 11..13, &["/cart", "\"/cart/{id}\""]);
        check("http.route:\"/cart/", 11..18, &["\"/cart/{id}\""]);
        check("x:\"a b", 2..6, &[]);
        check("日 ser", 4..7, &["service.name:"]);
    }
}
