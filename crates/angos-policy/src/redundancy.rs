//! Beside stage 6: finds rules that another rule makes redundant.

use crate::analyze::PartialFacts;
use crate::evaluate::{Outcomes, PartialEvaluator};
use crate::limits::ALTERNATIVES_MAX;
use crate::policy::{DefaultDecision, Policy, on_compiler_thread};
use crate::program::{Node, Op};
use crate::syntax::{self, Expression, Form, Operator};

/// A rule that can be removed because of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redundancy {
    /// Index of the rule.
    pub rule: usize,
    /// Index of a rule that is true whenever `rule` is true.
    pub because_of: usize,
}

/// A rule in disjunctive form: the operands of `||`, each a list of the operands of `&&` by their numbers.
type Alternatives = Vec<Vec<usize>>;

/// Parts of rules. Equal expressions have the same number.
#[derive(Default)]
struct Parts<'a> {
    written: Vec<Expression>,
    compiled: Vec<&'a Node>,
}

impl Policy {
    /// Rules that can be removed without changing any decision for a completion of `situations`: whenever
    /// such a rule is true, another is true, and whenever it has no value, that other is not false. Of two
    /// equivalent rules only the later is reported; a rule that is never true is not reported.
    ///
    /// Each result is proven; not every redundant rule is found. Blocks like [`compile`](Self::compile), for
    /// a time that grows with the square of the number of rules. `budget` bounds the work in units of
    /// [`analysis_cost`](Self::analysis_cost) and is reduced by the work done; 0 afterwards means that the
    /// search is incomplete.
    pub fn redundancies(&self, situations: &[&dyn PartialFacts], budget: &mut u64) -> Vec<Redundancy> {
        let once = (0..self.len()).map(|rule| self.analysis_cost(rule)).fold(0, u64::saturating_add);
        // Evaluating each rule, and comparing each part with each other part to number them.
        let cost =
            once.saturating_mul(situations.len() as u64).saturating_add(once.saturating_mul(once) / 16);
        *budget = budget.saturating_sub(cost);
        if *budget == 0 {
            return Vec::new();
        }
        let sources: Vec<&str> = (0..self.len()).map(|rule| self.rule_source(rule)).collect();
        // A compiled rule parses. If the parser thread cannot start, no redundancy is reported.
        let parse = || sources.iter().map(|source| syntax::parse(source).ok()).collect();
        let written: Vec<Option<Expression>> = on_compiler_thread(parse).unwrap_or_default();
        Search::new(self, &written, situations).all(budget)
    }
}

/// The input of the search.
struct Search {
    default: DefaultDecision,
    rules: Vec<Alternatives>,
    /// For each situation, the outcomes of each part.
    outcomes: Vec<Vec<Outcomes>>,
}

impl Search {
    fn new(policy: &Policy, written: &[Option<Expression>], situations: &[&dyn PartialFacts]) -> Self {
        let mut parts = Parts::default();
        let rules = policy.programs().zip(written);
        let rules = rules
            .map(|(program, written)| {
                written.as_ref().map_or_else(Vec::new, |it| parts.alternatives(it, &program.root))
            })
            .collect();
        let judge = |partial: &&dyn PartialFacts| {
            let example = partial.caller().example();
            let outcomes_of = |node: &&Node| PartialEvaluator::outcomes_of(node, &example, *partial, None);
            parts.compiled.iter().map(outcomes_of).collect()
        };
        let outcomes = situations.iter().map(judge).collect();
        Self { default: policy.default_decision(), rules, outcomes }
    }

    fn all(&self, budget: &mut u64) -> Vec<Redundancy> {
        let mut found: Vec<Redundancy> = Vec::new();
        for rule in (0..self.rules.len()).filter(|rule| !self.is_dead(*rule)) {
            let because_of = (0..self.rules.len()).find(|other| {
                *other != rule
                    && self.implies(rule, *other, budget)
                    && (*other < rule || !self.implies(*other, rule, budget))
            });
            if *budget == 0 {
                break;
            }
            found.extend(because_of.map(|because_of| Redundancy { rule, because_of }));
        }
        found
    }

    fn alternatives(&self, rule: usize) -> &[Vec<usize>] {
        self.rules.get(rule).map_or(&[], Vec::as_slice)
    }

    fn is_dead(&self, rule: usize) -> bool {
        self.outcomes.iter().all(|outcomes| {
            self.alternatives(rule).iter().all(|alternative| self.is_ruled_out(alternative, outcomes))
        })
    }

    /// Whether `other` is true whenever `rule` is true, and not false whenever `rule` has no value.
    ///
    /// An alternative of `rule` that is not false has no false part; an alternative of `other` made of parts of
    /// it and of true ones has none either.
    fn implies(&self, rule: usize, other: usize, budget: &mut u64) -> bool {
        self.outcomes.iter().all(|outcomes| {
            // The estimated cost of one situation: most pairs of alternatives differ in their first part.
            let pairs = self.alternatives(rule).len().saturating_mul(self.alternatives(other).len());
            *budget = budget.saturating_sub(pairs as u64 + 1);
            self.alternatives(rule).iter().all(|alternative| {
                let holds = |part: &usize| {
                    alternative.contains(part) || outcomes.get(*part).is_some_and(|it| it.is_always(true))
                };
                self.is_ruled_out(alternative, outcomes)
                    || self.alternatives(other).iter().any(|other| other.iter().all(holds))
            })
        })
    }

    /// Whether an alternative can be ignored: it is never true, or, where an undecidable rule denies too,
    /// always false.
    fn is_ruled_out(&self, alternative: &[usize], outcomes: &[Outcomes]) -> bool {
        alternative.iter().filter_map(|part| outcomes.get(*part)).any(|part| match self.default {
            DefaultDecision::Deny => !part.may_be(true),
            DefaultDecision::Allow => part.is_always(false),
        })
    }
}

impl<'a> Parts<'a> {
    /// Splits a rule at `||` and `&&`, up to [`ALTERNATIVES_MAX`] alternatives.
    fn alternatives(&mut self, written: &Expression, compiled: &'a Node) -> Alternatives {
        let (Form::Operation { operator, operands }, Op::And(sides) | Op::Or(sides)) =
            (&written.form, &compiled.op)
        else {
            return vec![vec![self.number(written, compiled)]];
        };
        let ([left, right], [left_node, right_node]) = (operands.as_slice(), &**sides) else {
            return vec![vec![self.number(written, compiled)]];
        };
        let mut left = self.alternatives(left, left_node);
        let right = self.alternatives(right, right_node);
        match operator {
            Operator::Or if left.len() + right.len() <= ALTERNATIVES_MAX => {
                left.extend(right);
                left
            }
            Operator::And if left.len() * right.len() <= ALTERNATIVES_MAX => left
                .iter()
                .flat_map(|left| right.iter().map(|right| [left.as_slice(), right].concat()))
                .collect(),
            _ => vec![vec![self.number(written, compiled)]],
        }
    }

    fn number(&mut self, written: &Expression, compiled: &'a Node) -> usize {
        self.written.iter().position(|known| known == written).unwrap_or_else(|| {
            self.written.push(written.clone());
            self.compiled.push(compiled);
            self.written.len() - 1
        })
    }
}
