//! Lints about callers who have shown neither certificate nor credential.

use angos_access::{Action, RequestClass};
use angos_policy::{Caller, Possibility, Variable};

use super::{
    ABSENCE_TIMES, ABSENT_IDENTITY, ANONYMOUS_VERSION_CHECK, ANONYMOUS_WRITE, Linter, OPEN_REGISTRY, Place,
    WITHOUT_CERTIFICATE, Written, listed,
};

impl Linter<'_, '_> {
    pub(super) fn judge_anonymous(&mut self, written: &Written<'_>) {
        if self.is_spent() {
            return;
        }
        let situations = RequestClass::all(&Caller::ANONYMOUS, written.repository);
        if written.policy.is_empty() && !written.allows_by_rules() {
            self.open_registry(written, &situations);
            return;
        }
        self.writes(written, &situations);
        self.version_check(written, &situations);
        if written.allows_by_rules() {
            self.absent_identity(written, &situations);
        }
    }

    /// Those of the situations that are writes and are not ruled out.
    fn possible_writes<'s>(
        &self,
        written: &Written<'_>,
        situations: &'s [RequestClass],
    ) -> Vec<&'s RequestClass> {
        let is_possible = |situation: &&RequestClass| {
            !self.is_spent()
                && situation.action().is_write()
                && self.possibility(written.repository, situation) != Possibility::Never
        };
        situations.iter().filter(is_possible).collect()
    }

    fn open_registry(&mut self, written: &Written<'_>, situations: &[RequestClass]) {
        if self.possible_writes(written, situations).is_empty() {
            return;
        }
        let message = match written.repository {
            None => {
                "whoever can connect may do everything: the default allows, and no rule denies".to_owned()
            }
            Some(name) => format!(
                "whoever can connect may do everything in `{name}`: the default allows, and no rule denies"
            ),
        };
        let help = "write default = \"deny\" and rules that allow, or a rule that denies: identity.method == 'anonymous'";
        self.warn(OPEN_REGISTRY, written, &Place::Policy, message, help);
    }

    fn writes(&mut self, written: &Written<'_>, situations: &[RequestClass]) {
        let writes = self.possible_writes(written, situations);
        if !written.allows_by_rules() {
            if !writes.is_empty() {
                let message = format!("anonymous callers may {}: no rule denies it", listed(&writes));
                let help = "add a rule that denies: identity.method == 'anonymous' && !request.action.startsWith('get-')";
                self.warn(ANONYMOUS_WRITE, written, &Place::Policy, message, help);
            }
            return;
        }
        for rule in 0..written.policy.len() {
            if self.is_spent() {
                break;
            }
            let how = |situation: &RequestClass| {
                self.pay(written.policy, rule, 1);
                written.policy.analyze_rule(rule, situation)
            };
            let by_rule: Vec<&RequestClass> =
                writes.iter().copied().filter(|situation| how(situation) != Possibility::Never).collect();
            if by_rule.is_empty() {
                continue;
            }
            let certainty = |situation: &&RequestClass| self.possibility(written.repository, situation);
            let is_certain = by_rule.iter().any(|situation| certainty(situation) == Possibility::Always);
            let adverb = if is_certain { "" } else { ", under some circumstances," };
            let message = format!("this rule lets anonymous callers{adverb} {}", listed(&by_rule));
            let help = "add `&& identity.method != 'anonymous'`, or name the actions that are meant: request.action == 'get-blob'";
            self.warn(ANONYMOUS_WRITE, written, &Place::Rule(rule, 0), message, help);
        }
    }

    /// Clients ask `GET /v2/` first, and send the credential they have only if that is answered with a challenge.
    fn version_check(&mut self, written: &Written<'_>, situations: &[RequestClass]) {
        let version = situations.iter().find(|situation| situation.action() == Action::GetApiVersion);
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
            self.warn(ANONYMOUS_VERSION_CHECK, written, &Place::Policy, message, help);
            return;
        }
        for rule in 0..written.policy.len() {
            self.pay(written.policy, rule, 1);
            if self.is_spent() {
                break;
            }
            if written.policy.analyze_rule(rule, version) != Possibility::Never {
                let message = format!("this rule lets anonymous callers get-api-version: {consequence}");
                self.warn(ANONYMOUS_VERSION_CHECK, written, &Place::Rule(rule, 0), message, help);
            }
        }
    }

    fn credential_needed(&self) -> Option<&'static str> {
        *self.credential_needed.get_or_init(|| self.find_credential_needed())
    }

    /// An action that a credential may open and that is not open without one.
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

    fn absent_identity(&mut self, written: &Written<'_>, situations: &[RequestClass]) {
        for rule in 0..written.policy.len() {
            if self.is_spent() {
                break;
            }
            let found = situations.iter().find_map(|situation| {
                self.pay(written.policy, rule, ABSENCE_TIMES);
                let absence = written.policy.depends_on_absence(rule, situation)?;
                let is_possible = || self.possibility(written.repository, situation) != Possibility::Never;
                (matches!(absence.variable, Variable::Identity(_)) && is_possible()).then_some(absence)
            });
            let Some(absence) = found else { continue };
            let path = RequestClass::path(absence.variable);
            let message = format!("an anonymous caller has no `{path}`, and so this is true of every one");
            let help = guard(path);
            self.warn(ABSENT_IDENTITY, written, &Place::Rule(rule, absence.offset), message, &help);
        }
    }
}

/// What keeps anonymous callers out of a comparison.
fn guard(path: &str) -> String {
    if path.starts_with("identity.certificate.") {
        "add `identity.certificate.present && …`".to_owned()
    } else {
        format!("add `{path} != '' && …`")
    }
}
