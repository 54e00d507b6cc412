//! Who may do what, as one set that is replaced as a whole.

use std::collections::HashMap;

use angos_policy::Policy;

use crate::credentials::Credentials;

/// Policies and credentials, compiled and complete. Replaced atomically by
/// [`Handle::replace_access`](crate::Handle::replace_access); a request sees one set from beginning to end.
#[derive(Debug, Default)]
pub struct Access {
    /// Asked about every request. None: only the repository policies rule.
    pub global: Option<Policy>,
    /// Asked about requests on the repository of that name and everything below it, after the global one. Of several
    /// that apply the longest name rules alone.
    pub repositories: HashMap<String, Policy>,
    /// The user names and passwords that are accepted.
    pub credentials: Credentials,
}

/// A set in use.
#[derive(Debug)]
pub(crate) struct AccessInForce {
    pub(crate) access: Access,
    /// Names the set in the decision log.
    pub(crate) generation: u64,
}
