//! Which parts of a text matched the query: marked in rows, never as HTML.

/// A word or phrase of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Lower-cased text.
    pub text: String,
    /// Whether letters and digits may stand before it (`*fused`).
    pub open_before: bool,
    /// Whether letters and digits may stand behind it (`conn*`).
    pub open_behind: bool,
}

/// The words of a query that free text is searched for: bare words and phrases that are not negated.
/// Field terms (`service:checkout`) name no text of the body, except `body:`.
pub fn words(query: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut negated = false;
    for token in tokens(query) {
        let (minus, token) = match token.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, token),
        };
        match token {
            "AND" | "OR" => {}
            "NOT" => negated = true,
            _ => {
                let value = token.strip_prefix("body:").unwrap_or(token);
                let is_quoted = value.starts_with('"');
                let text = value.trim_matches(['"', '*']);
                let is_field = !is_quoted && value.contains(':');
                if !negated && !minus && !is_field && !text.is_empty() {
                    found.push(Word {
                        text: text.to_lowercase(),
                        open_before: !is_quoted && value.starts_with('*'),
                        open_behind: !is_quoted && value.ends_with('*'),
                    });
                }
                negated = false;
            }
        }
    }
    found
}

/// Splits at spaces and parentheses outside quotes.
fn tokens(query: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = None;
    let mut quoted = false;
    for (at, c) in query.char_indices() {
        if c == '"' {
            quoted = !quoted;
        }
        let splits = !quoted && (c.is_whitespace() || c == '(' || c == ')');
        match (splits, start) {
            (true, Some(begin)) => {
                found.push(&query[begin..at]);
                start = None;
            }
            (false, None) => start = Some(at),
            _ => {}
        }
    }
    found.extend(start.map(|begin| &query[begin..]));
    found
}

/// The text in pieces; `true` marks the pieces that match a word, whatever their case.
pub fn pieces<'a>(text: &'a str, words: &[Word]) -> Vec<(bool, &'a str)> {
    let mut out = Vec::new();
    let mut done = 0;
    let mut at = 0;
    let mut before = ' ';
    while at < text.len() && !words.is_empty() {
        let rest = &text[at..];
        let matched = words.iter().filter_map(|word| matched(rest, before, word)).max();
        let length = match matched {
            Some(length) => {
                if done < at {
                    out.push((false, &text[done..at]));
                }
                out.push((true, &rest[..length]));
                done = at + length;
                length
            }
            None => rest.chars().next().map_or(1, char::len_utf8),
        };
        before = rest[..length].chars().next_back().unwrap_or(' ');
        at += length;
    }
    if done < text.len() {
        out.push((false, &text[done..]));
    }
    out
}

/// Length in bytes of the head of `text` that is the word, with the bounds the word asks for.
fn matched(text: &str, before: char, word: &Word) -> Option<usize> {
    if !word.open_before && before.is_alphanumeric() && word.text.starts_with(char::is_alphanumeric) {
        return None;
    }
    let length = matched_length(text, &word.text)?;
    let behind = text[length..].chars().next().unwrap_or(' ');
    let is_cut = !word.open_behind && behind.is_alphanumeric() && word.text.ends_with(char::is_alphanumeric);
    (!is_cut && length > 0).then_some(length)
}

/// Length in bytes of the head of `text` that equals the lower-cased `word`.
fn matched_length(text: &str, word: &str) -> Option<usize> {
    let mut rest = text.char_indices();
    let mut wanted = word.chars().peekable();
    while wanted.peek().is_some() {
        let (_, c) = rest.next()?;
        for lower in c.to_lowercase() {
            if wanted.next() != Some(lower) {
                return None;
            }
        }
    }
    Some(rest.next().map_or(text.len(), |(at, _)| at))
}

/// Whether the text holds the lower-cased needle; ASCII compares without case, other letters as they are.
pub fn contains(text: &str, needle: &str) -> bool {
    let (text, needle) = (text.as_bytes(), needle.as_bytes());
    let Some(first) = needle.first() else { return true };
    let upper = first.to_ascii_uppercase();
    (0..text.len().saturating_sub(needle.len() - 1))
        .any(|at| (text[at] == *first || text[at] == upper) && text[at..at + needle.len()].eq_ignore_ascii_case(needle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_queries() {
        let check = |query: &str, expect: &[&str]| {
            let found: Vec<String> = words(query).into_iter().map(|word| word.text).collect();
            assert_eq!(found, expect, "{query}");
        };
        check("service:checkout \"Timed Out\"", &["timed out"]);
        check("foo AND (bar OR baz*)", &["foo", "bar", "baz"]);
        check("foo -bar NOT baz -severity:info", &["foo"]);
        check("body:refused \"a:b\"", &["refused", "a:b"]);
        check("\"unclosed phrase", &["unclosed phrase"]);
        check("", &[]);
        check("-", &[]);
    }

    #[test]
    fn pieces_cover_the_text() {
        let check = |text: &str, words: &[&str], expect: &[(bool, &str)]| {
            let words: Vec<Word> = words.iter().flat_map(|word| super::words(word)).collect();
            assert_eq!(pieces(text, &words), expect, "{text}");
        };
        check("Read Timed Out.", &["\"timed out\""], &[(false, "Read "), (true, "Timed Out"), (false, ".")]);
        check("aaa", &["a*", "aa*"], &[(true, "aa"), (false, "a")]);
        check("Timeout out", &["out"], &[(false, "Timeout "), (true, "out")]);
        check("Timeout out", &["*out"], &[(false, "Time"), (true, "out"), (false, " "), (true, "out")]);
        check("connect con", &["con"], &[(false, "connect "), (true, "con")]);
        check("İx", &["x"], &[(false, "İx")]);
        check("ÜBER", &["über"], &[(true, "ÜBER")]);
        check("", &["x"], &[]);
        check("x", &[], &[(false, "x")]);
        check("short", &["shorter"], &[(false, "short")]);
    }

    #[test]
    fn needles() {
        assert!(contains("POST /api/Pay", "/api/pay"));
        assert!(!contains("pa", "pay"));
        assert!(contains("x", ""));
    }
}
