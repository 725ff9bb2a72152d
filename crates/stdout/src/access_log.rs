//! Lines of web servers about one request: the Common Log Format, the combined one, and what nginx, Apache, Caddy's
//! common format and ingress controllers add behind it.

use otlp_wire::LogDraft;

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) client: &'a str,
    pub(crate) time: &'a str,
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) protocol: &'a str,
    pub(crate) status: i64,
    pub(crate) bytes: Option<i64>,
    pub(crate) user_agent: Option<&'a str>,
}

/// Reads `client - user [time] "GET /path HTTP/1.1" 200 12 "referrer" "agent"`.
pub(crate) fn read(text: &str) -> Option<Request<'_>> {
    let open = memchr::memmem::find(&text.as_bytes()[..text.len().min(200)], b" [")?;
    let (client, rest) = (text[..open].split(' ').next()?, &text[open + 2..]);
    let (time, rest) = rest.split_once("] \"")?;
    if time.len() > 40 || client.is_empty() || !client.bytes().any(|byte| matches!(byte, b'.' | b':' | b'-')) {
        return None;
    }
    let (request, rest) = rest.split_once("\" ")?;
    let (method, request) = request.split_once(' ')?;
    let (target, protocol) = request.rsplit_once(' ')?;
    let protocol = protocol.strip_prefix("HTTP/")?;
    let is_method = (3..=10).contains(&method.len()) && method.bytes().all(|byte| byte.is_ascii_uppercase());
    let mut fields = rest.split(' ');
    let status: i64 = fields.next()?.parse().ok()?;
    if !is_method || !(100..600).contains(&status) {
        return None;
    }
    let bytes = fields.next().and_then(|bytes| bytes.parse().ok());
    // Behind status and bytes: "referrer" "agent".
    let user_agent = rest.split('"').nth(3).filter(|agent| !agent.is_empty() && *agent != "-");
    Some(Request { client, time, method, target, protocol, status, bytes, user_agent })
}

impl Request<'_> {
    /// Appends the attributes that HTTP servers have in OpenTelemetry.
    pub(crate) fn attributes(&self, draft: &mut LogDraft) {
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        for (key, text) in [
            ("client.address", self.client),
            ("http.request.method", self.method),
            ("url.path", path),
            ("url.query", query),
            ("network.protocol.version", self.protocol),
            ("user_agent.original", self.user_agent.unwrap_or_default()),
        ] {
            if !text.is_empty() && text != "-" {
                draft.text_attribute(key, text);
            }
        }
        draft.int_attribute("http.response.status_code", self.status);
        if let Some(bytes) = self.bytes {
            draft.int_attribute("http.response.body.size", bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Client, method, target, status, bytes, user agent.
    type Read<'a> = (&'a str, &'a str, &'a str, i64, Option<i64>, Option<&'a str>);

    #[test]
    fn requests() {
        let check = |text: &str, expect: Option<Read<'_>>| {
            let found = read(text).map(|r| (r.client, r.method, r.target, r.status, r.bytes, r.user_agent));
            assert_eq!(found, expect, "{text}");
        };
        check(
            "10.0.0.1 - - [21/Nov/2026:19:30:00 +0000] \"GET /a?b=c HTTP/1.1\" 200 12",
            Some(("10.0.0.1", "GET", "/a?b=c", 200, Some(12), None)),
        );
        check(
            "::1 - mia [21/Nov/2026:19:30:00 +0000] \"POST /x y HTTP/2.0\" 503 - \"http://r/\" \"curl/8 (x)\" 0.1 [up]",
            Some(("::1", "POST", "/x y", 503, None, Some("curl/8 (x)"))),
        );
        check("10.0.0.1 - - [21/Nov/2026:19:30:00 +0000] \"-\" 400 0", None);
        check("a [b] \"GET / HTTP/1.1\" 200 1", None);
        check("2026-11-21 [info] x", None);
        check("", None);
    }
}
