//! Cuts a filter's text into lexemes. It never fails: what is wrong is found by the parser, so that a query bar can
//! colour a text that is still being typed.

use std::ops::Range;

/// What a lexeme is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LexemeKind {
    /// `(`
    Open,
    /// `)`
    Close,
    /// `AND`
    And,
    /// `OR`
    Or,
    /// `NOT`, or `-` directly before a term.
    Not,
    /// A field's name with its colon, up to where the value begins.
    Field,
    /// `<`, `<=`, `>`, `>=` after a field.
    Comparison,
    /// A word, or a value without quotes.
    Word,
    /// A text in quotes, quotes included; the closing one may be missing.
    Quoted,
}

/// A piece of a filter's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lexeme {
    /// What it is.
    pub kind: LexemeKind,
    /// Where it stands, in bytes.
    pub range: Range<usize>,
}

/// Cuts the text; white space lies between lexemes.
pub fn lex(text: &str) -> Vec<Lexeme> {
    let mut lexer = Lexer { text, at: 0, lexemes: Vec::new() };
    while lexer.skip_space() {
        lexer.next_lexeme();
    }
    lexer.lexemes
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    lexemes: Vec<Lexeme>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Moves to the next lexeme; false at the end.
    fn skip_space(&mut self) -> bool {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.at < self.text.len()
    }

    fn push(&mut self, kind: LexemeKind, length: usize) {
        self.lexemes.push(Lexeme { kind, range: self.at..self.at + length });
        self.at += length;
    }

    fn next_lexeme(&mut self) {
        let rest = self.rest();
        let follows_field = self.lexemes.last().is_some_and(|lexeme| {
            matches!(lexeme.kind, LexemeKind::Field | LexemeKind::Comparison) && lexeme.range.end == self.at
        });
        match rest.as_bytes()[0] {
            b'(' => self.push(LexemeKind::Open, 1),
            b')' => self.push(LexemeKind::Close, 1),
            b'"' => self.quoted(follows_field),
            b'<' | b'>' if follows_field => {
                let length = if rest[1..].starts_with('=') { 2 } else { 1 };
                self.push(LexemeKind::Comparison, length);
            }
            b'-' if !follows_field && starts_term(&rest[1..]) => self.push(LexemeKind::Not, 1),
            _ => self.word(follows_field),
        }
    }

    /// A quoted text, or a quoted field name where a colon follows it.
    fn quoted(&mut self, follows_field: bool) {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest[1..].find(|c: char| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        });
        let Some(end) = end.map(|end| end + 2) else {
            return self.push(LexemeKind::Quoted, rest.len());
        };
        if !follows_field && rest[end..].starts_with(':') {
            return self.push(LexemeKind::Field, end + 1);
        }
        self.push(LexemeKind::Quoted, end);
    }

    fn word(&mut self, follows_field: bool) {
        let rest = self.rest();
        let length = word_length(rest);
        let word = &rest[..length];
        match word {
            "AND" if !follows_field => self.push(LexemeKind::And, length),
            "OR" if !follows_field => self.push(LexemeKind::Or, length),
            "NOT" if !follows_field => self.push(LexemeKind::Not, length),
            _ => match field_length(word) {
                Some(name) if !follows_field => self.push(LexemeKind::Field, name + 1),
                _ => self.push(LexemeKind::Word, length),
            },
        }
    }
}

/// Whether something that can be negated begins here.
fn starts_term(rest: &str) -> bool {
    rest.chars().next().is_some_and(|c| !c.is_whitespace() && c != ')')
}

/// Bytes up to white space, a parenthesis or a quote that no backslash protects; one at least.
fn word_length(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().find(|(at, c)| {
        let ends = !escaped && *at > 0 && (c.is_whitespace() || matches!(c, '(' | ')' | '"'));
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |(at, _)| at)
}

/// Length of the field name a word begins with: a letter or one of `_@$`, then no stars, up to a colon that does not
/// begin `://`.
fn field_length(word: &str) -> Option<usize> {
    let first = word.chars().next()?;
    if !(first.is_alphabetic() || matches!(first, '_' | '@' | '$')) {
        return None;
    }
    let mut escaped = false;
    for (at, c) in word.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '*' => return None,
            ':' => return (!word[at..].starts_with("://")).then_some(at),
            _ => {}
        }
    }
    None
}
