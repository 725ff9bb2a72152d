//! Tenants: who owns a record. Every read carries one (I8).

use std::fmt;
use std::sync::Arc;

/// A tenant's id: 1 to 64 of `a-z 0-9 _ -`, so that it is safe as a folder name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(Arc<str>);

/// The text is no tenant id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tenant id is 1 to 64 characters of a-z, 0-9, '_' and '-'")]
pub struct TenantError;

impl TenantId {
    /// The id, if `text` is one.
    pub fn new(text: &str) -> Result<TenantId, TenantError> {
        let allowed = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(TenantId(text.into()))
        } else {
            Err(TenantError)
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TenantId {
    /// The tenant of a server that has only one: `default`.
    fn default() -> Self {
        TenantId("default".into())
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folder_safe_ids() {
        let check = |text: &str, valid: bool| assert_eq!(TenantId::new(text).is_ok(), valid, "{text:?}");
        check("default", true);
        check("team-7_eu", true);
        check(&"a".repeat(64), true);
        check(&"a".repeat(65), false);
        check("", false);
        check("Team", false);
        check("../x", false);
    }
}
