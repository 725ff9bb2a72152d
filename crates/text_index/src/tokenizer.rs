//! The tokenizer, shared by the index, by queries and by whoever verifies a match: its rules are the meaning
//! of full-text search.
//!
//! 1. A token is a longest run of alphanumeric characters (Unicode's Alphabetic and Numeric); everything else
//!    parts tokens: `user_id=42` is `user`, `id`, `42`.
//! 2. Tokens are lower-cased character by character, whatever stands beside it; final sigma (`ς`) becomes `σ`,
//!    and what lower-casing adds that is not alphanumeric (the dot of `İ`) is dropped.
//! 3. An ideograph or kana is a token by itself, since these scripts have no spaces.
//! 4. A UUID in its usual form (8-4-4-4-12 hex digits with dashes, nothing alphanumeric beside it) is one token,
//!    dashes included.
//!
//! Making tokens of a token gives that token again, so a query may tokenize what a user typed.

use std::borrow::Cow;

/// Longest token in the term dictionary, in bytes.
pub(crate) const INDEXED_BYTES_MAX: usize = 64;

const DIGIT: u8 = 1;
const HEX_LETTER: u8 = 2;
const OTHER_LETTER: u8 = 4;
const UPPER: u8 = 8;
const NOT_ASCII: u8 = 16;

/// What each byte is; 0 parts tokens.
const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        class[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' => HEX_LETTER,
            b'A'..=b'F' => HEX_LETTER | UPPER,
            b'g'..=b'z' => OTHER_LETTER,
            b'G'..=b'Z' => OTHER_LETTER | UPPER,
            128.. => NOT_ASCII,
            _ => 0,
        };
        byte += 1;
    }
    class
};

/// Bytes of a UUID with dashes.
const UUID_BYTES: usize = 36;

/// Calls `emit` with each token of the text, in order, repeats included.
pub fn tokens(text: &str, mut emit: impl FnMut(&str)) {
    let bytes = text.as_bytes();
    let mut scratch = String::new();
    let mut at = 0;
    while let Some(skipped) = bytes[at..].iter().position(|byte| CLASS[usize::from(*byte)] != 0) {
        let start = at + skipped;
        let (end, seen) = ascii_run(bytes, start);
        if bytes.get(end).is_some_and(|byte| !byte.is_ascii()) {
            at = unicode_run(text, start, &mut scratch, &mut emit);
            continue;
        }
        at = end;
        if end - start == 8 && seen & OTHER_LETTER == 0 && is_uuid(text, start) {
            at = start + UUID_BYTES;
        }
        emit(&lower(&text[start..at], &mut scratch));
    }
}

/// The end of the run of ASCII letters and digits, and the classes seen in it.
fn ascii_run(bytes: &[u8], start: usize) -> (usize, u8) {
    let mut seen = 0;
    let mut end = start;
    while let Some(byte) = bytes.get(end) {
        let class = CLASS[usize::from(*byte)];
        if class == 0 || class == NOT_ASCII {
            break;
        }
        seen |= class;
        end += 1;
    }
    (end, seen)
}

/// ASCII text in lower case, without a copy where it is that already.
fn lower<'a>(text: &'a str, scratch: &'a mut String) -> Cow<'a, str> {
    if !text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    scratch.clear();
    scratch.push_str(text);
    scratch.make_ascii_lowercase();
    Cow::Borrowed(scratch)
}

/// Whether a UUID begins here; the eight bytes at `start` are hex digits already.
fn is_uuid(text: &str, start: usize) -> bool {
    let Some(uuid) = text.as_bytes().get(start..start + UUID_BYTES) else { return false };
    let fits = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    // All of it is ASCII then, so the rest begins at a character.
    let ends = || text[start + UUID_BYTES..].chars().next().is_none_or(|next| !next.is_alphanumeric());
    uuid.iter().enumerate().skip(8).all(fits) && ends()
}

/// The tokens of a run that holds characters beyond ASCII; returns where it ends.
fn unicode_run(text: &str, start: usize, scratch: &mut String, emit: &mut impl FnMut(&str)) -> usize {
    scratch.clear();
    for (offset, character) in text[start..].char_indices() {
        let stands_alone = is_ideograph(character);
        if (stands_alone || !character.is_alphanumeric()) && !scratch.is_empty() {
            emit(scratch);
            scratch.clear();
        }
        if stands_alone {
            emit(character.encode_utf8(&mut [0; 4]));
        } else if character.is_alphanumeric() {
            scratch.extend(character.to_lowercase().filter(|lower| lower.is_alphanumeric()).map(fold_sigma));
        } else {
            return start + offset + character.len_utf8();
        }
    }
    if !scratch.is_empty() {
        emit(scratch);
    }
    text.len()
}

fn fold_sigma(character: char) -> char {
    if character == 'ς' { 'σ' } else { character }
}

/// Kana and Han characters.
fn is_ideograph(character: char) -> bool {
    matches!(character,
        '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
        && character.is_alphanumeric()
}

/// Why a token is kept in a block's bloom instead of the term dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In the term dictionary.
    Indexed,
    /// A UUID, hex digits with a letter and a digit (8 or more), hex digits (16 or more), digits (10 or more).
    IdLike,
    /// More than [`INDEXED_BYTES_MAX`] bytes and not id-like.
    Long,
}

/// What becomes of a token in the index.
pub(crate) fn kind(token: &str) -> Kind {
    let mut seen = 0;
    let has_dash = token.len() == UUID_BYTES && token.as_bytes()[8] == b'-';
    for byte in token.bytes() {
        seen |= CLASS[usize::from(byte)];
        if seen & (OTHER_LETTER | NOT_ASCII) != 0 {
            return if token.len() > INDEXED_BYTES_MAX { Kind::Long } else { Kind::Indexed };
        }
    }
    let is_id = match (seen & DIGIT != 0, seen & HEX_LETTER != 0) {
        (true, true) => token.len() >= 8,
        (true, false) => token.len() >= 10,
        _ => token.len() >= 16,
    };
    if is_id || has_dash { Kind::IdLike } else { Kind::Indexed }
}

/// Whether tokens like this one are in the term dictionary, so that a look-up is exact. UUIDs, hex of 16
/// digits (8 where letters and digits are mixed), numbers of 10 digits and tokens over 64 bytes are too many
/// and too rare for it: they are in a bloom of their block, and a look-up names one block in 1,700 too many.
pub fn is_indexed(token: &str) -> bool {
    kind(token) == Kind::Indexed
}

/// Whether an id-like token can begin with this.
pub(crate) fn may_begin_id(prefix: &str) -> bool {
    prefix.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        let mut list = Vec::new();
        tokens(text, |token| list.push(token.to_owned()));
        list
    }

    #[test]
    fn text_becomes_tokens() {
        let check = |text: &str, expect: &[&str]| assert_eq!(list(text), expect, "{text:?}");
        check("", &[]);
        check("  --  ", &[]);
        check("GET /api/Users?id=42", &["get", "api", "users", "id", "42"]);
        check("a", &["a"]);
        check("user_id", &["user", "id"]);
        check("12.5ms", &["12", "5ms"]);
        check("Größe ÜBER İstanbul", &["größe", "über", "istanbul"]);
        check("ΟΔΟΣ οδος", &["οδοσ", "οδοσ"]);
        check("abcé-x", &["abcé", "x"]);
        check("é", &["é"]);
        check("xé y", &["xé", "y"]);
        check("日本語 log を出す", &["日", "本", "語", "log", "を", "出", "す"]);
        check("abc日本x", &["abc", "日", "本", "x"]);
        check("naïve\u{301}x", &["naïve", "x"]);
        check("тест123", &["тест123"]);
    }

    #[test]
    fn a_uuid_is_one_token() {
        let check = |text: &str, expect: &[&str]| assert_eq!(list(text), expect, "{text:?}");
        let uuid = "550e8400-e29b-41d4-a716-446655440000";
        check(uuid, &[uuid]);
        check("id=550E8400-E29B-41D4-A716-446655440000;", &["id", uuid]);
        check(&format!("{uuid}x"), &["550e8400", "e29b", "41d4", "a716", "446655440000x"]);
        check(&format!("{uuid}é"), &["550e8400", "e29b", "41d4", "a716", "446655440000é"]);
        check(&format!("x{uuid}"), &["x550e8400", "e29b", "41d4", "a716", "446655440000"]);
        check(&format!("{uuid}-{uuid}"), &[uuid, uuid]);
        check("550e8400-e29b-41d4-a716-44665544000", &["550e8400", "e29b", "41d4", "a716", "44665544000"]);
        check("550e8400-é", &["550e8400", "é"]);
        check(&format!("{uuid}…"), &[uuid]);
        check("550e8400-e29b-41d4-a716-44665544000é", &["550e8400", "e29b", "41d4", "a716", "44665544000é"]);
    }

    #[test]
    fn tokens_of_a_token_are_that_token() {
        for character in (0..=0x10_ffff).filter_map(char::from_u32) {
            for token in list(&format!("x{character}1 {character}")) {
                assert_eq!(list(&token), std::slice::from_ref(&token), "{character:?}");
                assert!(!token.is_empty());
            }
        }
    }

    #[test]
    fn ids_are_told_from_words() {
        let check = |token: &str, expect: Kind| assert_eq!(kind(token), expect, "{token}");
        check("error", Kind::Indexed);
        check("404", Kind::Indexed);
        check("20261121", Kind::Indexed);
        check("deadbeef", Kind::Indexed);
        check("e29b", Kind::Indexed);
        check("1a2b3c4d", Kind::IdLike);
        check("1795289400", Kind::IdLike);
        check("deadbeefdeadbeef", Kind::IdLike);
        check("4bf92f3577b34da6a3ce929d0e0e4736", Kind::IdLike);
        check("550e8400-e29b-41d4-a716-446655440000", Kind::IdLike);
        check("12345678-1234-1234-1234-123456789012", Kind::IdLike);
        check(&"z".repeat(64), Kind::Indexed);
        check(&"z".repeat(65), Kind::Long);
        check(&"é".repeat(33), Kind::Long);
        check(&"7".repeat(65), Kind::IdLike);
    }
}
