//! Lints about what rules say, whoever asks.

use angos_policy::{Caller, Circumstances, Possibility, Variable};
use angos_server::Situation;

use super::{
    ABSENT_FIELD, CONSTANT_RULE, Linter, NEVER_TRUE, NOBODY_PASSES, Place, REDUNDANT_RULE, Written, listed,
};

impl Linter<'_, '_> {
    pub(super) fn judge_rules(&mut self, written: &Written<'_>, everybody: &[Situation]) {
        self.nobody_passes(written, everybody);
        let constant = self.constants(written, everybody);
        self.redundant(written, everybody, &constant);
        if written.allows_by_rules() {
            self.absent_field(written);
        }
    }

    fn nobody_passes(&mut self, written: &Written<'_>, everybody: &[Situation]) {
        let never = |situation: &Situation| written.policy.consider(situation) == Possibility::Never;
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
    fn constants(&mut self, written: &Written<'_>, everybody: &[Situation]) -> Vec<usize> {
        let mut constant = Vec::new();
        for rule in 0..written.policy.len() {
            let consider = |situation: &Situation| written.policy.consider_rule(rule, situation);
            let always = everybody.iter().all(|situation| consider(situation) == Possibility::Always);
            let never = everybody.iter().all(|situation| consider(situation) == Possibility::Never);
            let reads_nothing = written.policy.variables(rule).is_empty();
            if always || (never && reads_nothing) {
                constant.push(rule);
            }
            let answer = if written.allows_by_rules() { "allows" } else { "denies" };
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

    fn redundant(&mut self, written: &Written<'_>, everybody: &[Situation], constant: &[usize]) {
        let circumstances: Vec<&dyn Circumstances> =
            everybody.iter().map(|it| it as &dyn Circumstances).collect();
        for redundancy in written.policy.redundancies(&circumstances) {
            if constant.contains(&redundancy.rule) || constant.contains(&redundancy.because_of) {
                continue;
            }
            let name = written.policy.rule_name(redundancy.because_of);
            let message = format!("`{name}` is true whenever this rule is");
            self.warn(
                REDUNDANT_RULE,
                written,
                &Place::Rule(redundancy.rule, 0),
                message,
                "leave this rule out",
            );
        }
    }

    fn absent_field(&mut self, written: &Written<'_>) {
        let mut situations = Situation::all(&Caller::ANYBODY, written.repository);
        // Which tags such a push sets is asked about one by one.
        situations.retain(|situation| !situation.is_push_by_digest());
        for rule in 0..written.policy.len() {
            let absences: Vec<_> = situations
                .iter()
                .filter_map(|situation| Some((situation, written.policy.rests_on_absence(rule, situation)?)))
                .filter(|(_, absence)| matches!(absence.variable, Variable::Fact(_)))
                .collect();
            let Some((_, first)) = absences.first() else { continue };
            let of_first: Vec<&Situation> = absences
                .iter()
                .filter(|(_, absence)| absence == first)
                .map(|(situation, _)| *situation)
                .collect();
            let path = Situation::path(first.variable);
            let message = format!("a request without `{path}` passes here: {}", listed(&of_first));
            let help = format!("name the actions that are meant, or add `has({path}) && …`");
            self.warn(ABSENT_FIELD, written, &Place::Rule(rule, first.offset), message, &help);
        }
    }
}
