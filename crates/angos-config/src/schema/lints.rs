//! The lints of `angos check`: the names that `allowed_lints` takes, and what each finds.

/// One check of a valid policy for a likely mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lint {
    /// Its name in warnings and in `allowed_lints`.
    pub name: &'static str,
    /// One sentence that describes a finding.
    pub doc: &'static str,
}

/// Declares the lints and the list of them.
macro_rules! lints {
    ($($constant:ident = $name:literal, $doc:literal;)*) => {
        $(pub(crate) const $constant: Lint = Lint { name: $name, doc: $doc };)*

        /// Every lint there is: drives `allowed_lints` and the reference documentation.
        pub static LINTS: &[Lint] = &[$($constant,)*];

        /// Their names.
        pub(crate) const NAMES: &[&str] = &[$($name,)*];
    };
}

lints! {
    OPEN_REGISTRY = "open-registry",
        "A policy allows by default and has no rules, and anonymous callers can connect.";
    ANONYMOUS_WRITE = "anonymous-write",
        "Anonymous callers may push, upload or delete, always or under some circumstances.";
    ANONYMOUS_VERSION_CHECK = "anonymous-version-check",
        "Anonymous callers get a 200 from `GET /v2/`, so clients are never asked for the credential they have.";
    ABSENT_IDENTITY = "absent-identity",
        "A rule is true for anonymous callers only because they lack the name or certificate it compares.";
    ABSENT_FIELD = "absent-field",
        "A rule is true for some actions only because their requests lack the field it compares.";
    NEVER_TRUE = "never-true",
        "No request makes a rule true.";
    CONSTANT_RULE = "constant-rule",
        "A rule is true, or false, for every request.";
    REDUNDANT_RULE = "redundant-rule",
        "A rule is true only when another one is true too.";
    ALWAYS_DENIED = "always-denied",
        "A policy denies every request.";
    NOT_ANALYZED = "not-analyzed",
        "A policy was not analyzed completely, because its rules are too many or too costly.";
}
