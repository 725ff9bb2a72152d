//! Names and numbers of levels, as loggers write them, to OpenTelemetry's severity numbers.

/// Lowest number of each range.
pub(crate) const INFO: u8 = 9;
pub(crate) const WARN: u8 = 13;
pub(crate) const ERROR: u8 = 17;
pub(crate) const FATAL: u8 = 21;

/// Longest name of a level.
const NAME_BYTES_MAX: usize = 13;

/// The number of a level's name in any case, with the brackets and colons around it; 0 for a name that says "none".
pub(crate) fn of_name(name: &str) -> Option<u8> {
    let name = name.trim_matches([' ', '[', ']', '(', ')', ':', '<', '>']);
    let mut lower = [0; NAME_BYTES_MAX];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    let number = match &*lower {
        b"trace" | b"trc" | b"trce" | b"t" | b"finest" | b"silly" | b"verbose" | b"vrb" | b"verb" | b"v" => 1,
        b"debug" | b"dbg" | b"dbug" | b"debg" | b"d" | b"finer" => 5,
        b"fine" => 6,
        b"config" | b"http" => 7,
        b"info" | b"inf" | b"i" | b"information" | b"informational" | b"help" | b"log" | b"note" | b"system"
        | b"success" => INFO,
        b"notice" => 10,
        b"warn" | b"wrn" | b"w" | b"warning" => WARN,
        b"error" | b"err" | b"e" | b"eror" | b"severe" | b"fail" | b"failure" => ERROR,
        b"dpanic" => 18,
        b"panic" | b"alert" => 19,
        b"fatal" | b"critical" | b"crit" | b"emerg" | b"emergency" | b"ftl" | b"f" | b"c" => FATAL,
        b"default" | b"off" | b"none" | b"unknown" | b"notset" => 0,
        b"debug1" => 5,
        b"debug2" => 4,
        b"debug3" => 3,
        b"debug4" => 2,
        b"debug5" => 1,
        other => return with_offset(other),
    };
    Some(number)
}

/// Go's slog writes levels between the named ones as `INFO+2`.
fn with_offset(name: &[u8]) -> Option<u8> {
    let at = name.iter().position(|byte| matches!(byte, b'+' | b'-'))?;
    let base: i32 = match &name[..at] {
        b"debug" => 5,
        b"info" => 9,
        b"warn" => 13,
        b"error" => 17,
        _ => return None,
    };
    let offset: i32 = std::str::from_utf8(&name[at..]).ok()?.parse().ok()?;
    Some(base.saturating_add(offset).clamp(1, 24) as u8)
}

/// What a number means, which only its key tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// pino and bunyan: 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal.
    Pino,
    /// Python: 10 debug, 20 info, 30 warning, 40 error, 50 critical.
    Python,
    /// Logback: 5000 trace to 40000 error.
    Logback,
    /// Syslog, journald, GELF: 7 debug to 0 emergency.
    Syslog,
    /// Monolog and Google Cloud: 100 debug, 200 info, …
    Hundreds,
    /// OpenTelemetry's own.
    OpenTelemetry,
}

/// The severity number of a level that is a number.
pub(crate) fn of_number(scale: Scale, level: i64) -> Option<u8> {
    let number = match scale {
        // Between two names lie four numbers, as with OpenTelemetry.
        Scale::Pino if (1..100).contains(&level) => (1 + (level - 10) * 4 / 10).clamp(1, 24),
        Scale::Python if (1..100).contains(&level) => (5 + (level - 10) * 4 / 10).clamp(1, 24),
        Scale::Logback => match level {
            5_000 => 1,
            10_000 => 5,
            20_000 => 9,
            30_000 => 13,
            40_000 => 17,
            _ => return None,
        },
        Scale::Syslog => match level {
            7 => 5,
            6 => 9,
            5 => 10,
            4 => 13,
            3 => 17,
            2 => 18,
            1 => 19,
            0 => 21,
            _ => return None,
        },
        Scale::Hundreds => match level {
            100 => 5,
            200 => 9,
            250 => 10,
            300 => 13,
            400 => 17,
            500 => 18,
            550 => 19,
            600 => 21,
            _ => return None,
        },
        Scale::OpenTelemetry if (1..=24).contains(&level) => level,
        _ => return None,
    };
    Some(number as u8)
}

/// Google Cloud's numbers, which run apart from Monolog's above 200.
pub(crate) fn of_google_number(level: i64) -> Option<u8> {
    let number = match level {
        0 => 0,
        100 => 5,
        200 => 9,
        300 => 10,
        400 => 13,
        500 => 17,
        600 => 21,
        700 => 22,
        800 => 24,
        _ => return None,
    };
    Some(number)
}

/// The name of a severity number's range; empty for 0.
pub(crate) fn name(number: u8) -> &'static str {
    match number {
        0 => "",
        1..=4 => "TRACE",
        5..=8 => "DEBUG",
        9..=12 => "INFO",
        13..=16 => "WARN",
        17..=20 => "ERROR",
        _ => "FATAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |name: &str, expect: Option<u8>| assert_eq!(of_name(name), expect, "{name}");
        for (names, expect) in [
            ("trace TRC silly verbose FINEST", 1),
            ("debug DBG Debug dbug", 5),
            ("info INFO Information [info] (info) info: log help", 9),
            ("notice", 10),
            ("warn WARNING wrn [Warning]", 13),
            ("error ERR severe Eror fail", 17),
            ("panic alert", 19),
            ("fatal CRITICAL crit emerg", 21),
            ("off none DEFAULT", 0),
        ] {
            names.split(' ').for_each(|name| check(name, Some(expect)));
        }
        check("INFO+2", Some(11));
        check("DEBUG-4", Some(1));
        check("ERROR+40", Some(24));
        check("debug5", Some(1));
        check("informational", Some(9));
        check("infos", None);
        check("", None);
        check("a level with a long name", None);
        check("é", None);
    }

    #[test]
    fn numbers_by_their_scale() {
        let check = |scale, levels: &[(i64, Option<u8>)]| {
            for (level, expect) in levels {
                assert_eq!(of_number(scale, *level), *expect, "{scale:?} {level}");
            }
        };
        check(
            Scale::Pino,
            &[(10, Some(1)), (20, Some(5)), (30, Some(9)), (35, Some(11)), (50, Some(17)), (60, Some(21))],
        );
        check(
            Scale::Python,
            &[(10, Some(5)), (20, Some(9)), (30, Some(13)), (40, Some(17)), (50, Some(21)), (0, None)],
        );
        check(Scale::Logback, &[(20_000, Some(9)), (40_000, Some(17)), (1, None)]);
        check(Scale::Syslog, &[(7, Some(5)), (6, Some(9)), (3, Some(17)), (0, Some(21)), (8, None)]);
        check(
            Scale::Hundreds,
            &[(100, Some(5)), (250, Some(10)), (300, Some(13)), (400, Some(17)), (600, Some(21)), (7, None)],
        );
        check(Scale::OpenTelemetry, &[(1, Some(1)), (24, Some(24)), (25, None), (0, None)]);
        assert_eq!(of_google_number(500), Some(17));
    }
}
