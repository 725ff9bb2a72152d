//! The query part of a URL: ordered, readable, and complete (unknown parameters survive a round trip).

use std::fmt::{self, Write};

/// Names and values of a URL's query, decoded, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `a=b&c=d`, with or without a leading `?`. Never fails: broken escapes stay as they are.
    pub fn parse(query: &str) -> Params {
        let query = query.strip_prefix('?').unwrap_or(query);
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Params(pairs.collect())
    }

    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Puts the value at the name's place, or at the end; an empty value removes the name.
    pub fn set(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            self.0.retain(|(key, _)| key != name);
            return;
        }
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Sets a flag to `1`, or removes it.
    pub fn set_flag(&mut self, name: &str, on: bool) {
        self.set(name, if on { "1" } else { "" });
    }

    /// The path with this query behind it.
    pub fn behind(&self, path: &str) -> String {
        match self.0.is_empty() {
            true => path.to_owned(),
            false => format!("{path}?{self}"),
        }
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_char('&')?;
            }
            write!(f, "{}={}", encode(name), encode(value))?;
        }
        Ok(())
    }
}

/// Percent-encodes what a query value may not hold; keeps what reads well in an address bar.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => out.push(char::from(byte)),
            b'-' | b'_' | b'.' | b'~' | b':' | b'/' | b'*' | b'(' | b')' | b',' | b'@' | b'!' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// The reverse of [`encode`], `+` being a space.
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digit = |offset: usize| bytes.get(at + offset).and_then(|b| char::from(*b).to_digit(16));
        match (bytes[at], digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (b'+', ..) => {
                out.push(b' ');
                at += 1;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        let check = |value: &str| {
            let mut params = Params::default();
            params.set("q", value);
            assert_eq!(Params::parse(&params.to_string()).get("q"), Some(value), "{value:?}");
        };
        check("service:checkout AND \"timed out\"");
        check("a&b=c?d#e%f+g");
        check("ünïcode 日本 \u{202e}x");
        check("severity:>=warn -http.route:/health*");
    }

    #[test]
    fn hostile_queries_do_not_panic() {
        let check = |query: &str, expect: &[(&str, &str)]| {
            let params = Params::parse(query);
            for (name, value) in expect {
                assert_eq!(params.get(name), Some(*value), "{query}");
            }
        };
        check("?q=%zz&x", &[("q", "%zz"), ("x", "")]);
        check("q=%", &[("q", "%")]);
        check("q=%f", &[("q", "%f")]);
        check("q=%FF", &[("q", "\u{fffd}")]);
        check("q=a+b&&q=second", &[("q", "a b")]);
        check("=v", &[("", "v")]);
    }

    #[test]
    fn unknown_names_and_order_stay() {
        let mut params = Params::parse("later=1&q=a&from=now-1h");
        params.set("q", "b");
        params.set("from", "");
        params.set_flag("live", true);
        assert_eq!(params.to_string(), "later=1&q=b&live=1");
        assert_eq!(params.behind("/logs"), "/logs?later=1&q=b&live=1");
        assert_eq!(Params::default().behind("/logs"), "/logs");
    }
}
