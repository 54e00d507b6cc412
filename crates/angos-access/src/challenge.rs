//! Whether the response to a refused request asks the client for a user name and a password.

use crate::decide::Decision;
use crate::explain::Explanation;

/// What denied a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The policies. They may allow the same request of a caller who also has a credential.
    ByPolicies,
    /// The restriction of the CA that issued the caller's certificate. It holds whatever else the caller proves.
    ByCa,
}

impl Decision<'_> {
    /// What denied the request; `None` if it is allowed.
    pub fn denial(&self) -> Option<Denial> {
        match self {
            _ if self.is_allowed() => None,
            Self::CaRestriction(_) => Some(Denial::ByCa),
            _ => Some(Denial::ByPolicies),
        }
    }
}

impl Explanation {
    /// What denied the request; `None` if it is allowed.
    pub fn denial(&self) -> Option<Denial> {
        match self.reason {
            _ if self.is_allowed => None,
            "ca_restriction" => Some(Denial::ByCa),
            _ => Some(Denial::ByPolicies),
        }
    }
}

/// Decides whether a refused request is challenged, by what is known about the credentials of the request.
///
/// Guarantee: a request is challenged only where credentials are configured. Elsewhere a challenge would make clients ask
/// people for passwords that no listener accepts (RFC 9110 §15.5.2, §15.5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge {
    credentials_configured: bool,
    credential_sent: bool,
}

impl Challenge {
    /// `credentials_configured`: whether any user has a password; `credential_sent`: whether the request came with a
    /// credential.
    pub fn new(credentials_configured: bool, credential_sent: bool) -> Self {
        Self { credentials_configured, credential_sent }
    }

    /// Whether to ask for a credential after this denial: not when the request came with one, and not when no credential
    /// can change the answer.
    pub fn after_denial(self, denial: Denial) -> bool {
        self.credentials_configured && !self.credential_sent && denial == Denial::ByPolicies
    }

    /// Whether to ask for another credential when the one that was sent is not accepted.
    pub fn after_rejection(self) -> bool {
        self.credentials_configured
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_only_where_a_credential_can_help() {
        for (configured, sent, denial, expected) in [
            (true, false, Denial::ByPolicies, true),
            (true, false, Denial::ByCa, false),
            (true, true, Denial::ByPolicies, false),
            (false, false, Denial::ByPolicies, false),
        ] {
            let challenge = Challenge::new(configured, sent);
            assert_eq!(challenge.after_denial(denial), expected, "{challenge:?} {denial:?}");
            assert_eq!(challenge.after_rejection(), configured);
        }
    }
}
