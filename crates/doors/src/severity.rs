//! Severity numbers of level names, and of syslog's eight severities (appendix B of OpenTelemetry's log data model).

/// The severity number of a level's name, letter case aside; nothing where it is no level.
pub(crate) fn of_name(name: &str) -> Option<u8> {
    let name = name.trim();
    // No level has a longer name.
    if name.len() > 16 {
        return None;
    }
    Some(match name.to_ascii_lowercase().as_str() {
        "trace" | "trc" | "finest" | "silly" | "verbose" => 1,
        "finer" | "debug" | "dbg" => 5,
        "fine" => 6,
        "config" => 7,
        "info" | "inf" | "information" | "informational" => 9,
        "notice" => 10,
        "warn" | "warning" | "wrn" => 13,
        "error" | "err" | "severe" => 17,
        "alert" => 19,
        "fatal" | "critical" | "crit" | "emergency" | "emerg" | "panic" => 21,
        _ => return None,
    })
}

/// The severity number and the name of a syslog severity, 0 to 7.
pub(crate) fn of_syslog(severity: u8) -> (u8, &'static str) {
    match severity & 7 {
        0 => (21, "emerg"),
        1 => (19, "alert"),
        2 => (18, "crit"),
        3 => (17, "err"),
        4 => (13, "warning"),
        5 => (10, "notice"),
        6 => (9, "info"),
        _ => (5, "debug"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_numbers() {
        for (name, expect) in [
            ("INFO", Some(9)),
            (" Warning ", Some(13)),
            ("crit", Some(21)),
            ("unknown", None),
            ("", None),
            ("a level with a long name", None),
        ] {
            assert_eq!(of_name(name), expect, "{name}");
        }
        assert_eq!((of_syslog(0), of_syslog(3), of_syslog(7)), ((21, "emerg"), (17, "err"), (5, "debug")));
    }
}
