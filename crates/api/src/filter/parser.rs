//! Lexemes → [`Filter`]: recursive descent, bounded by [`DEPTH_MAX`].

use super::{
    Bound, DEPTH_MAX, Field, Filter, FilterError, Interval, Lexeme, LexemeKind, Number, Pattern, Severity, TERMS_MAX,
    TEXT_BYTES_MAX, Target, Test, lex,
};

/// Reads a filter. An empty text is [`Filter::All`].
///
/// # Errors
/// The text is too long, nested too deep, has too many terms, or breaks the grammar; the error says where.
pub fn parse(text: &str, target: Target) -> Result<Filter, FilterError> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("a filter has {} KiB at most", TEXT_BYTES_MAX / 1024);
        return Err(FilterError { message, position: TEXT_BYTES_MAX });
    }
    let mut parser = Parser { text, target, lexemes: lex(text), next: 0, depth: 0, terms: 0 };
    if parser.lexemes.is_empty() {
        return Ok(Filter::All);
    }
    let filter = parser.either()?;
    match parser.peek() {
        None => Ok(filter),
        Some(_) => Err(parser.error_here("this ')' has no '(' before it")),
    }
}

struct Parser<'a> {
    text: &'a str,
    target: Target,
    lexemes: Vec<Lexeme>,
    next: usize,
    depth: usize,
    terms: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<LexemeKind> {
        self.lexemes.get(self.next).map(|lexeme| lexeme.kind)
    }

    fn position(&self) -> usize {
        self.lexemes.get(self.next).map_or(self.text.len(), |lexeme| lexeme.range.start)
    }

    fn error_here(&self, message: impl Into<String>) -> FilterError {
        FilterError { message: message.into(), position: self.position() }
    }

    /// The text of the next lexeme, and where it begins.
    fn take(&mut self) -> (&'a str, usize) {
        let range = self.lexemes[self.next].range.clone();
        self.next += 1;
        (&self.text[range.clone()], range.start)
    }

    /// `a b OR c d`
    fn either(&mut self) -> Result<Filter, FilterError> {
        let mut choices = vec![self.all()?];
        while self.peek() == Some(LexemeKind::Or) {
            self.next += 1;
            choices.push(self.all()?);
        }
        Ok(join(choices, Filter::Or))
    }

    /// `a b AND c`
    fn all(&mut self) -> Result<Filter, FilterError> {
        let mut parts = vec![self.term()?];
        loop {
            match self.peek() {
                None | Some(LexemeKind::Close | LexemeKind::Or) => return Ok(join(parts, Filter::And)),
                Some(LexemeKind::And) => self.next += 1,
                Some(_) => {}
            }
            parts.push(self.term()?);
        }
    }

    fn term(&mut self) -> Result<Filter, FilterError> {
        let kind = self.peek();
        match kind {
            None => Err(self.error_here("expected a word, a \"phrase\" or field:value")),
            Some(LexemeKind::Not) => {
                self.deeper()?;
                self.next += 1;
                let negated = self.term()?;
                self.depth -= 1;
                Ok(Filter::Not(Box::new(negated)))
            }
            Some(LexemeKind::Open) => self.group(),
            Some(LexemeKind::Close) => Err(self.error_here("expected a term before ')'")),
            Some(LexemeKind::And | LexemeKind::Or) => {
                Err(self.error_here("expected a term before this operator; \"AND\" and \"OR\" in quotes are words"))
            }
            Some(LexemeKind::Field) => self.field_test(),
            Some(LexemeKind::Word | LexemeKind::Quoted | LexemeKind::Comparison) => {
                self.count_term()?;
                let pattern = self.pattern()?;
                let matches_all = pattern.is_any() || pattern.as_literal() == Some("");
                Ok(if matches_all { Filter::All } else { Filter::Text(pattern) })
            }
        }
    }

    fn group(&mut self) -> Result<Filter, FilterError> {
        self.deeper()?;
        let opened_at = self.position();
        self.next += 1;
        let inside = self.either()?;
        if self.peek() != Some(LexemeKind::Close) {
            return Err(FilterError { message: "this '(' is never closed".into(), position: opened_at });
        }
        self.next += 1;
        self.depth -= 1;
        Ok(inside)
    }

    fn deeper(&mut self) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error_here(format!("nested deeper than {DEPTH_MAX}")));
        }
        Ok(())
    }

    fn count_term(&mut self) -> Result<(), FilterError> {
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(self.error_here(format!("more than {TERMS_MAX} terms")));
        }
        Ok(())
    }

    /// The next word or quoted text.
    fn pattern(&mut self) -> Result<Pattern, FilterError> {
        let kind = self.peek();
        let (raw, start) = self.take();
        match kind {
            Some(LexemeKind::Quoted) => {
                let inner = unquote(raw)
                    .ok_or_else(|| FilterError { message: "this quote is never closed".into(), position: start })?;
                Ok(Pattern::literal(inner))
            }
            _ => Ok(unescape_pattern(raw)),
        }
    }

    fn field_test(&mut self) -> Result<Filter, FilterError> {
        self.count_term()?;
        let (raw, start) = self.take();
        let value_at = start + raw.len();
        let raw_name = &raw[..raw.len() - 1];
        let name = match raw_name.starts_with('"') {
            true => unquote(raw_name).unwrap_or_default(),
            false => unescape_pattern(raw_name).pieces.concat(),
        };
        let field = field_of(&name, self.target);
        let adjacent = self.lexemes.get(self.next).is_some_and(|lexeme| lexeme.range.start == value_at);
        let missing = |position: usize| FilterError {
            message: format!("expected a value after '{name}:'; '{name}:*' asks whether there is one"),
            position,
        };
        match self.peek() {
            Some(LexemeKind::Comparison) if adjacent => {
                let (operator, at) = self.take();
                let operand_at = at + operator.len();
                let follows = self.lexemes.get(self.next).is_some_and(|lexeme| lexeme.range.start == operand_at);
                if !follows || !matches!(self.peek(), Some(LexemeKind::Word | LexemeKind::Quoted)) {
                    return Err(missing(operand_at));
                }
                let operand = self.pattern()?;
                let test = comparison(&field, operator, &operand.pieces.join("*"))
                    .map_err(|message| FilterError { message, position: operand_at })?;
                Ok(Filter::Field(field, test))
            }
            Some(kind @ (LexemeKind::Word | LexemeKind::Quoted)) if adjacent => {
                let pattern = self.pattern()?;
                let test = equality(&field, pattern, kind == LexemeKind::Quoted)
                    .map_err(|message| FilterError { message, position: value_at })?;
                Ok(Filter::Field(field, test))
            }
            _ => Err(missing(value_at)),
        }
    }
}

/// One part stays itself.
fn join(mut parts: Vec<Filter>, wrap: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.len() {
        1 => parts.swap_remove(0),
        _ => wrap(parts),
    }
}

/// The text between quotes, its escapes resolved; none where the closing quote is missing.
fn unquote(raw: &str) -> Option<String> {
    let mut characters = raw.strip_prefix('"')?.chars();
    let mut inner = String::with_capacity(raw.len());
    while let Some(c) = characters.next() {
        match c {
            '"' => return Some(inner),
            '\\' => match characters.next()? {
                escaped @ ('"' | '\\') => inner.push(escaped),
                other => inner.extend(['\\', other]),
            },
            _ => inner.push(c),
        }
    }
    None
}

/// A word cut at its stars, its escapes resolved; stars in a row are one.
fn unescape_pattern(raw: &str) -> Pattern {
    let mut pieces = vec![String::new()];
    let mut characters = raw.chars();
    let mut after_star = false;
    while let Some(c) = characters.next() {
        let is_star = c == '*';
        match (c, pieces.last_mut()) {
            ('*', _) if after_star => {}
            ('*', _) => pieces.push(String::new()),
            ('\\', Some(piece)) => piece.push(characters.next().unwrap_or('\\')),
            (_, Some(piece)) => piece.push(c),
            (_, None) => {}
        }
        after_star = is_star;
    }
    Pattern::from_pieces(pieces)
}

/// What a name means for this kind of record.
fn field_of(name: &str, target: Target) -> Field {
    let common = match name {
        "service" | "service.name" | "service_name" | "resource.service.name" => Some(Field::Service),
        "trace_id" | "trace.id" | "traceid" if target != Target::Metrics => Some(Field::TraceId),
        "span_id" | "span.id" | "spanid" if target != Target::Metrics => Some(Field::SpanId),
        "scope.name" => Some(Field::ScopeName),
        _ => None,
    };
    let own = || match (target, name) {
        (Target::Logs, "severity" | "severity_number" | "level") => Some(Field::Severity),
        (Target::Logs, "severity_text") => Some(Field::SeverityText),
        (Target::Logs, "body") => Some(Field::Body),
        (Target::Logs, "event_name") => Some(Field::EventName),
        (Target::Spans, "parent_span_id") => Some(Field::ParentSpanId),
        (Target::Spans, "name" | "operation") => Some(Field::Name),
        (Target::Spans, "status") => Some(Field::Status),
        (Target::Spans, "status_message") => Some(Field::StatusMessage),
        (Target::Spans, "kind") => Some(Field::Kind),
        (Target::Spans, "duration") => Some(Field::Duration),
        _ => None,
    };
    let prefixed = || match name.split_once('.') {
        Some(("resource", key)) if !key.is_empty() => Field::Resource(key.into()),
        Some(("attributes", key)) if !key.is_empty() => Field::Attribute(key.into()),
        _ => Field::Attribute(name.into()),
    };
    common.or_else(own).unwrap_or_else(prefixed)
}

const STATUSES: [&str; 3] = ["unset", "ok", "error"];
const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];

fn equality(field: &Field, pattern: Pattern, quoted: bool) -> Result<Test, String> {
    if pattern.is_any() {
        return Ok(Test::Exists);
    }
    let literal = pattern.as_literal();
    match field {
        Field::Severity => Ok(match literal.map(|text| (text.parse::<i64>(), Severity::of_text(text))) {
            Some((Ok(number), _)) => Test::Within(Interval::closed(number, number)),
            Some((_, Some(class))) => {
                let (low, high) = class.numbers();
                Test::Within(Interval::closed(low.into(), high.into()))
            }
            _ => return Err(format!("expected a severity: a number or one of {}", severity_names())),
        }),
        Field::Status => named_number(literal, &STATUSES, "status"),
        Field::Kind => named_number(literal, &KINDS, "kind"),
        Field::Duration => {
            let nanos = literal.and_then(model::time::parse_duration).ok_or_else(duration_wanted)?;
            Ok(Test::Within(Interval::only(Number::Integer(nanos))))
        }
        Field::TraceId | Field::SpanId | Field::ParentSpanId => {
            let digits = pattern.pieces().iter().all(|piece| piece.bytes().all(|b| b.is_ascii_hexdigit()));
            let expected = if *field == Field::TraceId { 32 } else { 16 };
            match literal {
                _ if !digits => Err("an id is hex digits".into()),
                Some(text) if text.len() != expected => {
                    Err(format!("this id has {expected} hex digits; a shorter one ends with '*'"))
                }
                _ => Ok(Test::Is(pattern)),
            }
        }
        _ if !quoted && pattern.pieces() == [""] => Err("expected a value".into()),
        _ => Ok(Test::Is(pattern)),
    }
}

fn named_number(literal: Option<&str>, names: &[&str], what: &str) -> Result<Test, String> {
    let number = literal.and_then(|text| {
        let by_name = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        by_name.or_else(|| text.parse().ok().filter(|number| *number < names.len()))
    });
    match number {
        Some(number) => Ok(Test::Within(Interval::closed(number as i64, number as i64))),
        None => Err(format!("expected a {what}: one of {}", names.join(", "))),
    }
}

fn severity_names() -> String {
    Severity::ALL.map(Severity::name).join(", ")
}

fn duration_wanted() -> String {
    "expected a duration such as 250ms, 1.5s or 2m".into()
}

fn comparison(field: &Field, operator: &str, operand: &str) -> Result<Test, String> {
    // A severity class is four numbers, so each operator takes the end of it that makes `>warn` exclude all of warn.
    let (low, high) = match field {
        Field::Severity => match (operand.parse::<i64>(), Severity::of_text(operand)) {
            (Ok(number), _) => (Number::Integer(number), Number::Integer(number)),
            (_, Some(class)) => {
                let (low, high) = class.numbers();
                (Number::Integer(low.into()), Number::Integer(high.into()))
            }
            _ => return Err(format!("expected a severity: a number or one of {}", severity_names())),
        },
        Field::Duration => {
            let nanos = Number::Integer(model::time::parse_duration(operand).ok_or_else(duration_wanted)?);
            (nanos, nanos)
        }
        Field::Attribute(_) | Field::Resource(_) => {
            let number = Number::parse(operand).ok_or("expected a number to compare with")?;
            (number, number)
        }
        _ => return Err("this field is text: it cannot be compared by size".into()),
    };
    Ok(Test::Within(match operator {
        "<" => Interval { low: Bound::None, high: Bound::Excluded(low) },
        "<=" => Interval { low: Bound::None, high: Bound::Included(high) },
        ">" => Interval { low: Bound::Excluded(high), high: Bound::None },
        _ => Interval { low: Bound::Included(low), high: Bound::None },
    }))
}
