//! Level 2 of the house: may this caller do this, and why. The server makes [`AccessRequest`]s of an [`Operation`] and
//! [`AccessPolicies`] decide them; tools ask the same questions of the same code.
//!
//! | file | what it holds |
//! |---|---|
//! | `action`, `method`, `operation` | what a client asks the registry to do, parsed and without HTTP |
//! | `request` | one request as policies see it; `parse` from text, `record` for the log, `expand` to all requests of an operation |
//! | `environment` | the variables of a request that a policy may name |
//! | `policy_set` | the policies of a registry, as one set |
//! | `decide` | the decision; `shadow` rules, and the `counters` of both |
//! | `challenge` | whether the response to a refused request asks for a credential |
//! | `explain` | why a request is allowed or denied, as data |
//! | `analysis` | classes of requests, for tools that analyze policies |
//! | `record` | a decision as one line of the decision log; `replayed` reads it back |
//! | `replay` | a decision log decided again by other policies, and the report about it |
//! | `escape` | text from outside, made safe to show |
//! | `limits` | every bound with its value, source and reason |
//!
#![doc = include_str!("../README.md")]

mod action;
mod analysis;
mod challenge;
mod decide;
mod environment;
mod escape;
mod explain;
mod forms;
pub mod limits;
mod method;
mod operation;
mod policy_set;
mod record;
mod replay;
mod request;

pub use action::{Action, UnknownAction};
pub use analysis::RequestClass;
pub use challenge::{Challenge, Denial};
pub use decide::{Decision, DecisionCounters, Decisions, ShadowRules};
pub use environment::environment;
pub use escape::escape;
pub use explain::{Explanation, ScopeExplanation, ShadowExplanation};
pub use method::{RequestMethod, UnknownMethod};
pub use operation::Operation;
pub use policy_set::{AccessPolicies, AccessPolicy};
pub use record::{DecisionRecord, RecordError, RecordedDecision};
pub use replay::{ReplayReport, replay};
pub use request::{AccessRequest, AccessRequestError, AccessRequests, parse_time};
