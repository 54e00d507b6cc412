//! An explanation as JSON.

use angos_policy::{PartExplanation, PartOutcome, RuleExplanation, RuleOutcome};
use serde::{Serialize, Serializer};

use super::{Explanation, ScopeExplanation, ShadowExplanation};

#[derive(Serialize)]
struct JsonExplanation<'a> {
    allowed: bool,
    policy: &'a str,
    reason: &'a str,
    rule: &'a str,
    policies: Vec<JsonPolicy<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<JsonShadow<'a>>,
}

/// The decision if the shadow rules were enforced.
#[derive(Serialize)]
struct JsonShadow<'a> {
    allowed: bool,
    policy: &'a str,
    reason: &'a str,
    rule: &'a str,
}

#[derive(Serialize)]
struct JsonPolicy<'a> {
    policy: &'a str,
    asked: bool,
    allowed: bool,
    rules: Vec<JsonRule<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shadow_rules: Vec<JsonRule<'a>>,
}

#[derive(Serialize)]
struct JsonRule<'a> {
    rule: &'a str,
    text: &'a str,
    #[serde(flatten)]
    value: Evaluated<'a>,
    expression: JsonPart<'a>,
}

/// One expression, and the bytes of the rule's text it is.
#[derive(Serialize)]
struct JsonPart<'a> {
    start: usize,
    end: usize,
    text: &'a str,
    #[serde(flatten)]
    value: Evaluated<'a>,
    #[serde(skip_serializing_if = "is_one")]
    rounds: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<JsonPart<'a>>,
}

/// The result of an expression: `status` is one of `value`, `absent`, `undecidable`, `iterated`, `not_evaluated`, `truncated`.
#[derive(Serialize)]
struct Evaluated<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_one(rounds: &usize) -> bool {
    *rounds <= 1
}

impl Serialize for Explanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let policies = self.policies.iter().map(policy).collect();
        let (allowed, reason) = (self.is_allowed, self.reason);
        let shadow = self.shadow.as_ref().map(|ShadowExplanation { is_allowed, scope, rule, reason }| {
            JsonShadow { allowed: *is_allowed, policy: scope, reason, rule }
        });
        JsonExplanation { allowed, policy: &self.scope, reason, rule: &self.rule, policies, shadow }
            .serialize(serializer)
    }
}

fn policy(explained: &ScopeExplanation) -> JsonPolicy<'_> {
    JsonPolicy {
        policy: &explained.scope,
        asked: explained.is_asked,
        allowed: explained.explanation.decision.allowed,
        rules: explained.explanation.rules.iter().map(rule).collect(),
        shadow_rules: explained.shadow.iter().flat_map(|explained| &explained.rules).map(rule).collect(),
    }
}

fn rule(rule: &RuleExplanation) -> JsonRule<'_> {
    let value = match rule.outcome {
        RuleOutcome::True => Evaluated { status: "value", value: Some("true"), cause: None },
        RuleOutcome::False => Evaluated { status: "value", value: Some("false"), cause: None },
        RuleOutcome::Undecidable(cause) => {
            Evaluated { status: "undecidable", value: None, cause: Some(cause.as_str()) }
        }
    };
    JsonRule { rule: &rule.name, text: &rule.source, value, expression: part(rule, &rule.whole) }
}

fn part<'a>(rule: &'a RuleExplanation, explained: &'a PartExplanation) -> JsonPart<'a> {
    let (status, value, cause) = match &explained.outcome {
        PartOutcome::Value(text) => ("value", Some(text.as_str()), None),
        PartOutcome::Absent => ("absent", None, None),
        PartOutcome::Undecidable(cause) => ("undecidable", None, Some(cause.as_str())),
        PartOutcome::Iterated => ("iterated", None, None),
        PartOutcome::NotEvaluated => ("not_evaluated", None, None),
        _ => ("truncated", None, None),
    };
    JsonPart {
        start: explained.span.start,
        end: explained.span.end,
        text: rule.text(explained),
        value: Evaluated { status, value, cause },
        rounds: explained.rounds,
        parts: explained.parts.iter().map(|inner| part(rule, inner)).collect(),
    }
}
