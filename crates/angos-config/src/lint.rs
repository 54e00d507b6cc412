//! The lints of `angos check`: valid policies that probably do not do what their author wanted.
//!
//! Each finding is proven ([`Policy::analyze`]) over all classes of requests, and over callers with and without a
//! certificate and a credential. What cannot be proven is not reported, except what anonymous callers may do: there a
//! possibility is reported too.

mod anonymous;
mod rules;

use std::cell::{Cell, OnceCell};

use angos_access::{AccessPolicies, RequestClass};
use angos_policy::{Caller, DefaultDecision, Policy, Possibility, Presence};

use crate::context::Context;
use crate::document::{
    AccessPolicy, ClientAuth, Document, Listener, ListenerClientAuth, Rule, Server, Surface,
};
use crate::key_path::KeyPath;
use crate::layers::Part;
use crate::limits::LINT_COST_MAX;
use crate::schema::lints::{Lint, NOT_ANALYZED};

/// One list of rules, and where the configuration has it.
struct LintedPolicy<'a> {
    policy: &'a Policy,
    /// The configured name of the repository; `None` for the global policy.
    repository: Option<&'a str>,
    section: KeyPath,
    /// Where each compiled rule is written.
    rules: Vec<KeyPath>,
    /// The enforced rules, when `policy` holds shadow rules.
    enforced: Option<&'a Policy>,
    allowed: Vec<&'a str>,
}

/// Where a finding is shown.
enum Location {
    Policy,
    /// At a byte of a rule.
    Rule(usize, usize),
}

/// Reports the findings of all policies of a configuration without errors.
pub(crate) fn lint(document: &Document, access: &AccessPolicies, context: &mut Context<'_>) {
    let mut linter = Linter {
        access,
        context,
        is_anonymous_possible: may_be_anonymous(&document.server),
        has_credentials: !document.auth.identity.is_empty(),
        budget: Cell::new(LINT_COST_MAX),
        is_end_reported: false,
        credential_needed: OnceCell::new(),
    };
    let global = document.global.access_policy.as_ref().zip(access.global.as_ref());
    let global = global.map(|found| (found, None, KeyPath::of(&["global", "access_policy"])));
    let repositories = document.repository.iter().filter_map(|(name, repository)| {
        let found = repository.access_policy.as_ref().zip(access.repositories.get(name))?;
        Some((found, Some(name.as_str()), KeyPath::of(&["repository", name, "access_policy"])))
    });
    let mut policies = Vec::new();
    for ((written, policy), repository, section) in global.into_iter().chain(repositories) {
        policies.push(LintedPolicy::new(written, policy.rules(), repository, &section));
        if let Some(rules) = policy.shadow_rules().filter(|rules| !rules.is_empty()) {
            policies.push(
                LintedPolicy::new(written, policy.rules(), repository, &section).into_shadow(written, rules),
            );
        }
    }
    // Comparing rules with each other takes longest, so it comes last.
    let constant: Vec<Vec<usize>> = policies.iter().map(|policy| linter.lint_policy(policy)).collect();
    for (policy, constant) in policies.iter().zip(constant) {
        linter.lint_redundancy(policy, &constant);
    }
}

/// Whether a caller can reach the registry without a certificate.
fn may_be_anonymous(server: &Server) -> bool {
    let is_required = server.tls.as_ref().is_some_and(|tls| tls.client_auth == Some(ClientAuth::Required));
    let is_open = |listener: &Listener| {
        let surfaces = listener.serve.as_deref();
        let is_lenient = listener.client_auth.is_some_and(|wanted| wanted != ListenerClientAuth::Required);
        (listener.tls == Some(false) || is_lenient)
            && surfaces.is_none_or(|it| it.contains(&Some(Surface::Registry)))
    };
    !is_required || server.listener.iter().flatten().any(is_open)
}

impl<'a> LintedPolicy<'a> {
    fn new(
        written: &'a AccessPolicy,
        policy: &'a Policy,
        repository: Option<&'a str>,
        section: &KeyPath,
    ) -> Self {
        let rules = rule_keys(&written.rules, &section.key("rules"));
        let allowed = written.allowed_lints.iter().flatten().map(String::as_str).collect();
        Self { policy, repository, section: section.clone(), rules, enforced: None, allowed }
    }

    /// The shadow rules of the same policy.
    fn into_shadow(self, written: &'a AccessPolicy, rules: &'a Policy) -> Self {
        let rule_keys = rule_keys(&written.shadow_rules, &self.section.key("shadow_rules"));
        Self { policy: rules, rules: rule_keys, enforced: Some(self.policy), ..self }
    }

    fn allows_by_rules(&self) -> bool {
        self.policy.default_decision() == DefaultDecision::Deny
    }
}

/// The key of each compiled rule.
fn rule_keys(rules: &[Option<Rule>], list: &KeyPath) -> Vec<KeyPath> {
    let rule_key = |(index, rule): (usize, &Option<Rule>)| {
        let path = list.index(index);
        Some(match rule.as_ref()? {
            Rule::Bare(_) => path,
            Rule::Named { .. } => path.key("when"),
        })
    };
    rules.iter().enumerate().filter_map(rule_key).collect()
}

struct Linter<'a, 'b> {
    access: &'a AccessPolicies,
    context: &'a mut Context<'b>,
    is_anonymous_possible: bool,
    has_credentials: bool,
    /// Work that may still be spent. When it is spent, nothing more is analyzed.
    budget: Cell<u64>,
    is_end_reported: bool,
    /// An action that a credential may allow and that is not always allowed without one.
    credential_needed: OnceCell<Option<&'static str>>,
}

const WITHOUT_CERTIFICATE: Caller =
    Caller::With { certificate: Presence::Absent, credential: Presence::Present };

/// Every kind of caller.
const CALLERS: [Caller; 4] = [
    Caller::ANONYMOUS,
    WITHOUT_CERTIFICATE,
    Caller::With { certificate: Presence::Present, credential: Presence::Absent },
    Caller::With { certificate: Presence::Present, credential: Presence::Present },
];

impl Linter<'_, '_> {
    /// Lints each rule by itself. Returns the indices of those with the same result for every request.
    fn lint_policy(&mut self, written: &LintedPolicy<'_>) -> Vec<usize> {
        let all_classes = all_classes(written.repository);
        let constant = self.lint_rules(written, &all_classes);
        if self.is_anonymous_possible && written.enforced.is_none() {
            self.lint_anonymous(written);
        }
        self.report_end(written);
        constant
    }

    /// Compares each rule with the others.
    fn lint_redundancy(&mut self, written: &LintedPolicy<'_>, constant: &[usize]) {
        if !self.is_spent() {
            self.redundant(written, constant);
            self.report_end(written);
        }
    }

    /// Reports once that the budget is spent.
    fn report_end(&mut self, written: &LintedPolicy<'_>) {
        if self.is_spent() && !std::mem::replace(&mut self.is_end_reported, true) {
            let message = "the policies from this one on were not analyzed completely: \
                           all rules together are too many or too costly";
            let help = "the reported findings are certain, and there may be more; use fewer or simpler rules";
            self.warn(NOT_ANALYZED, written, &Location::Policy, message.to_owned(), help);
        }
    }

    /// Whether the global and the repository's policy allow the class; both must.
    fn possibility(&self, repository: Option<&str>, class: &RequestClass) -> Possibility {
        let repository = repository.and_then(|name| self.access.repositories.get(name));
        let asked = self.access.global.iter().chain(repository).map(|policy| {
            self.spend_on_all(policy.rules());
            policy.rules().analyze(class)
        });
        asked.reduce(both).unwrap_or(Possibility::Never)
    }

    /// Whether the budget is spent.
    fn is_spent(&self) -> bool {
        self.budget.get() == 0
    }

    /// Charges the budget for analyzing a rule `times` times.
    fn spend(&self, policy: &Policy, rule: usize, times: u64) {
        let price = policy.analysis_cost(rule).saturating_mul(times);
        self.budget.set(self.budget.get().saturating_sub(price));
    }

    fn spend_on_all(&self, policy: &Policy) {
        (0..policy.len()).for_each(|rule| self.spend(policy, rule, 1));
    }

    fn warn(
        &mut self,
        lint: Lint,
        written: &LintedPolicy<'_>,
        place: &Location,
        message: String,
        help: &str,
    ) {
        if written.allowed.contains(&lint.name) {
            return;
        }
        let layers = self.context.layers;
        let problem = match place {
            Location::Policy => {
                let default = written.section.key("default");
                let path = if layers.has(&default) { &default } else { &written.section };
                layers.error(path, Part::Key, message)
            }
            Location::Rule(rule, offset) => match written.rules.get(*rule) {
                Some(path) => layers.error_within(path, written.policy.rule_source(*rule), *offset, message),
                None => layers.error(&written.section, Part::Key, message),
            },
        };
        self.context.problems.push(problem.with_help(help).into_lint(lint.name));
    }
}

/// Every request class of every kind of caller.
fn all_classes(repository: Option<&str>) -> Vec<RequestClass> {
    CALLERS.iter().flat_map(|caller| RequestClass::all(caller, repository)).collect()
}

/// The conjunction of two possibilities.
fn both(left: Possibility, right: Possibility) -> Possibility {
    match (left, right) {
        (Possibility::Never, _) | (_, Possibility::Never) => Possibility::Never,
        (Possibility::Always, Possibility::Always) => Possibility::Always,
        _ => Possibility::Sometimes,
    }
}

/// The actions, each once, for a message: `a`, `a and b`, `a, b and 3 more`.
fn listed(classes: &[&RequestClass]) -> String {
    let mut words: Vec<&str> = classes.iter().map(|class| class.action().as_str()).collect();
    words.dedup();
    match words.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first, second] => format!("{first} and {second}"),
        [first, second, third] => format!("{first}, {second} and {third}"),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
    }
}

#[cfg(test)]
mod tests;
