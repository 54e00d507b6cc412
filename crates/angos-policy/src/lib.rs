//! Access rules in CEL: checked when loaded, compiled to a typed tree, evaluated without allocation.
//!
//! A service declares the variables of its rules ([`Environment`]), compiles the rules of an operator
//! ([`Policy::compile`]; every error is a [`RuleError`] with its position in the rule), and asks for a
//! [`Decision`] about a verified [`Identity`](angos_identity::Identity) and the [`Facts`] of one request.
//!
//! # The path of a rule
//! | stage | file | in → out |
//! |---|---|---|
//! | 1 declare | `environment.rs`, `attribute.rs`, `certificate_forms.rs`, `string_form.rs`, `function.rs` | paths and types → names available to rules |
//! | 2 parse | `syntax.rs` | text → syntax tree; the only user of the CEL parser |
//! | 3 check | `check.rs` and its modules | tree → typed program, or an error with position and suggestion |
//! | 4 hold | `program.rs` | the typed program |
//! | 5 evaluate | `evaluate.rs` and its modules | program + identity + facts → value, or the cause of an
//! undecidable rule |
//! | 6 decide | `policy.rs` | the values of all rules → decision |
//!
//! For tools, [`Policy::analyze`] proves results for requests that are only partly known (`analyze.rs`);
//! [`Policy::redundancies`] and [`Policy::depends_on_absence`] find rules that look wrong (`redundancy.rs`,
//! `absence.rs`). They use the same evaluator. [`Policy::explain`] repeats a decision and reports the value
//! of every part of every rule (`explain.rs`). An [`Expression`] of any type takes the
//! same path without the last stage (`expression.rs`).
//!
//! # Guarantees
//! - A rule that cannot be decided (an absent value used, an overflow, the cost bound) never allows: when no
//!   rule is true and one is undecidable, the request is denied with either default.
//! - A decision does not allocate, looks nothing up by name, does not panic, and its work per rule is bounded
//!   ([`limits::RULE_COST_MAX`]). The one exception: the first `matches` of a pattern on a thread may
//!   let the regex engine build its scratch memory.
//! - The order of rules never changes the decision.
#![doc = ""]
#![doc = include_str!("../README.md")]

mod absence;
mod analyze;
mod attribute;
mod certificate_forms;
mod check;
mod collection;
mod environment;
mod error;
mod evaluate;
mod explain;
mod expression;
mod format_spec;
mod function;
pub mod limits;
mod literal;
mod policy;
mod program;
mod redundancy;
mod string_form;
mod suggest;
mod syntax;
mod timestamp;
mod to_cel;
mod value;

pub use absence::{Absence, Variable};
pub use analyze::{Caller, Known, PartialFacts, Possibility, Presence};
pub use collection::{List, Map, Mapping, Sequence};
pub use environment::{Environment, EnvironmentBuilder, EnvironmentError};
pub use error::RuleError;
pub use explain::{PartExplanation, PartOutcome, PolicyExplanation, RuleExplanation, RuleOutcome};
pub use expression::Expression;
pub use function::FunctionBody;
pub use policy::{Decision, DefaultDecision, Policy, Reason, RuleSource};
pub use redundancy::Redundancy;
pub use string_form::StringForm;
pub use suggest::nearest;
pub use value::{Facts, NoFacts, Type, Undecidable, Value};
