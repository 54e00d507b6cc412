//! Stage 6: the values of all rules → one decision.

use crate::check::check;
use crate::environment::Environment;
use crate::error::{Fault, RuleError, quote};
use crate::evaluate::{EvalError, Frame, with_memory};
use crate::limits::{COMPILER_STACK_BYTES, RULES_MAX};
use crate::program::{MemoryNeeds, Program};
use crate::syntax;
use crate::value::{Facts, Undecidable};
use angos_identity::Identity;
use std::fmt;
use std::thread::{self, ScopedJoinHandle};

/// The decision when no rule is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DefaultDecision {
    /// Rules allow; nothing else is allowed.
    #[default]
    Deny,
    /// Rules deny; everything else is allowed.
    Allow,
}

/// A rule as the operator wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSource {
    /// Names the rule in decisions and logs; `rules[i]` without.
    pub name: Option<String>,
    /// The CEL expression; it must be boolean.
    pub when: String,
}

impl<T: Into<String>> From<T> for RuleSource {
    fn from(when: T) -> Self {
        Self { name: None, when: when.into() }
    }
}

/// The answer to one request, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an ignored decision lets every request pass"]
pub struct Decision {
    /// Whether the request may proceed.
    pub allowed: bool,
    /// The reason of the decision.
    pub reason: Reason,
}

/// The reason of the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The rule at this index is true.
    Rule(usize),
    /// Every rule is false.
    Default,
    /// No rule is true, and this one (the first such) is undecidable; always denied.
    Undecidable {
        /// Index of the rule.
        rule: usize,
        /// Why it is undecidable.
        cause: Undecidable,
        /// Byte offset in the rule's text of the expression that failed.
        offset: usize,
    },
}

/// Compiled rules: immutable, shared between threads, decided without allocation.
#[derive(Debug)]
pub struct Policy {
    default: DefaultDecision,
    rules: Vec<Rule>,
    needs: MemoryNeeds,
}

#[derive(Debug)]
struct Rule {
    name: String,
    source: String,
    program: Program,
}

impl Policy {
    /// Parses, checks and compiles every rule; reports the first error of each invalid rule.
    ///
    /// Blocks for the time of compiling (tens of microseconds a rule) on a thread of its own with a deep
    /// stack, so it may be called on any stack and with any input.
    pub fn compile(
        environment: &Environment,
        default: DefaultDecision,
        rules: &[RuleSource],
    ) -> Result<Self, Vec<RuleError>> {
        let failed = |message: String| {
            let source = rules.first();
            let fault = Fault::new(0usize, message);
            let name = source.and_then(|rule| rule.name.as_deref());
            vec![RuleError::new(0, name, source.map_or("", |rule| &rule.when), fault)]
        };
        if rules.len() > RULES_MAX {
            return Err(failed(format!("{} rules; a policy has at most {RULES_MAX}", rules.len())));
        }
        let compiled = on_compiler_thread(|| compile_all(environment, rules));
        let rules = compiled.map_err(failed)??;
        let needs = rules.iter().fold(MemoryNeeds::default(), |needs, rule| needs.or(rule.program.needs));
        Ok(Self { default, rules, needs })
    }

    /// Decides one request.
    ///
    /// One true rule decides. When no rule is true and one is undecidable, the request is denied; otherwise
    /// the default decides. Neither allocates nor blocks nor panics; costs at most
    /// [`RULE_COST_MAX`](crate::limits::RULE_COST_MAX) per rule.
    pub fn decide(&self, identity: &Identity, facts: &dyn Facts) -> Decision {
        with_memory(self.needs, |text, slots| self.decide_within(Frame::new(identity, facts, text, slots)))
    }

    fn decide_within<'a>(&'a self, mut frame: Frame<'a, '_>) -> Decision {
        let mut undecidable = None;
        for (index, rule) in self.rules.iter().enumerate() {
            match frame.run(&rule.program) {
                Ok(true) => {
                    let allowed = self.default == DefaultDecision::Deny;
                    return Decision { allowed, reason: Reason::Rule(index) };
                }
                Ok(false) => {}
                Err(error) => {
                    undecidable.get_or_insert((index, error));
                }
            }
        }
        match undecidable {
            None => {
                let allowed = self.default == DefaultDecision::Allow;
                Decision { allowed, reason: Reason::Default }
            }
            Some((rule, EvalError { cause, offset })) => {
                let reason = Reason::Undecidable { rule, cause, offset: offset as usize };
                Decision { allowed: false, reason }
            }
        }
    }

    /// The compiled rules, in order.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &Program> {
        self.rules.iter().map(|rule| &rule.program)
    }

    /// Evaluates every rule and calls `visit` in rule order for each that is not false: with [`Reason::Rule`]
    /// if it is true, with [`Reason::Undecidable`] if it has no value. Unlike [`decide`](Self::decide) it
    /// does not stop at the first true rule, so it always costs the maximum of `decide`.
    pub fn evaluate_all(&self, identity: &Identity, facts: &dyn Facts, visit: &mut dyn FnMut(Reason)) {
        with_memory(self.needs, |text, slots| {
            let mut frame = Frame::new(identity, facts, text, slots);
            for (rule, written) in self.rules.iter().enumerate() {
                match frame.run(&written.program) {
                    Ok(true) => visit(Reason::Rule(rule)),
                    Ok(false) => {}
                    Err(EvalError { cause, offset }) => {
                        visit(Reason::Undecidable { rule, cause, offset: offset as usize });
                    }
                }
            }
        });
    }

    /// The decision when no rule is true.
    pub fn default_decision(&self) -> DefaultDecision {
        self.default
    }

    /// The number of rules.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are no rules, so that the default decides every request.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rule's name, or `rules[i]`; empty if the index is out of range.
    pub fn rule_name(&self, index: usize) -> &str {
        self.rules.get(index).map_or("", |rule| &rule.name)
    }

    /// The text of the rule; empty if the index is out of range.
    pub fn rule_source(&self, index: usize) -> &str {
        self.rules.get(index).map_or("", |rule| &rule.source)
    }

    /// Formats the reason of one of this policy's decisions for a log. Do not show it to clients.
    pub fn describe(&self, reason: Reason) -> impl fmt::Display + '_ {
        fmt::from_fn(move |f| match reason {
            Reason::Rule(rule) => write!(f, "{} is true", self.rule_name(rule)),
            Reason::Default => f.write_str("no rule is true"),
            Reason::Undecidable { rule, cause, offset } => {
                write!(f, "{} cannot be decided: {cause}", self.rule_name(rule))?;
                match self.rule_source(rule).get(offset..) {
                    Some(rest) if !rest.is_empty() => write!(f, ", at {}", quote(rest)),
                    _ => Ok(()),
                }
            }
        })
    }
}

/// Runs `work` on a thread with a stack deep enough for the parser; the error is a message in one line.
pub(crate) fn on_compiler_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    let done = thread::scope(|scope| {
        thread::Builder::new()
            .name("angos-policy-compiler".to_owned())
            .stack_size(COMPILER_STACK_BYTES)
            .spawn_scoped(scope, work)
            .map(ScopedJoinHandle::join)
    });
    match done {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(_)) => Err("the compiler failed; please report the rule".to_owned()),
        Err(error) => Err(format!("cannot start the compiler's thread: {error}")),
    }
}

/// Runs on the compiler's thread.
fn compile_all(environment: &Environment, sources: &[RuleSource]) -> Result<Vec<Rule>, Vec<RuleError>> {
    let mut rules = Vec::with_capacity(sources.len());
    let mut errors = Vec::new();
    for (index, RuleSource { name, when }) in sources.iter().enumerate() {
        match syntax::parse(when).and_then(|expression| check(environment, &expression)) {
            Ok(program) => rules.push(Rule {
                name: name.clone().unwrap_or_else(|| format!("rules[{index}]")),
                source: when.clone(),
                program,
            }),
            Err(fault) => errors.push(RuleError::new(index, name.as_deref(), when, fault)),
        }
    }
    if errors.is_empty() { Ok(rules) } else { Err(errors) }
}
