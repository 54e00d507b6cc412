//! Beside stage 6: what can be said of a policy before everything about a request is known.
//!
//! Stage 5 with sets of outcomes instead of one (`evaluate/partial.rs`): what does not depend on the unknown is
//! evaluated by the same code as in a decision.

use crate::attribute::Attribute;
use crate::evaluate::{Outcomes, PartialEvaluator};
use crate::limits::RULE_COST_MAX;
use crate::policy::{DefaultDecision, Policy};
use crate::program::{Constant, Node, Op, Program};
use crate::value::{Facts, Value};
use angos_identity::{Credential, Identity, Method};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// What is certain of a question, whatever the unknown turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Possibility {
    /// Proved: the answer is no in every case.
    Never,
    /// Not proved either way.
    Sometimes,
    /// Proved: the answer is yes in every case.
    Always,
}

impl Possibility {
    fn of(always: bool, possible: bool) -> Self {
        match (always, possible) {
            (true, _) => Self::Always,
            (false, true) => Self::Sometimes,
            (false, false) => Self::Never,
        }
    }
}

/// What is known of one value.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Known<'a> {
    /// The value; [`Value::Absent`] says that there is none.
    Exactly(Value<'a>),
    /// There is one.
    Present,
    /// There is one, a string that begins so.
    StartsWith(&'a str),
    /// Nothing, not even whether there is one.
    Nothing,
}

/// Whether a caller has something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presence {
    /// It has.
    Present,
    /// It has not.
    Absent,
    /// Not known.
    Unknown,
}

/// What is known of a caller.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Caller {
    /// Everything.
    Exactly(Identity),
    /// What proofs it has, and of these nothing more; its address is unknown.
    With {
        /// A certificate that was verified.
        certificate: Presence,
        /// A credential that was verified.
        credential: Presence,
    },
}

impl Caller {
    /// A caller that proved nothing, at any address.
    pub const ANONYMOUS: Self = Self::With { certificate: Presence::Absent, credential: Presence::Absent };

    /// Any caller at all.
    pub const ANY: Self = Self::With { certificate: Presence::Unknown, credential: Presence::Unknown };

    pub(crate) fn known(&self, attribute: Attribute) -> Known<'_> {
        match self {
            Self::Exactly(identity) => Known::Exactly(attribute.read(identity)),
            Self::With { certificate, credential } => with(*certificate, *credential, attribute),
        }
    }

    /// A caller of which all this is true. What is known of `self` to be absent is absent in it.
    pub(crate) fn example(&self) -> Identity {
        match self {
            Self::Exactly(identity) => identity.clone(),
            Self::With { credential, .. } => {
                let credential = (*credential == Presence::Present)
                    .then(|| Arc::new(Credential { id: "".into(), username: "".into() }));
                Identity::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), None, credential)
            }
        }
    }
}

/// What is known of one request before it is made: [`Facts`] with gaps.
///
/// A completion of it is an identity and [`Facts`] of the declared types of which all this is true.
pub trait PartialFacts {
    /// Who asks.
    fn caller(&self) -> &Caller;

    /// What is known of the `index`-th variable or function declared with
    /// [`EnvironmentBuilder`](crate::EnvironmentBuilder), counted from 0.
    fn fact(&self, index: usize) -> Known<'_>;
}

/// Facts of which all that is known is true: what is not known is absent.
pub(crate) struct Example<'a>(pub(crate) &'a dyn PartialFacts);

impl Facts for Example<'_> {
    fn fact(&self, index: usize) -> Value<'_> {
        match self.0.fact(index) {
            Known::Exactly(value) => value,
            Known::Present | Known::StartsWith(_) | Known::Nothing => Value::Absent,
        }
    }
}

/// What is known of an attribute, given which proofs there are.
fn with(certificate: Presence, credential: Presence, attribute: Attribute) -> Known<'static> {
    let has = |presence: Presence| match presence {
        Presence::Present => Known::Present,
        Presence::Absent => Known::Exactly(Value::Absent),
        Presence::Unknown => Known::Nothing,
    };
    match attribute {
        Attribute::Id | Attribute::Username => has(credential),
        Attribute::ClientIp => Known::Present,
        Attribute::Method => match (certificate, credential) {
            (_, Presence::Present) => Known::Exactly(Value::String(Method::Basic.as_str())),
            (Presence::Present, Presence::Absent) => {
                Known::Exactly(Value::String(Method::Certificate.as_str()))
            }
            (Presence::Absent, Presence::Absent) => Known::Exactly(Value::String(Method::Anonymous.as_str())),
            _ => Known::Present,
        },
        Attribute::Present => match certificate {
            Presence::Present => Known::Exactly(Value::Bool(true)),
            Presence::Absent => Known::Exactly(Value::Bool(false)),
            Presence::Unknown => Known::Present,
        },
        // Of a certificate that is there, these may be missing nevertheless.
        Attribute::SpiffeId | Attribute::SpiffeTrustDomain | Attribute::SpiffePath | Attribute::Authority
            if certificate == Presence::Present =>
        {
            Known::Nothing
        }
        _ => has(certificate),
    }
}

impl Policy {
    /// Whether a request may be allowed of which only this much is known.
    ///
    /// `Never` and `Always` are proofs: [`decide`](Self::decide) answers no, or yes, in every completion of
    /// `partial`. `Sometimes` is none, it may also mean that the rules are too intricate to tell. Costs
    /// at most about [`RULE_COST_MAX`](crate::limits::RULE_COST_MAX) per rule. For tools, not for requests: it
    /// allocates.
    pub fn analyze(&self, partial: &dyn PartialFacts) -> Possibility {
        let example = partial.caller().example();
        let outcomes_of =
            |program: &Program| PartialEvaluator::outcomes_of(&program.root, &example, partial, None);
        let rules: Vec<Outcomes> = self.programs().map(outcomes_of).collect();
        let (always, possible) = match self.default_decision() {
            // Allowed when a rule is true, whatever the others are.
            DefaultDecision::Deny => {
                (rules.iter().any(|rule| rule.is_always(true)), rules.iter().any(|rule| rule.may_be(true)))
            }
            // Allowed when every rule is false: one that has no value denies too.
            DefaultDecision::Allow => {
                (rules.iter().all(|rule| rule.is_always(false)), rules.iter().all(|rule| rule.may_be(false)))
            }
        };
        Possibility::of(always, possible)
    }

    /// Whether the rule at this index may be true in a request of which only this much is known; never,
    /// when there is no such rule. Proofs and cost as in [`analyze`](Self::analyze).
    pub fn analyze_rule(&self, rule: usize, partial: &dyn PartialFacts) -> Possibility {
        let example = partial.caller().example();
        let outcomes_of =
            |program: &Program| PartialEvaluator::outcomes_of(&program.root, &example, partial, None);
        let outcomes = self.programs().nth(rule).map(outcomes_of);
        Possibility::of(
            outcomes.is_some_and(|outcomes| outcomes.is_always(true)),
            outcomes.is_some_and(|outcomes| outcomes.may_be(true)),
        )
    }

    /// About how much work it is to [`analyze`](Self::analyze) the rule at this index once, in the units of
    /// [`RULE_COST_MAX`](crate::limits::RULE_COST_MAX): told from the rule alone, so that a tool can bound what it
    /// spends on many rules, whatever the machine. Some nanoseconds each.
    pub fn analysis_cost(&self, rule: usize) -> u64 {
        self.programs().nth(rule).map_or(0, |program| analysis_cost(&program.root))
    }
}

/// What one visit of an expression may cost. Loops over what is not known are not walked, and over what is known to be
/// absent at once done.
pub(crate) fn analysis_cost(node: &Node) -> u64 {
    let mut parts = 0_u64;
    node.each_part(&mut |part| parts = parts.saturating_add(analysis_cost(part)));
    let rounds = match &node.op {
        Op::Quantified { over, .. } | Op::Transform { over, .. } | Op::TransformMap { over, .. } => {
            rounds(&over.source)
        }
        Op::SortBy { over, .. } => rounds(&over.source).saturating_pow(2),
        Op::ListMethod { list, .. } => rounds(list).saturating_pow(2),
        Op::In(sides) => {
            let [_, list] = &**sides;
            rounds(list)
        }
        _ => 1,
    };
    parts.saturating_add(1).saturating_mul(rounds).min(RULE_COST_MAX.into())
}

/// How often the body of a loop over a list is evaluated.
fn rounds(list: &Node) -> u64 {
    let written = match (&list.op, list.constant()) {
        (Op::List(elements), _) => Some(elements.len()),
        (_, Some(Constant::List(elements))) => Some(elements.len()),
        _ => None,
    };
    let mut is_known = true;
    list.each_origin(&mut |_| is_known = false);
    match written {
        Some(length) => u64::try_from(length).unwrap_or(u64::MAX).max(1),
        None if is_known => RULE_COST_MAX.into(),
        None => 1,
    }
}
