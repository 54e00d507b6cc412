//! Lints about what rules say, whoever asks.

use angos_access::RequestClass;
use angos_policy::{Caller, PartialFacts, Policy, Possibility, Redundancy, RuleSource, Variable};

use super::{
    ABSENCE_TIMES, ABSENT_FIELD, CONSTANT_RULE, Linter, NEVER_TRUE, NOBODY_PASSES, Place, REDUNDANT_RULE,
    Written, everybody, listed,
};

impl Linter<'_, '_> {
    /// The indices of the rules that say the same of every request.
    pub(super) fn judge_rules(&mut self, written: &Written<'_>, everybody: &[RequestClass]) -> Vec<usize> {
        if written.in_force.is_none() {
            self.nobody_passes(written, everybody);
        }
        let constant = self.constants(written, everybody);
        if written.allows_by_rules() {
            self.absent_field(written);
        }
        constant
    }

    fn nobody_passes(&mut self, written: &Written<'_>, everybody: &[RequestClass]) {
        let never = |situation: &RequestClass| {
            self.pay_for_all(written.policy);
            !self.is_spent() && written.policy.analyze(situation) == Possibility::Never
        };
        if !everybody.iter().all(never) {
            return;
        }
        let (message, help) = match (written.allows_by_rules(), written.policy.is_empty()) {
            (true, true) => ("no request is allowed: there is no rule", "add rules that allow"),
            (true, false) => ("no request is allowed: no rule is ever true", "add rules that allow"),
            (false, _) => {
                ("no request is allowed: some rule denies each", "leave the rule out, or make it narrower")
            }
        };
        self.warn(NOBODY_PASSES, written, &Place::Policy, message.to_owned(), help);
    }

    /// Reports the rules that are always or never true; the indices of the former, and of those that read nothing.
    fn constants(&mut self, written: &Written<'_>, everybody: &[RequestClass]) -> Vec<usize> {
        let mut constant = Vec::new();
        for rule in 0..written.policy.len() {
            if self.is_spent() {
                break;
            }
            let consider = |situation: &RequestClass| {
                self.pay(written.policy, rule, 1);
                written.policy.analyze_rule(rule, situation)
            };
            let always = everybody.iter().all(|situation| consider(situation) == Possibility::Always);
            let never = everybody.iter().all(|situation| consider(situation) == Possibility::Never);
            let reads_nothing = written.policy.variables(rule).is_empty();
            if always || (never && reads_nothing) {
                constant.push(rule);
            }
            let (answer, would) =
                if written.allows_by_rules() { ("allows", "would allow") } else { ("denies", "would deny") };
            let answer = if written.in_force.is_some() { would } else { answer };
            let (lint, message, help) = match (always, never) {
                (true, _) => {
                    let message = format!("this rule is always true: the policy {answer} everything");
                    (CONSTANT_RULE, message, "make it narrower; beside it the other rules mean nothing")
                }
                (_, true) if reads_nothing => {
                    let message = "this rule is never true, whatever is asked".to_owned();
                    (CONSTANT_RULE, message, "leave it out")
                }
                (_, true) => {
                    let message = "this rule is true of no request".to_owned();
                    (
                        NEVER_TRUE,
                        message,
                        "some parts exclude each other, or ask what the named actions do not have",
                    )
                }
                (false, false) => continue,
            };
            self.warn(lint, written, &Place::Rule(rule, 0), message, help);
        }
        constant
    }

    /// Rules that another one makes superfluous; of those on trial, also one in force.
    pub(super) fn redundant(&mut self, written: &Written<'_>, constant: &[usize]) {
        let everybody = everybody(written.repository);
        let circumstances: Vec<&dyn PartialFacts> =
            everybody.iter().map(|it| it as &dyn PartialFacts).collect();
        // Compiled apart, they compile together; too many of them are not compared.
        let together = written.in_force.map(|in_force| {
            let sources: Vec<RuleSource> = sources(in_force).chain(sources(written.policy)).collect();
            Policy::compile(&angos_access::environment(), in_force.default_decision(), &sources)
        });
        let (policy, before) = match &together {
            None => (written.policy, 0),
            Some(Ok(together)) => (together, together.len() - written.policy.len()),
            Some(Err(_)) => return,
        };
        for Redundancy { rule, because_of } in policy.redundancies(&circumstances, self.effort.get_mut()) {
            let Some(rule) = rule.checked_sub(before) else { continue };
            let because_of_constant = because_of.checked_sub(before).is_some_and(|it| constant.contains(&it));
            if constant.contains(&rule) || because_of_constant {
                continue;
            }
            let name = policy.rule_name(because_of);
            let message = format!("`{name}` is true whenever this rule is");
            self.warn(REDUNDANT_RULE, written, &Place::Rule(rule, 0), message, "leave this rule out");
        }
    }

    fn absent_field(&mut self, written: &Written<'_>) {
        let mut situations = RequestClass::all(&Caller::ANY, written.repository);
        // Which tags such a request changes is asked about one by one.
        situations.retain(|situation| !situation.is_change_by_digest());
        for rule in 0..written.policy.len() {
            if self.is_spent() {
                break;
            }
            let absence = |situation| {
                self.pay(written.policy, rule, ABSENCE_TIMES);
                written.policy.depends_on_absence(rule, situation)
            };
            let absences: Vec<_> = situations
                .iter()
                .filter_map(|situation| Some((situation, absence(situation)?)))
                .filter(|(_, absence)| matches!(absence.variable, Variable::Fact(_)))
                .collect();
            let Some((_, first)) = absences.first() else { continue };
            let of_first: Vec<&RequestClass> = absences
                .iter()
                .filter(|(_, absence)| absence == first)
                .map(|(situation, _)| *situation)
                .collect();
            let path = RequestClass::path(first.variable);
            let message = format!("a request without `{path}` passes here: {}", listed(&of_first));
            let help = format!("name the actions that are meant, or add `has({path}) && …`");
            self.warn(ABSENT_FIELD, written, &Place::Rule(rule, first.offset), message, &help);
        }
    }
}

fn sources(policy: &Policy) -> impl Iterator<Item = RuleSource> + '_ {
    (0..policy.len()).map(|rule| RuleSource {
        name: Some(policy.rule_name(rule).to_owned()),
        when: policy.rule_source(rule).to_owned(),
    })
}
