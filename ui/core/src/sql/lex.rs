//! SQL in pieces, for colours and completion. Any text has pieces; none of them is an error.

use std::ops::Range;

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LexemeKind {
    /// A word of the language.
    Keyword,
    /// A name, bare or in double quotes.
    Name,
    /// A text in single quotes.
    Text,
    /// A number.
    Number,
    /// A comment.
    Comment,
    /// Anything else: an operator, a bracket, a comma.
    Mark,
}

/// A piece and where it stands; between pieces there is only space.
pub type Lexeme = (LexemeKind, Range<usize>);

/// Words of the language that are worth a colour and a completion.
pub(super) const KEYWORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "LIMIT",
    "HAVING",
    "DISTINCT",
    "AS",
    "AND",
    "OR",
    "NOT",
    "IN",
    "IS",
    "NULL",
    "LIKE",
    "ILIKE",
    "BETWEEN",
    "JOIN",
    "LEFT JOIN",
    "INNER JOIN",
    "CROSS JOIN",
    "FULL JOIN",
    "ON",
    "USING",
    "UNION ALL",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "CAST",
    "INTERVAL",
    "TRUE",
    "FALSE",
    "ASC",
    "DESC",
    "NULLS LAST",
    "NULLS FIRST",
    "WITH",
    "OVER",
    "PARTITION BY",
    "OFFSET",
    "EXISTS",
    "FILTER",
    "EXPLAIN",
    "EXTRACT",
    "TIMESTAMP",
];

/// The pieces of a text.
pub fn lex(text: &str) -> Vec<Lexeme> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = match c {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '\'' | '"' => quoted_length(rest, c),
            c if c.is_ascii_digit() => {
                rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(rest.len())
            }
            c if is_name(c) => rest.find(|c: char| !is_name(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        found.push((kind(c, &rest[..length]), at..at + length));
        at += length;
    }
    found
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn kind(first: char, piece: &str) -> LexemeKind {
    match first {
        '\'' => LexemeKind::Text,
        '"' => LexemeKind::Name,
        '-' | '/' if piece.len() > 1 => LexemeKind::Comment,
        c if c.is_ascii_digit() => LexemeKind::Number,
        c if is_name(c) && is_keyword(piece) => LexemeKind::Keyword,
        c if is_name(c) => LexemeKind::Name,
        _ => LexemeKind::Mark,
    }
}

pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.split(' ').any(|part| part.eq_ignore_ascii_case(word)))
}

/// Length of what a quote begins; a doubled quote belongs to it, an unclosed one reaches to the end.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces() {
        let check = |text: &str, expect: &[(LexemeKind, &str)]| {
            let found: Vec<_> = lex(text).into_iter().map(|(kind, range)| (kind, &text[range])).collect();
            assert_eq!(found, expect, "{text}");
        };
        use LexemeKind::*;
        check(
            "select count(*) from logs",
            &[
                (Keyword, "select"),
                (Name, "count"),
                (Mark, "("),
                (Mark, "*"),
                (Mark, ")"),
                (Keyword, "from"),
                (Name, "logs"),
            ],
        );
        check("'it''s' \"a\"\"b\" x", &[(Text, "'it''s'"), (Name, "\"a\"\"b\""), (Name, "x")]);
        check(
            "1.5e3>2 -- tail\n/* b */'",
            &[(Number, "1.5e3"), (Mark, ">"), (Number, "2"), (Comment, "-- tail"), (Comment, "/* b */"), (Text, "'")],
        );
        check("日本 - /", &[(Name, "日本"), (Mark, "-"), (Mark, "/")]);
        check("/* open", &[(Comment, "/* open")]);
        check("", &[]);
    }
}
