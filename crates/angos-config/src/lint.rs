//! What a sound policy may mean although nobody meant it: the lints of `angos check`.
//!
//! Each is judged by proof ([`Policy::analyze`]): of every request that there may be, of callers with
//! and without certificate and credential. What cannot be told is not reported, but for what anonymous callers
//! may do: there the doubt itself is worth a word.

mod anonymous;
mod rules;

use std::cell::{Cell, OnceCell};

use angos_access::{AccessPolicies, RequestClass};
use angos_policy::{Caller, DefaultDecision, Policy, Possibility, Presence};

use crate::configuration::Context;
use crate::document::{
    AccessPolicy, ClientAuth, Document, Listener, ListenerClientAuth, Rule, Server, Surface,
};
use crate::layers::At;
use crate::limits::{ABSENCE_TIMES, LINT_EFFORT_MAX};
use crate::path::KeyPath;

/// One kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lint {
    /// What it is called in warnings and in `allowed_lints`.
    pub name: &'static str,
    /// What it finds, in one sentence.
    pub doc: &'static str,
}

/// Declares the lints and the list of them.
macro_rules! lints {
    ($($constant:ident = $name:literal, $doc:literal;)*) => {
        $(pub(crate) const $constant: Lint = Lint { name: $name, doc: $doc };)*

        /// Every lint there is: drives `allowed_lints` and the reference documentation.
        pub static LINTS: &[Lint] = &[$($constant,)*];

        /// Their names.
        pub(crate) const NAMES: &[&str] = &[$($name,)*];
    };
}

lints! {
    OPEN_REGISTRY = "open-registry",
        "A policy allows by default and has no rules, and anonymous callers can connect.";
    ANONYMOUS_WRITE = "anonymous-write",
        "Anonymous callers may push, upload or delete, always or under some circumstances.";
    ANONYMOUS_VERSION_CHECK = "anonymous-version-check",
        "Anonymous callers get a 200 from `GET /v2/`, so clients are never asked for the credential they have.";
    ABSENT_IDENTITY = "absent-identity",
        "A rule is true of anonymous callers only because they lack the name or certificate it compares.";
    ABSENT_FIELD = "absent-field",
        "A rule is true of some actions only because their requests lack the field it compares.";
    NEVER_TRUE = "never-true",
        "A rule is true of no request.";
    CONSTANT_RULE = "constant-rule",
        "A rule is true, or false, of every request.";
    REDUNDANT_RULE = "redundant-rule",
        "A rule is true only where another one is true too.";
    NOBODY_PASSES = "nobody-passes",
        "A policy allows nothing to anybody.";
    NOT_JUDGED = "not-judged",
        "A policy was not judged to its end, since its rules are too many or too costly.";
}

/// One policy, and where it is written.
struct Written<'a> {
    policy: &'a Policy,
    /// The configured name of the repository; none for the global policy.
    repository: Option<&'a str>,
    section: KeyPath,
    /// Where each compiled rule is written.
    rules: Vec<KeyPath>,
    /// The rules in force, when these are on trial beside them.
    in_force: Option<&'a Policy>,
    allowed: Vec<&'a str>,
}

/// Where a finding is shown.
enum Place {
    Policy,
    /// At a byte of a rule.
    Rule(usize, usize),
}

/// Judges all policies of a configuration that has no errors.
pub(crate) fn lint(document: &Document, access: &AccessPolicies, context: &mut Context<'_>) {
    let mut linter = Linter {
        access,
        context,
        is_anonymous_possible: may_be_anonymous(&document.server),
        has_credentials: !document.auth.identity.is_empty(),
        effort: Cell::new(LINT_EFFORT_MAX),
        is_end_told: false,
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
        policies.push(Written::new(written, policy.rules(), repository, &section));
        if let Some(rules) = policy.shadow_rules().filter(|rules| !rules.is_empty()) {
            policies
                .push(Written::new(written, policy.rules(), repository, &section).on_trial(written, rules));
        }
    }
    // What compares rules with each other takes longest, and comes last.
    let constant: Vec<Vec<usize>> = policies.iter().map(|policy| linter.judge(policy)).collect();
    for (policy, constant) in policies.iter().zip(constant) {
        linter.judge_together(policy, &constant);
    }
}

/// Whether a caller can come to the registry without a certificate.
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

impl<'a> Written<'a> {
    fn new(
        written: &'a AccessPolicy,
        policy: &'a Policy,
        repository: Option<&'a str>,
        section: &KeyPath,
    ) -> Self {
        let rules = places(&written.rules, &section.key("rules"));
        let allowed = written.allowed_lints.iter().flatten().map(String::as_str).collect();
        Self { policy, repository, section: section.clone(), rules, in_force: None, allowed }
    }

    /// The rules on trial in its place.
    fn on_trial(self, written: &'a AccessPolicy, rules: &'a Policy) -> Self {
        let places = places(&written.shadow_rules, &self.section.key("shadow_rules"));
        Self { policy: rules, rules: places, in_force: Some(self.policy), ..self }
    }

    fn allows_by_rules(&self) -> bool {
        self.policy.default_decision() == DefaultDecision::Deny
    }
}

/// Where each rule that compiled is written.
fn places(rules: &[Option<Rule>], list: &KeyPath) -> Vec<KeyPath> {
    let place = |(index, rule): (usize, &Option<Rule>)| {
        let path = list.index(index);
        Some(match rule.as_ref()? {
            Rule::Bare(_) => path,
            Rule::Named { .. } => path.key("when"),
        })
    };
    rules.iter().enumerate().filter_map(place).collect()
}

struct Linter<'a, 'b> {
    access: &'a AccessPolicies,
    context: &'a mut Context<'b>,
    is_anonymous_possible: bool,
    has_credentials: bool,
    /// Work that may still be spent; what is known of nothing more is not reported.
    effort: Cell<u64>,
    is_end_told: bool,
    /// An action that a credential may open and that is not open without one.
    credential_needed: OnceCell<Option<&'static str>>,
}

const WITHOUT_CERTIFICATE: Caller =
    Caller::With { certificate: Presence::Absent, credential: Presence::Present };

/// Every kind of caller there may be.
const CALLERS: [Caller; 4] = [
    Caller::ANONYMOUS,
    WITHOUT_CERTIFICATE,
    Caller::With { certificate: Presence::Present, credential: Presence::Absent },
    Caller::With { certificate: Presence::Present, credential: Presence::Present },
];

impl Linter<'_, '_> {
    /// Judges each rule by itself. The indices of those that say the same of every request.
    fn judge(&mut self, written: &Written<'_>) -> Vec<usize> {
        let everybody = everybody(written.repository);
        let constant = self.judge_rules(written, &everybody);
        if self.is_anonymous_possible && written.in_force.is_none() {
            self.judge_anonymous(written);
        }
        self.note_end(written);
        constant
    }

    /// Judges rules by what the others say.
    fn judge_together(&mut self, written: &Written<'_>, constant: &[usize]) {
        if !self.is_spent() {
            self.redundant(written, constant);
            self.note_end(written);
        }
    }

    /// Says once where the judging ended, if it did.
    fn note_end(&mut self, written: &Written<'_>) {
        if self.is_spent() && !std::mem::replace(&mut self.is_end_told, true) {
            let message = "the policies were not judged to their end, from this one on: \
                           all rules together are too many or too costly";
            let help = "what was reported is certain, and there may be more; make the rules fewer or simpler";
            self.warn(NOT_JUDGED, written, &Place::Policy, message.to_owned(), help);
        }
    }

    /// Whether the policies that are asked allow it: all of them must.
    fn possibility(&self, repository: Option<&str>, situation: &RequestClass) -> Possibility {
        let repository = repository.and_then(|name| self.access.repositories.get(name));
        let asked = self.access.global.iter().chain(repository).map(|policy| {
            self.pay_for_all(policy.rules());
            policy.rules().analyze(situation)
        });
        asked.reduce(both).unwrap_or(Possibility::Never)
    }

    /// Whether nothing more may be spent.
    fn is_spent(&self) -> bool {
        self.effort.get() == 0
    }

    /// Pays for considering a rule so often.
    fn pay(&self, policy: &Policy, rule: usize, times: u64) {
        let price = policy.analysis_cost(rule).saturating_mul(times);
        self.effort.set(self.effort.get().saturating_sub(price));
    }

    fn pay_for_all(&self, policy: &Policy) {
        (0..policy.len()).for_each(|rule| self.pay(policy, rule, 1));
    }

    fn warn(&mut self, lint: Lint, written: &Written<'_>, place: &Place, message: String, help: &str) {
        if written.allowed.contains(&lint.name) {
            return;
        }
        let layers = self.context.layers;
        let problem = match place {
            Place::Policy => {
                let default = written.section.key("default");
                let path = if layers.has(&default) { &default } else { &written.section };
                layers.error(path, At::Key, message)
            }
            Place::Rule(rule, offset) => match written.rules.get(*rule) {
                Some(path) => layers.error_within(path, written.policy.rule_source(*rule), *offset, message),
                None => layers.error(&written.section, At::Key, message),
            },
        };
        self.context.problems.push(problem.with_help(help).into_lint(lint.name));
    }
}

/// Every situation of every kind of caller.
fn everybody(repository: Option<&str>) -> Vec<RequestClass> {
    CALLERS.iter().flat_map(|caller| RequestClass::all(caller, repository)).collect()
}

/// What is certain of two questions that must both be answered with yes.
fn both(left: Possibility, right: Possibility) -> Possibility {
    match (left, right) {
        (Possibility::Never, _) | (_, Possibility::Never) => Possibility::Never,
        (Possibility::Always, Possibility::Always) => Possibility::Always,
        _ => Possibility::Sometimes,
    }
}

/// The words of the actions, each once, for a message: `a`, `a and b`, `a, b and 3 more`.
fn listed(situations: &[&RequestClass]) -> String {
    let mut words: Vec<&str> = situations.iter().map(|situation| situation.action().as_str()).collect();
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
