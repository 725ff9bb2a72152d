//! Values of settings: texts in, typed values or a sentence out.

use std::time::Duration;

use http::HeaderName;

/// What the text of a setting must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anything.
    Text,
    /// `host:port`.
    Address,
    /// `host:port`, or nothing, which means nowhere.
    OptionalAddress,
    /// A size in bytes, with or without a unit.
    Bytes,
    /// A time span with a unit.
    Duration,
    /// A time span with a unit, or nothing, which means that another setting says it.
    OptionalDuration,
    /// A whole number from 1.
    Count,
    /// A whole number, 0 included.
    Amount,
    /// Texts separated by commas; may be empty.
    List,
    /// The path of a file; may be empty.
    Path,
    /// Tokens, between commas or one a line; may be empty.
    Tokens,
    /// Users and their passwords as `user:password`, between commas or one a line; may be empty.
    Users,
    /// The name of an HTTP header; may be empty.
    HeaderName,
    /// A version of TLS.
    TlsVersion,
}

impl Kind {
    /// Checks a text; the error says what to write instead.
    pub(crate) fn check(self, text: &str) -> Result<(), &'static str> {
        match self {
            Kind::Text => (!text.is_empty()).then_some(()).ok_or("write a text that is not empty"),
            Kind::Address => {
                let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
                port.and_then(|(_, port)| port.parse::<u16>().ok())
                    .map(drop)
                    .ok_or("write an address and a port such as 127.0.0.1:4318 or [::]:4318")
            }
            Kind::OptionalAddress if text.is_empty() => Ok(()),
            Kind::OptionalAddress => Kind::Address.check(text),
            Kind::Bytes => bytes(text).map(drop).ok_or("write a size such as 64MiB, 512KiB, 2GB or 1048576"),
            Kind::Duration => duration(text).map(drop).ok_or("write a time span such as 500ms, 30s, 5m or 2h"),
            Kind::OptionalDuration if text.trim().is_empty() => Ok(()),
            Kind::OptionalDuration => {
                duration(text).map(drop).ok_or("write a time span such as 30s, 2h or 7d, or nothing")
            }
            Kind::Count => count(text).map(drop).ok_or("write a whole number from 1"),
            Kind::Amount => amount(text).map(drop).ok_or("write a whole number, or 0 for no limit"),
            Kind::List => Ok(()),
            Kind::Path => {
                (!text.contains("-----BEGIN")).then_some(()).ok_or("write the path of the file, not its content")
            }
            Kind::Tokens => (secrets(text).iter().all(|token| token.bytes().all(|byte| byte.is_ascii_graphic())))
                .then_some(())
                .ok_or("write tokens of ASCII letters, digits and signs, between commas or one a line"),
            Kind::Users => (secrets(text).iter().all(|user| is_user(user)))
                .then_some(())
                .ok_or("write users as name:password, between commas or one a line"),
            Kind::HeaderName => (text.is_empty() || header_name(text).is_some())
                .then_some(())
                .ok_or("write the name of a header such as x-api-key"),
            Kind::TlsVersion => matches!(text, "1.2" | "1.3").then_some(()).ok_or("write 1.2 or 1.3"),
        }
    }
}

/// A size in bytes: digits and a unit of bytes, KiB, MiB, GiB, TiB, kB, MB, GB or TB.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..unit_at].parse().ok()?;
    let factor: u64 = match text[unit_at..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" | "k" | "ki" => 1 << 10,
        "mib" | "m" | "mi" => 1 << 20,
        "gib" | "g" | "gi" => 1 << 30,
        "tib" | "t" | "ti" => 1 << 40,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// A time span such as `500ms` or `1.5h`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    model::time::parse_duration(text.trim()).and_then(|nanos| u64::try_from(nanos).ok()).map(Duration::from_nanos)
}

/// A whole number from 1.
pub(crate) fn count(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|count| *count > 0)
}

/// A whole number.
pub(crate) fn amount(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Secrets between commas or one a line, without the empty ones.
pub(crate) fn secrets(text: &str) -> Vec<String> {
    text.split([',', '\n', '\r']).map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn is_user(text: &str) -> bool {
    text.split_once(':').is_some_and(|(name, password)| !name.is_empty() && !password.is_empty())
        && !text.contains(char::is_control)
}

/// The name of a header.
pub(crate) fn header_name(text: &str) -> Option<HeaderName> {
    text.trim().parse().ok()
}

/// Texts between commas, without the empty ones.
pub(crate) fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |text: &str, expect: Option<u64>| assert_eq!(bytes(text), expect, "{text}");
        check("1048576", Some(1 << 20));
        check("64MiB", Some(64 << 20));
        check("64 mib", Some(64 << 20));
        check("2GB", Some(2_000_000_000));
        check("512k", Some(512 << 10));
        check("", None);
        check("MiB", None);
        check("1.5GiB", None);
        check("99999999999TiB", None);
    }

    #[test]
    fn kinds_refuse_what_they_are_not() {
        let check = |kind: Kind, text: &str, expect: bool| assert_eq!(kind.check(text).is_ok(), expect, "{text}");
        check(Kind::Address, "127.0.0.1:4317", true);
        check(Kind::Address, "[::]:4317", true);
        check(Kind::Address, "localhost:0", true);
        check(Kind::Address, ":4317", false);
        check(Kind::Address, "4317", false);
        check(Kind::Address, "127.0.0.1:99999", false);
        check(Kind::OptionalAddress, "", true);
        check(Kind::OptionalAddress, "[::]:514", true);
        check(Kind::OptionalAddress, "514", false);
        check(Kind::Duration, "30s", true);
        check(Kind::Duration, "30", false);
        check(Kind::Duration, "-3s", false);
        check(Kind::OptionalDuration, "", true);
        check(Kind::OptionalDuration, "7d", true);
        check(Kind::OptionalDuration, "7", false);
        check(Kind::Count, "0", false);
        check(Kind::Count, "7", true);
        check(Kind::List, "", true);
        assert_eq!(list("a, b,,"), ["a", "b"]);
    }
}
