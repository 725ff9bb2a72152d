//! Which parts of a text matched the query: marked in rows, never as HTML.

/// The words of a query that free text is searched for, lower-cased: bare words and phrases that are not negated.
/// Field terms (`service:checkout`) name no text of the body, except `body:`.
pub fn words(query: &str) -> Vec<String> {
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
                let text = value.trim_matches(['"', '*', '(', ')']);
                let is_field = !value.starts_with('"') && value.contains(':');
                if !negated && !minus && !is_field && !text.is_empty() {
                    found.push(text.to_lowercase());
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
pub fn pieces<'a>(text: &'a str, words: &[String]) -> Vec<(bool, &'a str)> {
    let mut out = Vec::new();
    let mut done = 0;
    let mut at = 0;
    while at < text.len() && !words.is_empty() {
        let matched = words.iter().filter_map(|word| matched_length(&text[at..], word)).max();
        if let Some(length) = matched {
            if done < at {
                out.push((false, &text[done..at]));
            }
            out.push((true, &text[at..at + length]));
            at += length;
            done = at;
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    if done < text.len() {
        out.push((false, &text[done..]));
    }
    out
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
    (0..text.len().saturating_sub(needle.len() - 1)).any(|at| {
        (text[at] == *first || text[at] == upper) && text[at..at + needle.len()].eq_ignore_ascii_case(needle)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_queries() {
        let check = |query: &str, expect: &[&str]| assert_eq!(words(query), expect, "{query}");
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
            let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
            assert_eq!(pieces(text, &words), expect, "{text}");
        };
        check("Read Timed Out.", &["timed out"], &[(false, "Read "), (true, "Timed Out"), (false, ".")]);
        check("aaa", &["a", "aa"], &[(true, "aa"), (true, "a")]);
        check("İx", &["x"], &[(false, "İ"), (true, "x")]);
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
