//! Beside stage 6: analyzes a policy when only a part of the request is known.
//!
//! Stage 5 with sets of outcomes instead of one (`evaluate/partial.rs`): an expression without unknown facts
//! is
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

/// The result of an analysis with unknown facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Possibility {
    /// Proven: no in every case.
    Never,
    /// Not proven either way.
    Sometimes,
    /// Proven: yes in every case.
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

/// The knowledge about one value.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Known<'a> {
    /// The exact value; [`Value::Absent`] if it is known to be absent.
    Exactly(Value<'a>),
    /// The value is present.
    Present,
    /// The value is a string with this prefix.
    StartsWith(&'a str),
    /// Unknown: the value may also be absent.
    Nothing,
}

/// Whether a caller has a certificate or a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presence {
    /// It has.
    Present,
    /// It has not.
    Absent,
    /// Not known.
    Unknown,
}

/// The knowledge about a caller.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Caller {
    /// The complete identity.
    Exactly(Identity),
    /// Only the presence of a certificate and of a credential; the address is unknown.
    With {
        /// A verified certificate.
        certificate: Presence,
        /// A verified credential.
        credential: Presence,
    },
}

impl Caller {
    /// A caller without certificate and credential, at any address.
    pub const ANONYMOUS: Self = Self::With { certificate: Presence::Absent, credential: Presence::Absent };

    /// Any caller.
    pub const ANY: Self = Self::With { certificate: Presence::Unknown, credential: Presence::Unknown };

    pub(crate) fn known(&self, attribute: Attribute) -> Known<'_> {
        match self {
            Self::Exactly(identity) => Known::Exactly(attribute.read(identity)),
            Self::With { certificate, credential } => with(*certificate, *credential, attribute),
        }
    }

    /// A concrete identity consistent with the knowledge; unknown facts are absent.
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

/// The known part of a request: [`Facts`] with gaps.
///
/// A *completion* is an identity and [`Facts`] of the declared types that are consistent with it.
pub trait PartialFacts {
    /// The caller.
    fn caller(&self) -> &Caller;

    /// The knowledge about the `index`-th variable or function declared with
    /// [`EnvironmentBuilder`](crate::EnvironmentBuilder), counted from 0.
    fn fact(&self, index: usize) -> Known<'_>;
}

/// Facts consistent with the partial facts; unknown facts are absent.
pub(crate) struct Example<'a>(pub(crate) &'a dyn PartialFacts);

impl Facts for Example<'_> {
    fn fact(&self, index: usize) -> Value<'_> {
        match self.0.fact(index) {
            Known::Exactly(value) => value,
            Known::Present | Known::StartsWith(_) | Known::Nothing => Value::Absent,
        }
    }
}

/// The knowledge about an attribute, given the presence of certificate and credential.
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
        // A certificate may lack these.
        Attribute::SpiffeId | Attribute::SpiffeTrustDomain | Attribute::SpiffePath | Attribute::Ca
            if certificate == Presence::Present =>
        {
            Known::Nothing
        }
        _ => has(certificate),
    }
}

impl Policy {
    /// Whether a request that is only partly known may be allowed.
    ///
    /// `Never` and `Always` are proofs: [`decide`](Self::decide) denies, or allows, every completion of
    /// `partial`. `Sometimes` is not a proof: the rules may also be too complex to analyze. Costs
    /// at most about [`RULE_COST_MAX`](crate::limits::RULE_COST_MAX) per rule. For tools, not for requests: it
    /// allocates.
    pub fn analyze(&self, partial: &dyn PartialFacts) -> Possibility {
        let example = partial.caller().example();
        let outcomes_of =
            |program: &Program| PartialEvaluator::outcomes_of(&program.root, &example, partial, None);
        let rules: Vec<Outcomes> = self.programs().map(outcomes_of).collect();
        let (always, possible) = match self.default_decision() {
            // Allowed when a rule is true.
            DefaultDecision::Deny => {
                (rules.iter().any(|rule| rule.is_always(true)), rules.iter().any(|rule| rule.may_be(true)))
            }
            // Allowed when every rule is false; an undecidable rule denies too.
            DefaultDecision::Allow => {
                (rules.iter().all(|rule| rule.is_always(false)), rules.iter().all(|rule| rule.may_be(false)))
            }
        };
        Possibility::of(always, possible)
    }

    /// Whether the rule at this index may be true for a request that is only partly known; `Never` if the
    /// index is out of range. Proofs and cost as in [`analyze`](Self::analyze).
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

    /// The estimated cost to [`analyze`](Self::analyze) the rule at this index once, in the units of
    /// [`RULE_COST_MAX`](crate::limits::RULE_COST_MAX): computed from the rule alone, so that a tool can
    /// bound its work on any machine. Some nanoseconds each.
    pub fn analysis_cost(&self, rule: usize) -> u64 {
        self.programs().nth(rule).map_or(0, |program| analysis_cost(&program.root))
    }
}

/// The cost of evaluating an expression once. A loop over an unknown list is not iterated, and a loop over an
/// absent list ends at once.
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
