//! The access policies of a registry, as one set that is replaced as a whole.

use std::collections::HashMap;
use std::time::Duration;

use angos_oci::{Name, RepositoryMap};
use angos_policy::Policy;

use crate::decide::{DecisionCounters, ShadowRules};

/// The compiled policies of a registry. The default set has none, and so denies every request.
#[derive(Debug, Default)]
pub struct AccessPolicies {
    /// Asked about every request. None: only the repository policies rule.
    pub global: Option<AccessPolicy>,
    /// Asked about requests on the repository of that name and everything below it, after the global one. Of several
    /// that apply the longest name rules alone.
    pub repositories: RepositoryMap<AccessPolicy>,
    /// What callers may touch whose certificate was vouched for by the client authority of that name: these repositories and
    /// those below them, and nothing else, whatever the policies say. They may ask for the version of the API and for the
    /// list of those repositories. An authority that is not named here is not restricted.
    pub authorities: HashMap<String, Vec<Name>>,
    /// How long reading and compiling the policies took: for the metrics, and zero unless whoever compiles them says.
    pub compile_time: Duration,
}

/// The rules of one policy, its shadow rules, and how often each of them decided.
#[derive(Debug)]
pub struct AccessPolicy {
    pub(crate) rules: Policy,
    pub(crate) counters: DecisionCounters,
    pub(crate) shadow: Option<ShadowRules>,
}

impl AccessPolicy {
    /// A policy that is enforced, without shadow rules.
    pub fn new(rules: Policy) -> Self {
        Self { counters: DecisionCounters::new(&rules), rules, shadow: None }
    }

    /// Adds shadow rules: each decision is also made as if they stood among the enforced rules, and its outcome is
    /// counted and logged, never enforced. The default decision of `rules` is not used.
    #[must_use]
    pub fn with_shadow(self, rules: Policy) -> Self {
        Self { shadow: Some(ShadowRules::new(rules)), ..self }
    }

    /// The rules that are enforced.
    pub fn rules(&self) -> &Policy {
        &self.rules
    }

    /// The shadow rules.
    pub fn shadow_rules(&self) -> Option<&Policy> {
        self.shadow.as_ref().map(|shadow| &shadow.rules)
    }
}

impl AccessPolicy {
    /// How often each enforced rule decided.
    pub fn counters(&self) -> &DecisionCounters {
        &self.counters
    }

    /// How often each shadow rule decided, and the decisions that it would have changed.
    pub fn shadow(&self) -> Option<&ShadowRules> {
        self.shadow.as_ref()
    }
}

impl From<Policy> for AccessPolicy {
    fn from(rules: Policy) -> Self {
        Self::new(rules)
    }
}
