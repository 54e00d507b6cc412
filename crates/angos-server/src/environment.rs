//! Stage 6, the words: what a policy may say about a request.
//!
//! The order of [`declare`] is that of `Inquiry::fact`, and held to it by the tests of `inquiry.rs`.

use angos_policy::{Environment, EnvironmentError, Type};

use crate::route::Action;

/// The environment every access policy of the registry is compiled in: `request.*` and `has_repository_policy()`
/// besides the `identity.*` that `angos-policy` always declares.
///
/// Building it costs some allocations: build it once and compile every policy in it.
///
/// # Panics
/// Never: the declarations are constants, and a test builds them.
#[allow(clippy::expect_used, reason = "the declarations are constants, and a test builds them")]
pub fn environment() -> Environment {
    declare().expect("constant declarations")
}

fn declare() -> Result<Environment, EnvironmentError> {
    Environment::builder()
        .variable("request.action", Type::Word(Action::WORDS))
        .variable("request.namespace", Type::String)
        .variable("request.reference", Type::String)
        .variable("request.tag", Type::String)
        .variable("request.digest", Type::String)
        .variable("request.tags", Type::StringList)
        .variable("request.session_id", Type::String)
        .variable("request.from", Type::String)
        .variable("request.n", Type::Int)
        .variable("request.last", Type::String)
        .variable("request.artifact_type", Type::String)
        .variable("request.digest_algorithm", Type::String)
        .variable("request.method", Type::String)
        .variable("request.time", Type::Timestamp)
        .nullary("has_repository_policy", Type::Bool)
        .alias("request.repository", "request.namespace")
        .build()
}
