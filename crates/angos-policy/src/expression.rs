//! Stages 2 to 5 for one expression of any type, which a service uses besides policies.

use crate::check::check_value;
use crate::environment::Environment;
use crate::error::{Fault, RuleError};
use crate::evaluate::{Frame, with_memory};
use crate::policy::on_compiler_thread;
use crate::program::Program;
use crate::syntax;
use crate::value::{Facts, Type, Undecidable, Value};
use angos_identity::Identity;

/// One compiled expression with a value of any type: a log field, a rate, a key.
///
/// Immutable, shared between threads. The guarantees of rules apply: checked when compiled, evaluated
/// without allocation, within [`RULE_COST_MAX`](crate::limits::RULE_COST_MAX).
#[derive(Debug)]
pub struct Expression {
    program: Program,
    ty: Type,
    type_name: String,
}

impl Expression {
    /// Parses, checks and compiles one expression, or returns the first error. Blocks like
    /// [`Policy::compile`](crate::Policy::compile).
    pub fn compile(environment: &Environment, source: &str) -> Result<Self, Box<RuleError>> {
        let compiled = on_compiler_thread(|| {
            syntax::parse(source).and_then(|expression| check_value(environment, &expression))
        });
        match compiled.unwrap_or_else(|message| Err(Fault::new(0usize, message))) {
            Ok((program, ty, type_name)) => Ok(Self { program, ty, type_name }),
            Err(fault) => Err(Box::new(RuleError::new(0, Some("expression"), source, fault))),
        }
    }

    /// The type of its value.
    pub fn value_type(&self) -> Type {
        self.ty
    }

    /// The type of its value as CEL writes it, in full: `list(map(string, int))`.
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// Evaluates it for one request, calls `then` with the value or the cause of an undecidable expression,
    /// and returns the result of `then`. A string the expression built lives as long as that call.
    ///
    /// The value is [`Value::Absent`] when the expression is a variable this request does not have.
    /// Neither allocates nor blocks nor panics, except in `facts` and `then`.
    pub fn evaluate<R>(
        &self,
        identity: &Identity,
        facts: &dyn Facts,
        then: impl FnOnce(Result<Value<'_>, Undecidable>) -> R,
    ) -> R {
        with_memory(self.program.needs, |text, slots| {
            Frame::new(identity, facts, text, slots).answer(&self.program, then)
        })
    }
}
