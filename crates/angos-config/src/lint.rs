//! What a sound policy may mean although nobody meant it: the lints of `angos check`.
//!
//! Each is judged by proof ([`Policy::consider`]): of every request that there may be, of callers with
//! and without certificate and credential. What cannot be told is not reported, but for what anonymous callers
//! may do: there the doubt itself is worth a word.

mod anonymous;
mod rules;

use angos_policy::{Caller, DefaultDecision, Policy, Possibility, Presence};
use angos_server::{Access, Situation};

use crate::configuration::Context;
use crate::document::{
    AccessPolicy, ClientAuth, Document, Listener, ListenerClientAuth, Rule, Server, Surface,
};
use crate::layers::At;
use crate::path::KeyPath;

/// One kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lint {
    /// What it is called in warnings and in `silenced_lints`.
    pub name: &'static str,
    /// What it finds, in one sentence.
    pub doc: &'static str,
}

/// Declares the lints and the list of them.
macro_rules! lints {
    ($($constant:ident = $name:literal, $doc:literal;)*) => {
        $(pub(crate) const $constant: Lint = Lint { name: $name, doc: $doc };)*

        /// Every lint there is: drives `silenced_lints` and the reference documentation.
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
}

/// One policy, and where it is written.
struct Written<'a> {
    policy: &'a Policy,
    /// The configured name of the repository; none for the global policy.
    repository: Option<&'a str>,
    section: KeyPath,
    /// Where each compiled rule is written.
    rules: Vec<KeyPath>,
    silenced: Vec<&'a str>,
}

/// Where a finding is shown.
enum Place {
    Policy,
    /// At a byte of a rule.
    Rule(usize, usize),
}

/// Judges all policies of a configuration that has no errors.
pub(crate) fn lint(document: &Document, access: &Access, context: &mut Context<'_>) {
    let mut linter = Linter {
        access,
        context,
        is_anonymous_possible: may_be_anonymous(&document.server),
        has_credentials: !document.auth.identity.is_empty(),
    };
    let global = document.global.access_policy.as_ref().zip(access.global.as_ref());
    if let Some((written, policy)) = global {
        linter.judge(&Written::new(written, policy.rules(), None, KeyPath::of(&["global", "access_policy"])));
    }
    for (name, repository) in &document.repository {
        if let Some((written, policy)) = repository.access_policy.as_ref().zip(access.repositories.get(name))
        {
            let section = KeyPath::of(&["repository", name, "access_policy"]);
            linter.judge(&Written::new(written, policy.rules(), Some(name), section));
        }
    }
}

/// Whether a caller can come to the registry without a certificate.
fn may_be_anonymous(server: &Server) -> bool {
    let is_required = server.tls.as_ref().is_some_and(|tls| tls.client_auth == Some(ClientAuth::Required));
    let is_open = |listener: &Listener| {
        let surfaces = listener.surfaces.as_deref();
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
        section: KeyPath,
    ) -> Self {
        let rules = written.rules.iter().enumerate().filter_map(|(index, rule)| {
            let path = section.key("rules").index(index);
            Some(match rule.as_ref()? {
                Rule::Bare(_) => path,
                Rule::Named { .. } => path.key("when"),
            })
        });
        let rules = rules.collect();
        let silenced = written.silenced_lints.iter().flatten().map(String::as_str).collect();
        Self { policy, repository, section, rules, silenced }
    }

    fn allows_by_rules(&self) -> bool {
        self.policy.default_decision() == DefaultDecision::Deny
    }
}

struct Linter<'a, 'b> {
    access: &'a Access,
    context: &'a mut Context<'b>,
    is_anonymous_possible: bool,
    has_credentials: bool,
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
    fn judge(&mut self, written: &Written<'_>) {
        let everybody: Vec<Situation> =
            CALLERS.iter().flat_map(|caller| Situation::all(caller, written.repository)).collect();
        self.judge_rules(written, &everybody);
        if self.is_anonymous_possible {
            self.judge_anonymous(written);
        }
    }

    /// Whether the policies that are asked allow it: all of them must.
    fn possibility(&self, repository: Option<&str>, situation: &Situation) -> Possibility {
        let repository = repository.and_then(|name| self.access.repositories.get(name));
        let asked =
            self.access.global.iter().chain(repository).map(|policy| policy.rules().consider(situation));
        asked.reduce(both).unwrap_or(Possibility::Never)
    }

    fn warn(&mut self, lint: Lint, written: &Written<'_>, place: &Place, message: String, help: &str) {
        if written.silenced.contains(&lint.name) {
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

/// What is certain of two questions that must both be answered with yes.
fn both(left: Possibility, right: Possibility) -> Possibility {
    match (left, right) {
        (Possibility::Never, _) | (_, Possibility::Never) => Possibility::Never,
        (Possibility::Always, Possibility::Always) => Possibility::Always,
        _ => Possibility::Sometimes,
    }
}

/// The words of the actions, each once, for a message: `a`, `a and b`, `a, b and 3 more`.
fn listed(situations: &[&Situation]) -> String {
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
