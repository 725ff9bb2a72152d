//! Who may send and who may ask: tokens and users, checked from a request's headers alone, before its body is read.
//!
//! Vocabulary: a *scope* is what a credential is good for; a *token* is sent as `authorization: Bearer …`, in the
//! header that is configured for it, as the password of any user over Basic, which is how a browser sends one, or as
//! the key of an `ApiKey`, which is how clients of Elasticsearch do; a *user* is a name and a password over Basic.
//!
//! Invariants: only digests are kept, so that nothing here can show a secret; a comparison takes the same time
//! wherever two secrets differ, and every credential is compared, whichever matched. A port for whose scope nothing
//! is configured is open.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// What a credential is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Sending telemetry.
    Send,
    /// Asking about it.
    Read,
}

/// The secrets as they are configured.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Tokens that may send.
    pub ingest_tokens: Vec<String>,
    /// Tokens that may ask.
    pub api_tokens: Vec<String>,
    /// Users who may both send and ask, as `user:password`.
    pub users: Vec<String>,
    /// A header that carries a token beside `authorization`, such as `x-api-key`.
    pub header: Option<HeaderName>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Digests of what is configured.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    known: Vec<Known>,
    header: Option<HeaderName>,
}

#[derive(Debug, Clone)]
struct Known {
    digest: blake3::Hash,
    scopes: &'static [Scope],
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// It carries nothing.
    #[error(
        "credentials are missing: send a token as 'authorization: Bearer <token>', or a user and a password over Basic"
    )]
    Missing,
    /// What it carries is not known.
    #[error("the credentials are not known to this server")]
    Unknown,
    /// They are good, for something else.
    #[error("these credentials may ask, but not send")]
    MayNotSend,
    /// They are good, for something else.
    #[error("these credentials may send, but not ask")]
    MayNotRead,
}

impl Denied {
    /// Whether other credentials would help, or none of this kind.
    pub(crate) fn is_unauthenticated(self) -> bool {
        matches!(self, Denied::Missing | Denied::Unknown)
    }

    /// Adds to an answer what it takes.
    pub(crate) fn challenge(self, answer: &mut HeaderMap) {
        if self.is_unauthenticated() {
            // Browsers take the first one that they know, and ask their user.
            answer
                .append(header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Basic realm="spyhop", charset="UTF-8""#));
            answer.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer realm="spyhop""#));
        }
    }
}

impl Credentials {
    /// Takes the digests of what is configured.
    pub fn new(secrets: &Secrets) -> Credentials {
        let token = |scopes: &'static [Scope]| {
            move |token: &String| Known { digest: digest(&[b"token", token.as_bytes()]), scopes }
        };
        let user =
            |user: &String| Known { digest: digest(&[b"user", user.as_bytes()]), scopes: &[Scope::Send, Scope::Read] };
        let known = (secrets.ingest_tokens.iter().map(token(&[Scope::Send])))
            .chain(secrets.api_tokens.iter().map(token(&[Scope::Read])))
            .chain(secrets.users.iter().map(user));
        Credentials { known: known.collect(), header: secrets.header.clone() }
    }

    /// Whether anything has to be shown for this scope.
    pub fn guards(&self, scope: Scope) -> bool {
        self.known.iter().any(|known| known.scopes.contains(&scope))
    }

    /// Whether a request with these headers may do this.
    pub(crate) fn check(&self, scope: Scope, headers: &HeaderMap) -> Result<(), Denied> {
        if !self.guards(scope) {
            return Ok(());
        }
        let shown = self.shown(headers);
        let mut is_granted = false;
        let mut is_known = false;
        for known in &self.known {
            let matches = shown.digests.iter().fold(false, |matches, digest| matches | (*digest == known.digest));
            is_known |= matches;
            is_granted |= matches && known.scopes.contains(&scope);
        }
        match (is_granted, is_known, shown.is_any) {
            (true, ..) => Ok(()),
            (false, true, _) if scope == Scope::Send => Err(Denied::MayNotSend),
            (false, true, _) => Err(Denied::MayNotRead),
            (false, false, true) => Err(Denied::Unknown),
            (false, false, false) => Err(Denied::Missing),
        }
    }

    /// What a request shows, however it shows it.
    fn shown(&self, headers: &HeaderMap) -> Shown {
        let mut shown = Shown::default();
        if let Some(value) = self.header.as_ref().and_then(|name| headers.get(name)) {
            shown.is_any = true;
            let bytes = value.as_bytes().trim_ascii();
            shown.token(scheme(bytes, "bearer").unwrap_or(bytes));
        }
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            shown.is_any = true;
            let bytes = value.as_bytes().trim_ascii();
            if let Some(token) = scheme(bytes, "bearer") {
                shown.token(token);
            } else if let Some(key) = scheme(bytes, "apikey") {
                // `id:key` in base64, or the token as it is.
                shown.token(key);
                if let Some(pair) = decoded(key)
                    && let Some(at) = pair.iter().position(|byte| *byte == b':')
                {
                    shown.token(&pair[at + 1..]);
                }
            } else if let Some(user) = scheme(bytes, "basic").and_then(decoded) {
                shown.digests.push(digest(&[b"user", &user]));
                if let Some(at) = user.iter().position(|byte| *byte == b':') {
                    shown.token(&user[at + 1..]);
                }
            }
        }
        shown
    }
}

/// Digests of what a request shows.
#[derive(Default)]
struct Shown {
    digests: Vec<blake3::Hash>,
    is_any: bool,
}

impl Shown {
    fn token(&mut self, token: &[u8]) {
        self.digests.push(digest(&[b"token", token]));
    }
}

/// A digest over kind and secret; comparing two takes the same time wherever they differ.
fn digest(parts: &[&[u8]; 2]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_derive_key("spyhop credentials");
    hasher.update(parts[0]).update(&[0]).update(parts[1]);
    hasher.finalize()
}

/// What follows a scheme, whose letter case does not matter.
fn scheme<'a>(value: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (head, rest) = value.split_at_checked(name.len())?;
    (head.eq_ignore_ascii_case(name.as_bytes()) && rest.first() == Some(&b' ')).then(|| rest.trim_ascii_start())
}

fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets {
            ingest_tokens: vec!["send-1".to_owned(), "send-2".to_owned()],
            api_tokens: vec!["read-1".to_owned()],
            users: vec!["ann:pass:word".to_owned(), "bö:grün".to_owned()],
            header: Some(HeaderName::from_static("x-api-key")),
        }
    }

    fn basic(user: &str) -> String {
        format!("Basic {}", STANDARD.encode(user))
    }

    #[test]
    fn what_is_shown_decides() {
        let credentials = Credentials::new(&secrets());
        let check = |headers: &[(&'static str, &str)], scope, expect: Result<(), Denied>| {
            let headers = headers.iter().map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header value"))
            });
            assert_eq!(
                credentials.check(scope, &HeaderMap::from_iter(headers.clone())),
                expect,
                "{:?}",
                headers.collect::<Vec<_>>()
            );
        };
        let (send, read) = (Scope::Send, Scope::Read);
        check(&[], send, Err(Denied::Missing));
        check(&[("authorization", "")], send, Err(Denied::Unknown));
        check(&[("authorization", "Bearer send-1")], send, Ok(()));
        check(&[("authorization", "bearer  send-2 ")], send, Ok(()));
        check(&[("authorization", "Bearer send-3")], send, Err(Denied::Unknown));
        check(&[("authorization", "Bearer send-1")], read, Err(Denied::MayNotRead));
        check(&[("authorization", "Bearer read-1")], send, Err(Denied::MayNotSend));
        check(&[("authorization", "Bearer read-1")], read, Ok(()));
        check(&[("authorization", "send-1")], send, Err(Denied::Unknown));
        check(&[("authorization", "Bearersend-1")], send, Err(Denied::Unknown));
        check(&[("x-api-key", "send-1")], send, Ok(()));
        check(&[("x-api-key", "Bearer send-1")], send, Ok(()));
        check(&[("x-api-key", "nothing"), ("authorization", "Bearer send-1")], send, Ok(()));
        check(&[("x-other-key", "send-1")], send, Err(Denied::Missing));
        check(&[("authorization", &basic("ann:pass:word"))], send, Ok(()));
        check(&[("authorization", &basic("ann:pass:word"))], read, Ok(()));
        check(&[("authorization", &basic("bö:grün"))], read, Ok(()));
        check(&[("authorization", &basic("ann:pass"))], send, Err(Denied::Unknown));
        check(&[("authorization", &basic("anybody:read-1"))], read, Ok(()));
        check(&[("authorization", &basic("anybody:send-1"))], read, Err(Denied::MayNotRead));
        check(&[("authorization", "Basic ???")], read, Err(Denied::Unknown));
        let api_key = |pair: &str| format!("ApiKey {}", STANDARD.encode(pair));
        check(&[("authorization", &api_key("any id:send-1"))], send, Ok(()));
        check(&[("authorization", "apikey send-1")], send, Ok(()));
        check(&[("authorization", &api_key("send-1"))], send, Err(Denied::Unknown));
        check(&[("authorization", &api_key("ann:pass:word"))], send, Err(Denied::Unknown));
        // A user is no token and a token no user.
        check(&[("authorization", "Bearer ann:pass:word")], read, Err(Denied::Unknown));
        check(&[("authorization", &basic("send-1"))], send, Err(Denied::Unknown));
    }

    #[test]
    fn a_scope_without_credentials_is_open() {
        let only_send = Secrets { api_tokens: Vec::new(), users: Vec::new(), ..secrets() };
        let credentials = Credentials::new(&only_send);
        assert!(credentials.guards(Scope::Send) && !credentials.guards(Scope::Read));
        assert_eq!(credentials.check(Scope::Read, &HeaderMap::new()), Ok(()));
        assert_eq!(Credentials::default().check(Scope::Send, &HeaderMap::new()), Ok(()));
    }

    #[test]
    fn nothing_shows_a_secret() {
        let shown = format!("{:?} {:?}", secrets(), Credentials::new(&secrets()));
        assert!(!shown.contains("send-1") && !shown.contains("pass") && !shown.contains("read-1"), "{shown}");
    }
}
