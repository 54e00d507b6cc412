//! Lints about anonymous callers: those with neither a certificate nor a credential.

use angos_access::{Action, RequestClass};
use angos_policy::{Caller, Possibility, Variable};

use super::{LintedPolicy, Linter, Location, WITHOUT_CERTIFICATE, listed};
use crate::limits::ABSENCE_COST_FACTOR;
use crate::schema::lints::{ABSENT_IDENTITY, ANONYMOUS_VERSION_CHECK, ANONYMOUS_WRITE, OPEN_REGISTRY};

impl Linter<'_, '_> {
    pub(super) fn lint_anonymous(&mut self, written: &LintedPolicy<'_>) {
        if self.is_spent() {
            return;
        }
        let classes = RequestClass::all(&Caller::ANONYMOUS, written.repository);
        if written.policy.is_empty() && !written.allows_by_rules() {
            self.open_registry(written, &classes);
            return;
        }
        self.writes(written, &classes);
        self.version_check(written, &classes);
        if written.allows_by_rules() {
            self.absent_identity(written, &classes);
        }
    }

    /// The request classes that write and that may be allowed.
    fn possible_writes<'s>(
        &self,
        written: &LintedPolicy<'_>,
        classes: &'s [RequestClass],
    ) -> Vec<&'s RequestClass> {
        let is_possible = |class: &&RequestClass| {
            !self.is_spent()
                && class.action().is_write()
                && self.possibility(written.repository, class) != Possibility::Never
        };
        classes.iter().filter(is_possible).collect()
    }

    fn open_registry(&mut self, written: &LintedPolicy<'_>, classes: &[RequestClass]) {
        if self.possible_writes(written, classes).is_empty() {
            return;
        }
        let message = match written.repository {
            None => "every client that can connect may do everything: the default allows, and no rule denies"
                .to_owned(),
            Some(name) => format!(
                "every client that can connect may do everything in `{name}`: the default allows, and no rule denies"
            ),
        };
        let help = "write default = \"deny\" and rules that allow, or a rule that denies: identity.method == 'anonymous'";
        self.warn(OPEN_REGISTRY, written, &Location::Policy, message, help);
    }

    fn writes(&mut self, written: &LintedPolicy<'_>, classes: &[RequestClass]) {
        let writes = self.possible_writes(written, classes);
        if !written.allows_by_rules() {
            if !writes.is_empty() {
                let message = format!("anonymous callers may {}: no rule denies it", listed(&writes));
                let help = "add a rule that denies: identity.method == 'anonymous' && !request.action.startsWith('get-')";
                self.warn(ANONYMOUS_WRITE, written, &Location::Policy, message, help);
            }
            return;
        }
        for rule in 0..written.policy.len() {
            if self.is_spent() {
                break;
            }
            let how = |class: &RequestClass| {
                self.spend(written.policy, rule, 1);
                written.policy.analyze_rule(rule, class)
            };
            let by_rule: Vec<&RequestClass> =
                writes.iter().copied().filter(|class| how(class) != Possibility::Never).collect();
            if by_rule.is_empty() {
                continue;
            }
            let certainty = |class: &&RequestClass| self.possibility(written.repository, class);
            let is_certain = by_rule.iter().any(|class| certainty(class) == Possibility::Always);
            let adverb = if is_certain { "" } else { ", under some circumstances," };
            let message = format!("this rule lets anonymous callers{adverb} {}", listed(&by_rule));
            let help = "add `&& identity.method != 'anonymous'`, or name the actions that are meant: request.action == 'get-blob'";
            self.warn(ANONYMOUS_WRITE, written, &Location::Rule(rule, 0), message, help);
        }
    }

    /// Clients ask `GET /v2/` first, and send the credential they have only if that is answered with a challenge.
    fn version_check(&mut self, written: &LintedPolicy<'_>, classes: &[RequestClass]) {
        let version = classes.iter().find(|class| class.action() == Action::GetApiVersion);
        let Some(version) = version.filter(|_| self.has_credentials) else { return };
        let Some(needed) = self.credential_needed() else { return };
        if self.possibility(None, version) == Possibility::Never {
            return;
        }
        let consequence = format!(
            "GET /v2/ without a credential is then answered 200, never with a challenge: clients that wait to be \
             asked (docker among them) send no password, and are refused when they {needed}"
        );
        let help =
            "add `&& request.action != 'get-api-version'`; then every client is asked for a credential first";
        if !written.allows_by_rules() {
            let message = format!("anonymous callers may get-api-version: {consequence}");
            let help = "add a rule that denies: identity.method == 'anonymous' && request.action == 'get-api-version'";
            self.warn(ANONYMOUS_VERSION_CHECK, written, &Location::Policy, message, help);
            return;
        }
        for rule in 0..written.policy.len() {
            self.spend(written.policy, rule, 1);
            if self.is_spent() {
                break;
            }
            if written.policy.analyze_rule(rule, version) != Possibility::Never {
                let message = format!("this rule lets anonymous callers get-api-version: {consequence}");
                self.warn(ANONYMOUS_VERSION_CHECK, written, &Location::Rule(rule, 0), message, help);
            }
        }
    }

    fn credential_needed(&self) -> Option<&'static str> {
        *self.credential_needed.get_or_init(|| self.find_credential_needed())
    }

    /// An action that a credential may allow and that is not always allowed without one.
    fn find_credential_needed(&self) -> Option<&'static str> {
        let repositories = self.access.repositories.iter().map(|(name, _)| Some(name.as_str()));
        [None].into_iter().chain(repositories).find_map(|repository| {
            let without = RequestClass::all(&Caller::ANONYMOUS, repository);
            let with = RequestClass::all(&WITHOUT_CERTIFICATE, repository);
            let is_needed = |(without, with): &(&RequestClass, &RequestClass)| {
                !self.is_spent()
                    && self.possibility(repository, without) != Possibility::Always
                    && self.possibility(repository, with) != Possibility::Never
            };
            without.iter().zip(&with).find(is_needed).map(|(_, with)| with.action().as_str())
        })
    }

    fn absent_identity(&mut self, written: &LintedPolicy<'_>, classes: &[RequestClass]) {
        for rule in 0..written.policy.len() {
            if self.is_spent() {
                break;
            }
            let found = classes.iter().find_map(|class| {
                self.spend(written.policy, rule, ABSENCE_COST_FACTOR);
                let absence = written.policy.depends_on_absence(rule, class)?;
                let is_possible = || self.possibility(written.repository, class) != Possibility::Never;
                (matches!(absence.variable, Variable::Identity(_)) && is_possible()).then_some(absence)
            });
            let Some(absence) = found else { continue };
            let path = RequestClass::path(absence.variable);
            let message = format!("an anonymous caller has no `{path}`, and so this is true of every one");
            let help = guard(path);
            self.warn(ABSENT_IDENTITY, written, &Location::Rule(rule, absence.offset), message, &help);
        }
    }
}

/// A guard that excludes anonymous callers from a comparison.
fn guard(path: &str) -> String {
    if path.starts_with("identity.certificate.") {
        "add `identity.certificate.present && …`".to_owned()
    } else {
        format!("add `{path} != '' && …`")
    }
}
