//! Lints about rules, for all callers.

use angos_access::RequestClass;
use angos_policy::{Caller, PartialFacts, Policy, Possibility, Redundancy, RuleSource, Variable};

use super::{LintedPolicy, Linter, Location, all_classes, listed};
use crate::limits::ABSENCE_COST_FACTOR;
use crate::schema::lints::{ABSENT_FIELD, ALWAYS_DENIED, CONSTANT_RULE, NEVER_TRUE, REDUNDANT_RULE};

impl Linter<'_, '_> {
    /// Returns the indices of the rules that have the same result for every request.
    pub(super) fn lint_rules(
        &mut self,
        written: &LintedPolicy<'_>,
        all_classes: &[RequestClass],
    ) -> Vec<usize> {
        if written.enforced.is_none() {
            self.always_denied(written, all_classes);
        }
        let constant = self.constants(written, all_classes);
        if written.allows_by_rules() {
            self.absent_field(written);
        }
        constant
    }

    fn always_denied(&mut self, written: &LintedPolicy<'_>, all_classes: &[RequestClass]) {
        let never = |class: &RequestClass| {
            self.spend_on_all(written.policy);
            !self.is_spent() && written.policy.analyze(class) == Possibility::Never
        };
        if !all_classes.iter().all(never) {
            return;
        }
        let (message, help) = match (written.allows_by_rules(), written.policy.is_empty()) {
            (true, true) => ("no request is allowed: there is no rule", "add rules that allow"),
            (true, false) => ("no request is allowed: no rule is ever true", "add rules that allow"),
            (false, _) => (
                "no request is allowed: each is denied by some rule",
                "leave the rule out, or make it narrower",
            ),
        };
        self.warn(ALWAYS_DENIED, written, &Location::Policy, message.to_owned(), help);
    }

    /// Reports the rules that are always or never true. Returns the indices of those that are always true, or read no variable.
    fn constants(&mut self, written: &LintedPolicy<'_>, all_classes: &[RequestClass]) -> Vec<usize> {
        let mut constant = Vec::new();
        for rule in 0..written.policy.len() {
            if self.is_spent() {
                break;
            }
            let consider = |class: &RequestClass| {
                self.spend(written.policy, rule, 1);
                written.policy.analyze_rule(rule, class)
            };
            let always = all_classes.iter().all(|class| consider(class) == Possibility::Always);
            let never = all_classes.iter().all(|class| consider(class) == Possibility::Never);
            let reads_nothing = written.policy.variables(rule).is_empty();
            if always || (never && reads_nothing) {
                constant.push(rule);
            }
            let (answer, would) =
                if written.allows_by_rules() { ("allows", "would allow") } else { ("denies", "would deny") };
            let answer = if written.enforced.is_some() { would } else { answer };
            let (lint, message, help) = match (always, never) {
                (true, _) => {
                    let message = format!("this rule is always true: the policy {answer} everything");
                    (CONSTANT_RULE, message, "make it narrower; as it is, the other rules have no effect")
                }
                (_, true) if reads_nothing => {
                    let message = "this rule is never true, for any request".to_owned();
                    (CONSTANT_RULE, message, "leave it out")
                }
                (_, true) => {
                    let message = "no request makes this rule true".to_owned();
                    (
                        NEVER_TRUE,
                        message,
                        "some conditions exclude each other, or compare a field that the named actions do not have",
                    )
                }
                (false, false) => continue,
            };
            self.warn(lint, written, &Location::Rule(rule, 0), message, help);
        }
        constant
    }

    /// Reports rules that another rule makes superfluous; for shadow rules, an enforced rule counts too.
    pub(super) fn redundant(&mut self, written: &LintedPolicy<'_>, constant: &[usize]) {
        let all_classes = all_classes(written.repository);
        let facts: Vec<&dyn PartialFacts> = all_classes.iter().map(|it| it as &dyn PartialFacts).collect();
        // Both lists compiled, so they compile together, unless they are too many: then they are not compared.
        let together = written.enforced.map(|enforced| {
            let sources: Vec<RuleSource> = sources(enforced).chain(sources(written.policy)).collect();
            Policy::compile(&angos_access::environment(), enforced.default_decision(), &sources)
        });
        let (policy, before) = match &together {
            None => (written.policy, 0),
            Some(Ok(together)) => (together, together.len() - written.policy.len()),
            Some(Err(_)) => return,
        };
        for Redundancy { rule, because_of } in policy.redundancies(&facts, self.budget.get_mut()) {
            let Some(rule) = rule.checked_sub(before) else { continue };
            let because_of_constant = because_of.checked_sub(before).is_some_and(|it| constant.contains(&it));
            if constant.contains(&rule) || because_of_constant {
                continue;
            }
            let name = policy.rule_name(because_of);
            let message = format!("`{name}` is true whenever this rule is");
            self.warn(REDUNDANT_RULE, written, &Location::Rule(rule, 0), message, "leave this rule out");
        }
    }

    fn absent_field(&mut self, written: &LintedPolicy<'_>) {
        let mut classes = RequestClass::all(&Caller::ANY, written.repository);
        // The tags that such a request changes are checked one by one.
        classes.retain(|class| !class.is_change_by_digest());
        for rule in 0..written.policy.len() {
            if self.is_spent() {
                break;
            }
            let absence = |class| {
                self.spend(written.policy, rule, ABSENCE_COST_FACTOR);
                written.policy.depends_on_absence(rule, class)
            };
            let absences: Vec<_> = classes
                .iter()
                .filter_map(|class| Some((class, absence(class)?)))
                .filter(|(_, absence)| matches!(absence.variable, Variable::Fact(_)))
                .collect();
            let Some((_, first)) = absences.first() else { continue };
            let of_first: Vec<&RequestClass> =
                absences.iter().filter(|(_, absence)| absence == first).map(|(class, _)| *class).collect();
            let path = RequestClass::path(first.variable);
            let message = format!("a request without `{path}` passes here: {}", listed(&of_first));
            let help = format!("name the actions that are meant, or add `has({path}) && …`");
            self.warn(ABSENT_FIELD, written, &Location::Rule(rule, first.offset), message, &help);
        }
    }
}

fn sources(policy: &Policy) -> impl Iterator<Item = RuleSource> + '_ {
    (0..policy.len()).map(|rule| RuleSource {
        name: Some(policy.rule_name(rule).to_owned()),
        when: policy.rule_source(rule).to_owned(),
    })
}
