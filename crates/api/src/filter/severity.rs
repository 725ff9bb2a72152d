//! Classes of severity: what a number or a source's own word amounts to.

/// A class of severity, as OpenTelemetry numbers them: four numbers each, `trace` from 1, `fatal` from 21.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Neither number nor a known word.
    Unknown,
    /// 1 to 4.
    Trace,
    /// 5 to 8.
    Debug,
    /// 9 to 12.
    Info,
    /// 13 to 16.
    Warn,
    /// 17 to 20.
    Error,
    /// 21 to 24.
    Fatal,
}

impl Severity {
    /// Every class, mildest first.
    pub const ALL: [Severity; 7] = [
        Severity::Unknown,
        Severity::Trace,
        Severity::Debug,
        Severity::Info,
        Severity::Warn,
        Severity::Error,
        Severity::Fatal,
    ];

    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Unknown => "unknown",
            Severity::Trace => "trace",
            Severity::Debug => "debug",
            Severity::Info => "info",
            Severity::Warn => "warn",
            Severity::Error => "error",
            Severity::Fatal => "fatal",
        }
    }

    /// The class of a severity number; numbers outside 1 to 24 are unknown.
    pub fn of_number(number: i32) -> Severity {
        match number {
            1..=4 => Severity::Trace,
            5..=8 => Severity::Debug,
            9..=12 => Severity::Info,
            13..=16 => Severity::Warn,
            17..=20 => Severity::Error,
            21..=24 => Severity::Fatal,
            _ => Severity::Unknown,
        }
    }

    /// The class a source's word means, if it is one of the common ones (any case).
    pub fn of_text(text: &str) -> Option<Severity> {
        const WORDS: [(&str, Severity); 24] = [
            ("unknown", Severity::Unknown),
            ("trace", Severity::Trace),
            ("finest", Severity::Trace),
            ("verbose", Severity::Trace),
            ("debug", Severity::Debug),
            ("dbg", Severity::Debug),
            ("fine", Severity::Debug),
            ("info", Severity::Info),
            ("inf", Severity::Info),
            ("information", Severity::Info),
            ("informational", Severity::Info),
            ("notice", Severity::Info),
            ("warn", Severity::Warn),
            ("warning", Severity::Warn),
            ("wrn", Severity::Warn),
            ("error", Severity::Error),
            ("err", Severity::Error),
            ("severe", Severity::Error),
            ("fatal", Severity::Fatal),
            ("critical", Severity::Fatal),
            ("crit", Severity::Fatal),
            ("alert", Severity::Fatal),
            ("emergency", Severity::Fatal),
            ("panic", Severity::Fatal),
        ];
        WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, class)| *class)
    }

    /// The class of a record: by its number, or by its text where it has no number.
    pub fn of(number: i32, text: &str) -> Severity {
        match number {
            1..=24 => Severity::of_number(number),
            _ => Severity::of_text(text).unwrap_or(Severity::Unknown),
        }
    }

    /// Lowest and highest number of the class.
    pub fn numbers(self) -> (i32, i32) {
        match self {
            Severity::Unknown => (0, 0),
            class => {
                let low = class as i32 * 4 - 3;
                (low, low + 3)
            }
        }
    }

    /// The number a record is compared by: its own, or the lowest of the class its text means; 0 where unknown.
    pub fn number_of(number: i32, text: &str) -> i32 {
        match number {
            1..=24 => number,
            _ => Severity::of_text(text).map_or(0, |class| class.numbers().0),
        }
    }
}
