//! Who may do what, as one set that is replaced as a whole.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use angos_auth::Credentials;
use angos_oci::{Name, RepositoryMap};
use angos_policy::Policy;

use crate::judge::{Shadow, Tally};
use crate::shares::Share;

/// Policies and credentials, compiled and complete. Replaced atomically by
/// [`Handle::replace_access`](crate::Handle::replace_access); a request sees one set from beginning to end.
#[derive(Debug, Default)]
pub struct Access {
    /// Asked about every request. None: only the repository policies rule.
    pub global: Option<AccessPolicy>,
    /// Asked about requests on the repository of that name and everything below it, after the global one. Of several
    /// that apply the longest name rules alone.
    pub repositories: RepositoryMap<AccessPolicy>,
    /// What callers may touch whose certificate was vouched for by the client authority of that name: these repositories and
    /// those below them, and nothing else, whatever the policies say. They may ask for the version of the API and for the
    /// list of those repositories. An authority that is not named here is not restricted.
    pub authorities: HashMap<String, Vec<Name>>,
    /// The user names and passwords that are accepted.
    pub credentials: Credentials,
    /// How long reading and compiling the policies took: for the metrics, and zero unless whoever compiles them says.
    pub compile_time: Duration,
}

/// The rules of one policy, those on trial, and what both have decided.
#[derive(Debug)]
pub struct AccessPolicy {
    pub(crate) rules: Policy,
    pub(crate) tally: Tally,
    pub(crate) shadow: Option<Shadow>,
}

impl AccessPolicy {
    /// A policy that is enforced, with nothing on trial.
    pub fn new(rules: Policy) -> Self {
        Self { tally: Tally::new(&rules), rules, shadow: None }
    }

    /// Puts rules on trial: each decision is also made as if they stood among the enforced ones, and the outcome is
    /// counted and logged, never enforced. Their own default decision plays no part.
    #[must_use]
    pub fn with_shadow(self, rules: Policy) -> Self {
        Self { shadow: Some(Shadow::new(rules)), ..self }
    }

    /// The rules that are enforced.
    pub fn rules(&self) -> &Policy {
        &self.rules
    }

    /// The rules on trial.
    pub fn shadow_rules(&self) -> Option<&Policy> {
        self.shadow.as_ref().map(|shadow| &shadow.rules)
    }
}

impl From<Policy> for AccessPolicy {
    fn from(rules: Policy) -> Self {
        Self::new(rules)
    }
}

/// A set in use.
#[derive(Debug)]
pub(crate) struct AccessInForce {
    pub(crate) access: Access,
    /// Names the set in the decision log.
    pub(crate) generation: u64,
    /// When it was put into force.
    pub(crate) since: SystemTime,
    /// The requests in flight of each user of the credentials, by the user's index.
    user_shares: Vec<Arc<Share>>,
}

impl AccessInForce {
    pub(crate) fn new(access: Access, generation: u64) -> Self {
        let user_shares =
            std::iter::repeat_with(Arc::default).take(access.credentials.user_count()).collect();
        Self { access, generation, since: SystemTime::now(), user_shares }
    }

    /// The requests in flight of a user.
    pub(crate) fn user_share(&self, username: &str) -> Option<&Arc<Share>> {
        let index = self.access.credentials.user_index(username)?;
        self.user_shares.get(index)
    }
}
