//! Severities: six letters, shown as a stripe and a letter, never as colour alone.

/// Severities from worst to least, as the histogram stacks and names them.
pub const LEVELS: [Severity; 7] = [
    Severity::Fatal,
    Severity::Error,
    Severity::Warn,
    Severity::Info,
    Severity::Debug,
    Severity::Trace,
    Severity::Unknown,
];

/// One of OpenTelemetry's severity ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Severity {
    Unknown,
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl Severity {
    /// The range a severity number lies in; outside 1 to 24 is unknown.
    pub fn of(number: i32) -> Severity {
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

    /// The word of the API and of CSS classes.
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

    /// The letter beside the stripe.
    pub fn letter(self) -> &'static str {
        match self {
            Severity::Unknown => "·",
            Severity::Trace => "T",
            Severity::Debug => "D",
            Severity::Info => "I",
            Severity::Warn => "W",
            Severity::Error => "E",
            Severity::Fatal => "F",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fall_into_ranges() {
        let check = |number: i32, expect: &str| assert_eq!(Severity::of(number).letter(), expect);
        check(0, "·");
        check(1, "T");
        check(8, "D");
        check(9, "I");
        check(16, "W");
        check(17, "E");
        check(24, "F");
        check(25, "·");
        check(-1, "·");
    }
}
