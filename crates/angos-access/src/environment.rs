//! The variables of a request that a policy may name.
//!
//! The order of [`VARIABLES`] is that of `AccessRequest::fact`; tests compare the two.

use angos_policy::{Environment, EnvironmentError, StringForm, Type};

use crate::action::Action;
use crate::forms::{DIGEST, NAMESPACE, REFERENCE, TAG};
use crate::method::RequestMethod;

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

/// Every variable; a function without arguments follows them.
pub(crate) const VARIABLES: &[(&str, Type)] = &[
    ("request.action", Type::Enum(Action::WORDS)),
    ("request.namespace", Type::String),
    ("request.reference", Type::String),
    ("request.tag", Type::String),
    ("request.digest", Type::String),
    ("request.tags", Type::StringList),
    ("request.session_id", Type::String),
    ("request.from", Type::String),
    ("request.n", Type::Int),
    ("request.last", Type::String),
    ("request.artifact_type", Type::String),
    ("request.digest_algorithm", Type::Enum(&["sha256", "sha512"])),
    ("request.method", Type::Enum(RequestMethod::WORDS)),
    ("request.time", Type::Timestamp),
];

/// The variables whose values have one spelling: a literal in another one is an error when the rule is loaded.
const FORMS: &[(&str, &StringForm)] = &[
    ("request.namespace", &NAMESPACE),
    ("request.reference", &REFERENCE),
    ("request.tag", &TAG),
    ("request.digest", &DIGEST),
    ("request.tags", &TAG),
    ("request.from", &NAMESPACE),
];

fn declare() -> Result<Environment, EnvironmentError> {
    let builder =
        VARIABLES.iter().fold(Environment::builder(), |builder, (path, ty)| builder.variable(path, *ty));
    FORMS
        .iter()
        .fold(builder, |builder, (path, form)| builder.form(path, form))
        .nullary("has_repository_policy", Type::Bool)
        .alias("request.repository", "request.namespace")
        .build()
}
