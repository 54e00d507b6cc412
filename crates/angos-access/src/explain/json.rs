//! An explanation as data.

use angos_policy::{PartExplanation, PartOutcome, RuleExplanation, RuleOutcome};
use serde::{Serialize, Serializer};

use super::{Explanation, ScopeExplanation, ShadowExplanation};

#[derive(Serialize)]
struct Written<'a> {
    allowed: bool,
    policy: &'a str,
    reason: &'a str,
    rule: &'a str,
    policies: Vec<WrittenPolicy<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trial: Option<WrittenTrial<'a>>,
}

/// What would be answered with the shadow rules.
#[derive(Serialize)]
struct WrittenTrial<'a> {
    allowed: bool,
    policy: &'a str,
    reason: &'a str,
    rule: &'a str,
}

#[derive(Serialize)]
struct WrittenPolicy<'a> {
    policy: &'a str,
    asked: bool,
    allowed: bool,
    rules: Vec<WrittenRule<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    on_trial: Vec<WrittenRule<'a>>,
}

#[derive(Serialize)]
struct WrittenRule<'a> {
    rule: &'a str,
    text: &'a str,
    #[serde(flatten)]
    value: Evaluated<'a>,
    expression: WrittenPart<'a>,
}

/// One expression, and the bytes of the rule's text it is.
#[derive(Serialize)]
struct WrittenPart<'a> {
    start: usize,
    end: usize,
    text: &'a str,
    #[serde(flatten)]
    value: Evaluated<'a>,
    #[serde(skip_serializing_if = "is_once")]
    rounds: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<WrittenPart<'a>>,
}

/// What something evaluated to: `status` is one of `value`, `absent`, `undecidable`, `walked`, `not_evaluated`, `not_kept`.
#[derive(Serialize)]
struct Evaluated<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_once(rounds: &usize) -> bool {
    *rounds <= 1
}

impl Serialize for Explanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let policies = self.policies.iter().map(policy).collect();
        let (allowed, reason) = (self.is_allowed, self.reason);
        let trial = self.shadow.as_ref().map(|ShadowExplanation { is_allowed, scope, rule, reason }| {
            WrittenTrial { allowed: *is_allowed, policy: scope, reason, rule }
        });
        Written { allowed, policy: &self.scope, reason, rule: &self.rule, policies, trial }
            .serialize(serializer)
    }
}

fn policy(told: &ScopeExplanation) -> WrittenPolicy<'_> {
    WrittenPolicy {
        policy: &told.scope,
        asked: told.is_asked,
        allowed: told.explanation.decision.allowed,
        rules: told.explanation.rules.iter().map(rule).collect(),
        on_trial: told.shadow.iter().flat_map(|told| &told.rules).map(rule).collect(),
    }
}

fn rule(rule: &RuleExplanation) -> WrittenRule<'_> {
    let value = match rule.outcome {
        RuleOutcome::True => Evaluated { status: "value", value: Some("true"), cause: None },
        RuleOutcome::False => Evaluated { status: "value", value: Some("false"), cause: None },
        RuleOutcome::Undecidable(cause) => {
            Evaluated { status: "undecidable", value: None, cause: Some(cause.as_str()) }
        }
    };
    WrittenRule { rule: &rule.name, text: &rule.source, value, expression: part(rule, &rule.whole) }
}

fn part<'a>(rule: &'a RuleExplanation, told: &'a PartExplanation) -> WrittenPart<'a> {
    let (status, value, cause) = match &told.outcome {
        PartOutcome::Value(text) => ("value", Some(text.as_str()), None),
        PartOutcome::Absent => ("absent", None, None),
        PartOutcome::Undecidable(cause) => ("undecidable", None, Some(cause.as_str())),
        PartOutcome::Iterated => ("walked", None, None),
        PartOutcome::NotEvaluated => ("not_evaluated", None, None),
        _ => ("not_kept", None, None),
    };
    WrittenPart {
        start: told.span.start,
        end: told.span.end,
        text: rule.text(told),
        value: Evaluated { status, value, cause },
        rounds: told.rounds,
        parts: told.parts.iter().map(|inner| part(rule, inner)).collect(),
    }
}
