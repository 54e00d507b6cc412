//! Policies and credentials, as one set that is replaced as a whole.

use std::sync::Arc;
use std::time::SystemTime;

use angos_access::AccessPolicies;
use angos_auth::Credentials;

use crate::request::request_limit::CallerShare;

/// Policies and credentials, compiled and complete. Replaced atomically by
/// [`Handle::replace_access`](crate::Handle::replace_access); a request sees one set from beginning to end.
#[derive(Debug, Default)]
pub struct Access {
    /// The policies that decide requests.
    pub policies: AccessPolicies,
    /// The user names and passwords that are accepted.
    pub credentials: Credentials,
}

impl From<AccessPolicies> for Access {
    fn from(policies: AccessPolicies) -> Self {
        Self { policies, credentials: Credentials::default() }
    }
}

/// A set in use.
#[derive(Debug)]
pub(crate) struct CurrentAccess {
    pub(crate) access: Access,
    /// Names the set in the decision log.
    pub(crate) generation: u64,
    /// When it was put into force.
    pub(crate) since: SystemTime,
    /// The requests in flight of each user of the credentials, by the user's index.
    user_shares: Vec<Arc<CallerShare>>,
}

impl CurrentAccess {
    pub(crate) fn new(access: Access, generation: u64) -> Self {
        let user_shares =
            std::iter::repeat_with(Arc::default).take(access.credentials.user_count()).collect();
        Self { access, generation, since: SystemTime::now(), user_shares }
    }

    /// The requests in flight of a user.
    pub(crate) fn user_share(&self, username: &str) -> Option<&Arc<CallerShare>> {
        let index = self.access.credentials.user_index(username)?;
        self.user_shares.get(index)
    }
}
