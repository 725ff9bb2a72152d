//! The names under which loggers write what OpenTelemetry has a field for.
//!
//! Of several names for one target in a line the first of this table wins; the others stay attributes. A name is the
//! path of a member, dotted, in lower case: `log.level` is the key of that name and the member `level` of the object
//! `log` alike. A value that does not fit its target stays an attribute under its own name.

/// What a member becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Time,
    /// A level by name, or by a number whose meaning the key does not tell.
    Severity,
    /// A number on OpenTelemetry's scale.
    SeverityNumber,
    /// A number on Python's, Logback's or syslog's scale.
    PythonLevel,
    LogbackLevel,
    SyslogLevel,
    Body,
    TraceId,
    DatadogTraceId,
    SpanId,
    DatadogSpanId,
    Traceparent,
    Flags,
    EventName,
    /// The logger's name.
    Scope,
    /// The same where other members say that the line comes from Python or bunyan.
    ScopeOfSome,
    ServiceName,
    ServiceVersion,
    Environment,
    ExceptionType,
    ExceptionMessage,
    ExceptionStacktrace,
    /// `file:line`.
    Caller,
    CodeFile,
    CodeLine,
    CodeFunction,
    ThreadName,
}

impl Target {
    /// Targets that compete for one place share a number.
    pub(crate) fn slot(self) -> usize {
        match self {
            Target::Time => 0,
            Target::Severity
            | Target::SeverityNumber
            | Target::PythonLevel
            | Target::LogbackLevel
            | Target::SyslogLevel => 1,
            Target::Body => 2,
            Target::TraceId | Target::DatadogTraceId => 3,
            Target::SpanId | Target::DatadogSpanId => 4,
            Target::Traceparent => 5,
            Target::Flags => 6,
            Target::EventName => 7,
            Target::Scope | Target::ScopeOfSome => 8,
            Target::ServiceName => 9,
            Target::ServiceVersion => 10,
            Target::Environment => 11,
            Target::ExceptionType => 12,
            Target::ExceptionMessage => 13,
            Target::ExceptionStacktrace => 14,
            Target::Caller | Target::CodeFile => 15,
            Target::CodeLine => 16,
            Target::CodeFunction => 17,
            Target::ThreadName => 18,
        }
    }
}

/// Number of places.
pub(crate) const SLOTS: usize = 19;

/// Names by target, the preferred first.
const ALIASES: &[(Target, &[&str])] = &[
    (
        Target::Time,
        &[
            "@timestamp",
            "timestamp",
            "time",
            "ts",
            "@t",
            "t",
            "asctime",
            "datetime",
            "date",
            "eventtime",
            "timemillis",
            "instant",
            "timestampseconds",
            "record.time",
            "__realtime_timestamp",
            "start_time",
            "logtime",
            "log_time",
            "log_timestamp",
        ],
    ),
    (Target::SeverityNumber, &["severity_number", "severitynumber"]),
    (
        Target::Severity,
        &[
            "level",
            "severity",
            "log.level",
            "levelname",
            "level_name",
            "lvl",
            "@l",
            "loglevel",
            "log_level",
            "severity_text",
            "severitytext",
            "error_severity",
            "s",
            "record.level",
            "levelstr",
        ],
    ),
    (Target::PythonLevel, &["levelno", "record.level.no"]),
    (Target::LogbackLevel, &["level_value", "levelvalue"]),
    (Target::SyslogLevel, &["priority"]),
    (
        Target::Body,
        &[
            "message",
            "msg",
            "body",
            "log",
            "event",
            "@m",
            "short_message",
            "textpayload",
            "fields.message",
            "record.message",
            "log_message",
            "logmessage",
            "text",
        ],
    ),
    (
        Target::TraceId,
        &[
            "trace_id",
            "traceid",
            "trace.id",
            "oteltraceid",
            "@tr",
            "logging.googleapis.com/trace",
            "x-b3-traceid",
            "x_b3_traceid",
            "mdc.traceid",
            "mdc.trace_id",
            "contextmap.traceid",
            "contextmap.trace_id",
            "span.trace_id",
            "context.trace_id",
            "fields.trace_id",
            "record.extra.trace_id",
            "extra.trace_id",
            "span_context.trace_id",
            "spancontext.traceid",
        ],
    ),
    (Target::DatadogTraceId, &["dd.trace_id"]),
    (
        Target::SpanId,
        &[
            "span_id",
            "spanid",
            "span.id",
            "otelspanid",
            "@sp",
            "logging.googleapis.com/spanid",
            "x-b3-spanid",
            "x_b3_spanid",
            "mdc.spanid",
            "mdc.span_id",
            "contextmap.spanid",
            "contextmap.span_id",
            "span.span_id",
            "context.span_id",
            "fields.span_id",
            "record.extra.span_id",
            "extra.span_id",
            "span_context.span_id",
            "spancontext.spanid",
        ],
    ),
    (Target::DatadogSpanId, &["dd.span_id"]),
    (Target::Traceparent, &["traceparent"]),
    (
        Target::Flags,
        &["trace_flags", "traceflags", "oteltracesampled", "logging.googleapis.com/trace_sampled", "sampled"],
    ),
    (Target::EventName, &["event.name", "event_name", "eventname"]),
    (
        Target::Scope,
        &[
            "logger",
            "logger_name",
            "loggername",
            "logger.name",
            "log.logger",
            "target",
            "channel",
            "category",
            "sourcecontext",
            "properties.sourcecontext",
            "record.name",
        ],
    ),
    (Target::ScopeOfSome, &["name"]),
    (
        Target::ServiceName,
        &[
            "service.name",
            "service_name",
            "servicename",
            "service",
            "otelservicename",
            "resource.service.name",
            "servicecontext.service",
            "dd.service",
            "app",
            "application",
        ],
    ),
    (
        Target::ServiceVersion,
        &["service.version", "service_version", "serviceversion", "servicecontext.version", "dd.version"],
    ),
    (
        Target::Environment,
        &[
            "deployment.environment.name",
            "deployment.environment",
            "deployment_environment",
            "environment",
            "service.environment",
            "dd.env",
            "env",
        ],
    ),
    (
        Target::ExceptionType,
        &[
            "exception.type",
            "error.type",
            "error.kind",
            "err.type",
            "err.name",
            "error.name",
            "thrown.name",
            "exception_type",
            "error_type",
            "exc_type",
        ],
    ),
    (
        Target::ExceptionMessage,
        &["exception.message", "error.message", "err.message", "thrown.message", "exception_message", "error", "err"],
    ),
    (
        Target::ExceptionStacktrace,
        &[
            "exception.stacktrace",
            "error.stack_trace",
            "error.stack",
            "err.stack",
            "stack_trace",
            "stacktrace",
            "stack",
            "exc_info",
            "exc_text",
            "exception",
            "@x",
            "thrown.extendedstacktrace",
            "record.exception",
        ],
    ),
    (Target::Caller, &["caller"]),
    (
        Target::CodeFile,
        &[
            "code.file.path",
            "source.file",
            "log.origin.file.name",
            "logging.googleapis.com/sourcelocation.file",
            "pathname",
            "filename",
            "record.file.path",
        ],
    ),
    (
        Target::CodeLine,
        &[
            "code.line.number",
            "source.line",
            "log.origin.file.line",
            "logging.googleapis.com/sourcelocation.line",
            "lineno",
            "line_number",
            "record.line",
        ],
    ),
    (
        Target::CodeFunction,
        &[
            "code.function.name",
            "source.function",
            "log.origin.function",
            "logging.googleapis.com/sourcelocation.function",
            "funcname",
            "func_name",
            "record.function",
        ],
    ),
    (Target::ThreadName, &["thread.name", "thread_name", "threadname", "process.thread.name", "record.thread.name"]),
];

/// Objects that are looked into. What is left of those that are lifted becomes attributes of the record itself, where
/// the name is free.
const CONTAINERS: &[(&str, bool)] = &[
    ("fields", true),
    ("mdc", true),
    ("contextmap", true),
    ("context", true),
    ("extra", true),
    ("properties", true),
    ("record", true),
    ("record.extra", true),
    ("log", false),
    ("log.origin", false),
    ("log.origin.file", false),
    ("error", false),
    ("err", false),
    ("exception", false),
    ("trace", false),
    ("span", false),
    ("span_context", false),
    ("spancontext", false),
    ("service", false),
    ("deployment", false),
    ("resource", false),
    ("event", false),
    ("logger", false),
    ("process", false),
    ("process.thread", false),
    ("thread", false),
    ("thrown", false),
    ("dd", false),
    ("source", false),
    ("servicecontext", false),
    ("logging.googleapis.com/sourcelocation", false),
    ("record.file", false),
    ("record.thread", false),
    ("record.level", false),
];

/// What a name is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alias {
    pub(crate) target: Target,
    /// Lower wins.
    pub(crate) rank: u8,
}

/// What is known of a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) alias: Option<Alias>,
    /// Whether an object of this name is looked into, and whether it is lifted.
    pub(crate) container: Option<bool>,
}

/// Longest name in the tables.
const NAME_BYTES_MAX: usize = 48;

/// The tables, by length and first byte, so that most names are refused without comparing a text.
#[derive(Debug)]
pub(crate) struct Names {
    by_length: Vec<Vec<(&'static str, Known)>>,
}

impl Names {
    pub(crate) fn new() -> Names {
        let mut by_length: Vec<Vec<(&'static str, Known)>> = vec![Vec::new(); NAME_BYTES_MAX + 1];
        let mut put = |name: &'static str, change: &dyn Fn(&mut Known)| {
            let same_length = &mut by_length[name.len()];
            let place = same_length.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                same_length.push((name, Known::default()));
                same_length.len() - 1
            });
            change(&mut same_length[place].1);
        };
        // Of groups that compete for one place the first ranks highest.
        let mut ranks = [0_u8; SLOTS];
        for (target, names) in ALIASES {
            for name in *names {
                let rank = &mut ranks[target.slot()];
                put(name, &|known| known.alias = Some(Alias { target: *target, rank: *rank }));
                *rank += 1;
            }
        }
        for (name, lifted) in CONTAINERS {
            put(name, &|known| known.container = Some(*lifted));
        }
        Names { by_length }
    }

    /// What is known of a path, in whatever case.
    pub(crate) fn of(&self, path: &str) -> Known {
        let Some(same_length) = self.by_length.get(path.len()) else { return Known::default() };
        let Some(first) = path.bytes().next() else { return Known::default() };
        let first = first.to_ascii_lowercase();
        same_length
            .iter()
            .find(|(name, _)| name.as_bytes()[0] == first && name.eq_ignore_ascii_case(path))
            .map_or(Known::default(), |(_, known)| *known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        let names = Names::new();
        let check = |path: &str, target: Option<Target>, container: Option<bool>| {
            let known = names.of(path);
            assert_eq!((known.alias.map(|alias| alias.target), known.container), (target, container), "{path}");
        };
        check("level", Some(Target::Severity), None);
        check("Level", Some(Target::Severity), None);
        check("traceId", Some(Target::TraceId), None);
        check("TraceID", Some(Target::TraceId), None);
        check("log", Some(Target::Body), Some(false));
        check("fields", None, Some(true));
        check("logging.googleapis.com/sourceLocation.function", Some(Target::CodeFunction), None);
        check("user", None, None);
        check("", None, None);
        check(&"x".repeat(500), None, None);
        let rank = |path: &str| names.of(path).alias.map(|alias| alias.rank);
        assert!(rank("level") < rank("severity") && rank("severity") < rank("levelno"));
        assert!(rank("trace_id") < rank("dd.trace_id"));
    }
}
