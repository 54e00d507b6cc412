//! Beside stage 6: repeats a decision and reports the value of every part of every rule.
//!
//! | file | in → out |
//! |---|---|
//! | `evaluate/trace.rs` | the evaluator's own report: which expression had which value |
//! | `explain/span.rs` | where each expression of the text begins and ends |
//! | `explain/part.rs` | text and report → a tree |
//! | `explain/text.rs` | the tree → lines for people |

mod part;
mod span;
mod text;

use crate::evaluate::{EvalError, Frame, Trace, with_memory};
use crate::policy::{Decision, DefaultDecision, Policy, on_compiler_thread};
use crate::syntax;
use crate::value::{Facts, Undecidable};
use angos_identity::Identity;
pub use part::{PartExplanation, PartOutcome};

/// The explanation of one decision: the outcome of each rule, and the value of each part of it.
///
/// [`Display`](std::fmt::Display) writes it in lines for people. All texts are bounded, and safe for a terminal.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PolicyExplanation {
    /// The result of [`Policy::decide`].
    pub decision: Decision,
    /// The decision when no rule is true.
    pub default: DefaultDecision,
    /// The outcome of each rule, also of those after the deciding one.
    pub rules: Vec<RuleExplanation>,
}

/// The outcome of one rule, and why.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RuleExplanation {
    /// Its name, or `rules[i]`.
    pub name: String,
    /// Its text; the spans of [`PartExplanation`]s are byte ranges of it.
    pub source: String,
    /// Its value.
    pub outcome: RuleOutcome,
    /// The expression of the rule, with its parts.
    pub whole: PartExplanation,
}

/// The outcome of a rule for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleOutcome {
    /// The rule is true and decides.
    True,
    /// The rule is false.
    False,
    /// The rule has no value. The request is denied unless another rule is true.
    Undecidable(Undecidable),
}

impl Policy {
    /// Decides one request and explains the decision.
    ///
    /// Uses the evaluator of [`decide`](Self::decide) with tracing enabled; the decision is the same.
    /// Allocates, and blocks for the time of parsing every rule again (tens of microseconds each): for people
    /// and
    /// tests, not for each request. Values longer than a line are cut ([`Value::to_cel`](crate::Value::to_cel)).
    ///
    /// ```
    /// use angos_identity::Identity;
    /// use angos_policy::{DefaultDecision, Environment, NoFacts, RuleOutcome, Policy, RuleSource};
    ///
    /// let environment = Environment::builder().build()?;
    /// let rule = RuleSource::from("identity.username == 'ada' || identity.method == 'certificate'");
    /// let policy = Policy::compile(&environment, DefaultDecision::Deny, &[rule]).unwrap();
    /// let anonymous = Identity::new([192, 0, 2, 1].into(), None, None);
    ///
    /// let explanation = policy.explain(&anonymous, &NoFacts);
    /// assert_eq!(explanation.decision, policy.decide(&anonymous, &NoFacts));
    /// assert_eq!(explanation.rules[0].outcome, RuleOutcome::False);
    /// assert_eq!(
    ///     explanation.to_string(),
    ///     "\
    /// denied: no rule is true
    /// rules[0] is false
    ///   identity.username == 'ada' || identity.method == 'certificate' → false
    ///     identity.username == 'ada' → false
    ///       identity.username → absent
    ///     identity.method == 'certificate' → false
    ///       identity.method → 'anonymous'
    /// "
    /// );
    /// # Ok::<(), angos_policy::EnvironmentError>(())
    /// ```
    pub fn explain(&self, identity: &Identity, facts: &dyn Facts) -> PolicyExplanation {
        let traced = self.programs().map(|program| {
            let mut trace = Trace::default();
            let outcome = with_memory(program.needs, |text, slots| {
                Frame::new(identity, facts, text, slots).traced(&mut trace).run(program)
            });
            let outcome = match outcome {
                Ok(true) => RuleOutcome::True,
                Ok(false) => RuleOutcome::False,
                Err(EvalError { cause, .. }) => RuleOutcome::Undecidable(cause),
            };
            (outcome, trace)
        });
        let traced: Vec<_> = traced.collect();
        let explain_rule = || {
            traced
                .iter()
                .enumerate()
                .map(|(index, (outcome, trace))| self.explain_rule(index, *outcome, trace))
        };
        // Rules that were compiled parse, so the thread comes back with all of them.
        let rules = on_compiler_thread(|| explain_rule().collect()).unwrap_or_default();
        PolicyExplanation { decision: self.decide(identity, facts), default: self.default_decision(), rules }
    }

    /// Runs on the compiler's thread.
    fn explain_rule(&self, index: usize, outcome: RuleOutcome, trace: &Trace) -> RuleExplanation {
        let source = self.rule_source(index);
        let whole = match syntax::parse(source) {
            Ok(expression) => part::whole(source, &expression, trace),
            Err(_) => PartExplanation::truncated(0..source.len()),
        };
        RuleExplanation { name: self.rule_name(index).to_owned(), source: source.to_owned(), outcome, whole }
    }
}
