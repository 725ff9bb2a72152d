//! From the members of a JSON or logfmt line to a log record.
//!
//! Two passes over the tape: the first finds, for every place of a record, the member that fits it best; the second
//! makes attributes of what is left, nested values as they are. A member is *consumed* when the record says all that
//! it says.

use crate::aliases::{Names, SLOTS, Target};
use crate::draft::{Draft, unix_nano};
use crate::exception;
use crate::ids::{self, Parsed};
use crate::severity::{self, Scale};
use crate::tape::{Document, TextRange, Token};
use crate::times::{self, Clock};

/// Which of a service's names the resource leaves open, so that a line may fill them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenService {
    /// `service.name`.
    pub name: bool,
    /// `service.version`.
    pub version: bool,
    /// `deployment.environment.name`.
    pub environment: bool,
}

impl Default for OpenService {
    fn default() -> Self {
        OpenService { name: true, version: true, environment: true }
    }
}

/// Deepest object that is looked into: `logging.googleapis.com/sourceLocation` has one level, `record.extra` two.
const LOOK_DEPTH_MAX: usize = 4;

/// Numbers below this many seconds are durations or counts, not times: March 1973.
const TIME_MIN: i64 = 100_000_000_000_000_000;

/// What a member's value turned out to be.
#[derive(Debug, Clone, Copy)]
enum Value {
    Time(i64),
    /// A level's number, and the text it was told from where there is one.
    Severity(u8, Option<TextRange>),
    TraceId(Option<[u8; 16]>),
    SpanId(Option<[u8; 8]>),
    Traceparent([u8; 16], [u8; 8], u8),
    Flags(u8),
    /// The member's value as it stands.
    Whole,
}

/// The best member for a place so far.
#[derive(Debug, Clone, Copy)]
struct Found {
    rank: u8,
    key: usize,
    target: Target,
    value: Value,
}

/// An object that was looked into.
#[derive(Debug, Clone, Copy)]
struct Container {
    key: usize,
    lifted: bool,
}

/// Maps lines. Its buffers are used again for every line.
#[derive(Debug)]
pub(crate) struct Mapper {
    names: Names,
    open: OpenService,
    found: [Option<Found>; SLOTS],
    containers: Vec<Container>,
    consumed: Vec<bool>,
    path: String,
    scratch: String,
}

impl Mapper {
    pub(crate) fn new(open: OpenService) -> Mapper {
        Mapper {
            names: Names::new(),
            open,
            found: [None; SLOTS],
            containers: Vec::new(),
            consumed: Vec::new(),
            path: String::new(),
            scratch: String::new(),
        }
    }

    /// Fills a record from a document. A body is set where a member holds one.
    pub(crate) fn map(&mut self, document: Document<'_>, clock: Clock, draft: &mut Draft) {
        self.found = [None; SLOTS];
        self.containers.clear();
        self.consumed.clear();
        self.consumed.resize(document.tape.tokens.len(), false);
        self.path.clear();
        self.look(document, 0, clock, 0);
        for place in 0..SLOTS {
            if let Some(found) = self.found[place] {
                self.fill(document, found, draft);
            }
        }
        self.serilog(document, draft);
        self.exception(document, draft);
        self.close_empty_containers(document);
        self.attributes(document, 0, None, draft);
    }

    /// First pass.
    fn look(&mut self, document: Document<'_>, object: usize, clock: Clock, depth: usize) {
        for key in document.members(object) {
            let name = document.text(key).unwrap_or_default();
            let prefix = self.path.len();
            let known = if prefix == 0 {
                self.names.of(name)
            } else {
                self.path.push('.');
                self.path.push_str(name);
                self.names.of(&self.path)
            };
            let fits =
                known.alias.and_then(|alias| Some((alias, self.fits(document, alias.target, name, key + 1, clock)?)));
            if let Some((alias, value)) = fits {
                // A level by name says more than one by number, but for OpenTelemetry's own number.
                let by_number = matches!(value, Value::Severity(_, None)) && alias.target != Target::SeverityNumber;
                let rank = if by_number { alias.rank + 100 } else { alias.rank };
                let best = &mut self.found[alias.target.slot()];
                if best.is_none_or(|best| rank < best.rank) {
                    *best = Some(Found { rank, key, target: alias.target, value });
                }
            } else if let (Some(lifted), Token::Object(_)) = (known.container, document.token(key + 1))
                && depth < LOOK_DEPTH_MAX
            {
                self.containers.push(Container { key, lifted });
                if prefix == 0 {
                    self.path.push_str(name);
                }
                self.look(document, key + 1, clock, depth + 1);
            }
            self.path.truncate(prefix);
        }
    }

    /// What the value is for the target; nothing where it does not fit.
    fn fits(&self, document: Document<'_>, target: Target, name: &str, at: usize, clock: Clock) -> Option<Value> {
        let token = document.token(at);
        let text = document.text(at);
        match target {
            Target::Time => time(document, at, clock).map(Value::Time),
            Target::Severity => severity_of(document, name, at),
            Target::SeverityNumber => numbered(document, at, Scale::OpenTelemetry),
            Target::PythonLevel => numbered(document, at, Scale::Python),
            Target::LogbackLevel => numbered(document, at, Scale::Logback),
            Target::SyslogLevel => numbered(document, at, Scale::Syslog),
            Target::Body => {
                let any = matches!(name, "message" | "msg" | "body" | "Message" | "MESSAGE");
                (text.is_some() || (any && token != Token::Null)).then_some(Value::Whole)
            }
            Target::TraceId => id(ids::trace_id(text?)).map(Value::TraceId),
            Target::SpanId => id(ids::span_id(text?)).map(Value::SpanId),
            Target::DatadogTraceId => id(ids::datadog_trace_id(&digits_or_text(document, at)?)).map(Value::TraceId),
            Target::DatadogSpanId => id(ids::datadog_span_id(&digits_or_text(document, at)?)).map(Value::SpanId),
            Target::Traceparent => {
                ids::traceparent(text?).map(|(trace, span, flags)| Value::Traceparent(trace, span, flags))
            }
            Target::Flags => flags(document, at).map(Value::Flags),
            Target::ScopeOfSome => (text.is_some() && names_its_logger(document)).then_some(Value::Whole),
            Target::ServiceName => (self.open.name && !text?.is_empty()).then_some(Value::Whole),
            Target::ServiceVersion => (self.open.version && !text?.is_empty()).then_some(Value::Whole),
            Target::Environment => (self.open.environment && !text?.is_empty()).then_some(Value::Whole),
            Target::ExceptionStacktrace => (text.is_some() || matches!(token, Token::Array(_))).then_some(Value::Whole),
            Target::Caller => text?.rsplit_once(':')?.1.parse::<u32>().ok().map(|_| Value::Whole),
            Target::CodeLine => document.int(at).map(|_| Value::Whole),
            Target::CodeFile | Target::CodeFunction | Target::ThreadName => text.map(|_| Value::Whole),
            Target::Scope | Target::EventName | Target::ExceptionType | Target::ExceptionMessage => {
                text.filter(|text| !text.is_empty()).map(|_| Value::Whole)
            }
        }
    }

    fn fill(&mut self, document: Document<'_>, found: Found, draft: &mut Draft) {
        let at = found.key + 1;
        let text = document.text(at).unwrap_or_default();
        self.consumed[found.key] = true;
        match (found.target, found.value) {
            (_, Value::Time(time)) => draft.record.time = unix_nano(time),
            (_, Value::Severity(number, Some(range))) => draft.record.severity(number, document.range(range)),
            (_, Value::Severity(number, None)) => {
                draft.record.severity(number, severity::name(number));
                if found.target == Target::SeverityNumber {
                    self.severity_text(document, draft);
                } else {
                    // A number between two names is not told by the name alone.
                    self.consumed[found.key] = (number - 1) % 4 == 0;
                }
            }
            (_, Value::TraceId(id)) => draft.record.trace_id = id,
            (_, Value::SpanId(id)) => draft.record.span_id = id,
            (_, Value::Traceparent(trace, span, flags)) => {
                let (trace, span) = (draft.record.trace_id.unwrap_or(trace), draft.record.span_id.unwrap_or(span));
                (draft.record.trace_id, draft.record.span_id, draft.record.flags) = (Some(trace), Some(span), flags);
            }
            (_, Value::Flags(flags)) => draft.record.flags |= flags,
            (Target::Body, _) => {
                draft.record.body.clear();
                document.encode(at, &[], &mut draft.record.body);
            }
            (Target::EventName, _) => draft.record.event_name.push_str(text),
            (Target::Scope | Target::ScopeOfSome, _) => draft.scope.push_str(text),
            (Target::ServiceName, _) => draft.service.name.push_str(text),
            (Target::ServiceVersion, _) => draft.service.version.push_str(text),
            (Target::Environment, _) => draft.service.environment.push_str(text),
            (Target::Caller, _) => {
                let (file, line) = text.rsplit_once(':').unwrap_or((text, ""));
                draft.record.text_attribute("code.file.path", file);
                if let Ok(line) = line.parse() {
                    draft.record.int_attribute("code.line.number", line);
                }
            }
            (Target::CodeFile, _) => draft.record.text_attribute("code.file.path", text),
            (Target::CodeLine, _) => {
                draft.record.int_attribute("code.line.number", document.int(at).unwrap_or_default())
            }
            (Target::CodeFunction, _) => draft.record.text_attribute("code.function.name", text),
            (Target::ThreadName, _) => draft.record.text_attribute("thread.name", text),
            // Written together, by `exception`.
            (Target::ExceptionType | Target::ExceptionMessage | Target::ExceptionStacktrace, _) | (_, Value::Whole) => {
            }
        }
    }

    /// OpenTelemetry's number comes with a text of its own, whatever that says.
    fn severity_text(&mut self, document: Document<'_>, draft: &mut Draft) {
        let names = ["severity_text", "severityText", "SeverityText", "severity", "level"];
        let found = names.iter().find_map(|name| document.member(0, name).filter(|at| document.text(*at).is_some()));
        draft.record.severity_text.clear();
        if let Some(at) = found {
            draft.record.severity_text.push_str(document.text(at).unwrap_or_default());
            self.consumed[at - 1] = true;
        }
    }

    /// Type, message and stack trace; what only the stack trace says is read from it.
    fn exception(&mut self, document: Document<'_>, draft: &mut Draft) {
        let found = |target: Target| self.found[target.slot()].map(|found| found.key);
        let kind = found(Target::ExceptionType).and_then(|key| document.text(key + 1));
        let message = found(Target::ExceptionMessage).and_then(|key| document.text(key + 1));
        let stack = found(Target::ExceptionStacktrace);
        let stack_text = stack.and_then(|key| document.text(key + 1));
        let mut read = stack_text.and_then(exception::of_stack);
        if let Some(key) = stack.filter(|_| stack_text.is_none()) {
            // structlog: a list of objects with frames and locals, which stays an attribute.
            self.consumed[key] = false;
            let first = key + 2;
            let member = |name| document.member(first, name).and_then(|at| document.text(at)).unwrap_or_default();
            read = Some((member("exc_type"), member("exc_value")));
        }
        let (read_kind, read_message) = read.unwrap_or_default();
        let parts = [
            ("exception.type", kind.unwrap_or(read_kind)),
            ("exception.message", message.unwrap_or(read_message)),
            ("exception.stacktrace", stack_text.unwrap_or_default()),
        ];
        for (name, text) in parts.into_iter().filter(|(_, text)| !text.is_empty()) {
            draft.record.text_attribute(name, text);
        }
    }

    /// Serilog's compact form leaves out the level `Information`, and the message where its template says it.
    fn serilog(&mut self, document: Document<'_>, draft: &mut Draft) {
        if document.member(0, "@t").is_none() {
            return;
        }
        if draft.record.severity_number == 0 {
            draft.record.severity(severity::INFO, "Information");
        }
        let Some(template) = document.member(0, "@mt").and_then(|at| document.text(at)) else { return };
        if draft.record.body.is_empty() {
            self.scratch.clear();
            render(document, template, &mut self.scratch);
            draft.record.text_body(self.scratch.as_bytes());
        }
    }

    /// Objects of which everything is consumed are consumed, the innermost first.
    fn close_empty_containers(&mut self, document: Document<'_>) {
        for container in self.containers.iter().rev() {
            let mut members = document.members(container.key + 1).peekable();
            let is_empty = members.peek().is_none();
            self.consumed[container.key] = !is_empty && members.all(|key| self.consumed[key]);
        }
    }

    /// Second pass: what is left of an object.
    fn attributes(&mut self, document: Document<'_>, object: usize, within: Option<&str>, draft: &mut Draft) {
        for key in document.members(object) {
            if self.consumed[key] {
                continue;
            }
            let name = document.text(key).unwrap_or_default();
            let lifted = self.containers.iter().any(|container| container.key == key && container.lifted);
            if lifted {
                self.attributes(document, key + 1, Some(name), draft);
                continue;
            }
            let value = |out: &mut Vec<u8>| document.encode(key + 1, &self.consumed, out);
            match within {
                // A name that the line has on top keeps its own path.
                Some(container) if document.member(0, name).is_some() => {
                    self.scratch.clear();
                    self.scratch.push_str(container);
                    self.scratch.push('.');
                    self.scratch.push_str(name);
                    draft.record.attribute(&self.scratch, value);
                }
                _ => draft.record.attribute(name, value),
            }
        }
    }
}

fn id<const N: usize>(parsed: Parsed<N>) -> Option<Option<[u8; N]>> {
    match parsed {
        Parsed::Id(id) => Some(Some(id)),
        Parsed::Absent => Some(None),
        Parsed::Other => None,
    }
}

fn digits_or_text(document: Document<'_>, at: usize) -> Option<String> {
    match document.token(at) {
        Token::Int(value) => Some(value.to_string()),
        _ => document.text(at).map(str::to_owned),
    }
}

/// Python and bunyan call their loggers `name`; elsewhere that is anybody's name.
fn names_its_logger(document: Document<'_>) -> bool {
    let telling = ["levelname", "asctime", "funcName", "lineno", "hostname", "taskName"];
    document.members(0).any(|key| document.text(key).is_some_and(|name| telling.contains(&name)))
}

fn time(document: Document<'_>, at: usize, clock: Clock) -> Option<i64> {
    let read = match document.token(at) {
        Token::Int(value) => times::of_int(value).filter(|time| *time >= TIME_MIN),
        Token::Double(value) => times::of_double(value).filter(|time| *time >= TIME_MIN),
        Token::Text(range) => times::of_text(document.range(range), clock),
        Token::Object(_) => {
            let number = |name| document.member(at, name).and_then(|at| document.int(at));
            if let Some(seconds) = number("epochSecond").or_else(|| number("seconds")) {
                let nanos = number("nanoOfSecond").or_else(|| number("nanos")).unwrap_or_default();
                return seconds.checked_mul(1_000_000_000)?.checked_add(nanos);
            }
            let inner = document.member(at, "$date").or_else(|| document.member(at, "timestamp"))?;
            return time(document, inner, clock);
        }
        _ => None,
    }?;
    // Google's pair: the fraction lies beside it.
    let nanos = document.text(at - 1).filter(|name| *name == "timestampSeconds");
    let nanos = nanos.and_then(|_| document.member(0, "timestampNanos")).and_then(|at| document.int(at));
    read.checked_add(nanos.unwrap_or_default())
}

fn severity_of(document: Document<'_>, name: &str, at: usize) -> Option<Value> {
    match document.token(at) {
        Token::Text(range) => {
            let text = document.range(range);
            if let Ok(number) = text.parse() {
                return severity_number(document, name, number);
            }
            let number = match text.as_bytes() {
                // MongoDB and klog write letters; a small letter may be anything.
                [b'D', b'1'..=b'5'] => Some(5),
                [letter] => letter.is_ascii_uppercase().then(|| severity::of_name(text))?,
                _ => severity::of_name(text),
            };
            number.map(|number| Value::Severity(number, Some(range)))
        }
        Token::Int(number) => severity_number(document, name, number),
        Token::Object(_) => {
            let inner = document.member(at, "name")?;
            severity_of(document, name, inner)
        }
        _ => None,
    }
}

fn severity_number(document: Document<'_>, name: &str, level: i64) -> Option<Value> {
    let number = match level {
        100.. if name == "severity" => severity::of_google_number(level),
        100.. => severity::of_number(Scale::Hundreds, level),
        0..=7 if document.member(0, "short_message").is_some() => severity::of_number(Scale::Syslog, level),
        10.. => severity::of_number(Scale::Pino, level),
        _ => None,
    };
    number.filter(|number| *number > 0).map(|number| Value::Severity(number, None))
}

fn numbered(document: Document<'_>, at: usize, scale: Scale) -> Option<Value> {
    severity::of_number(scale, document.int(at)?).map(|number| Value::Severity(number, None))
}

fn flags(document: Document<'_>, at: usize) -> Option<u8> {
    match document.token(at) {
        Token::Bool(sampled) => Some(u8::from(sampled)),
        Token::Int(value) => u8::try_from(value).ok(),
        Token::Text(range) => match document.range(range) {
            "true" | "True" => Some(1),
            "false" | "False" => Some(0),
            text if text.len() <= 2 => u8::from_str_radix(text, 16).ok(),
            _ => None,
        },
        _ => None,
    }
}

/// Puts the properties into a message template: `Hello, {User}`.
fn render(document: Document<'_>, template: &str, out: &mut String) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        if let Some(literal) = after.strip_prefix('{') {
            out.push('{');
            rest = literal;
            continue;
        }
        let Some((hole, after_hole)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        let name = hole.trim_start_matches(['@', '$']).split([':', ',']).next().unwrap_or_default();
        match document.member(0, name) {
            Some(at) => document.print(at, out),
            None => {
                out.push('{');
                out.push_str(hole);
                out.push('}');
            }
        }
        rest = after_hole;
    }
    out.push_str(rest);
}

#[cfg(test)]
#[path = "structured_tests.rs"]
pub(crate) mod tests;
