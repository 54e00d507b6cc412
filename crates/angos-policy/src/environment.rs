//! Stage 1: what rules may name.

use crate::attribute::{ATTRIBUTES, Attribute};
use crate::function::{Function, FunctionBody};
use crate::limits::{FUNCTION_PARAMETERS_MAX, VARIABLES_MAX};
use crate::value::Type;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What rules may name: the variables under `identity`, which are always there, and those a service declares.
///
/// Cloning shares. Built once, used for every policy of the service.
#[derive(Debug, Clone)]
pub struct Environment(Arc<Declarations>);

#[derive(Debug, Clone, Default)]
struct Declarations {
    variables: BTreeMap<String, (Origin, Type)>,
    groups: BTreeSet<String>,
    /// Functions without arguments.
    nullary: BTreeMap<String, (usize, Type)>,
    functions: BTreeMap<String, Function>,
    mixed_types: bool,
    /// What names are looked up in first, with their dots: `com.example.`, `com.`, and nothing.
    containers: Vec<String>,
}

/// Where the value of a variable comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Identity(Attribute),
    Fact(usize),
}

impl Environment {
    /// An environment under construction, with the variables under `identity` already declared.
    pub fn builder() -> EnvironmentBuilder {
        let mut builder =
            EnvironmentBuilder { declarations: Declarations::default(), declared: 0, error: None };
        for (path, attribute, ty) in ATTRIBUTES {
            builder.insert(path, Origin::Identity(*attribute), *ty);
        }
        builder
    }

    /// The variable at a dotted path.
    pub(crate) fn variable(&self, path: &str) -> Option<(Origin, Type)> {
        self.0.variables.get(path).copied()
    }

    /// Whether `path` is a group of variables: `identity`, `identity.certificate`, `request`.
    pub(crate) fn is_group(&self, path: &str) -> bool {
        self.0.groups.contains(path)
    }

    /// The names directly under a group; the outermost names for the empty path.
    pub(crate) fn members(&self, group: &str) -> BTreeSet<&str> {
        let under = |path: &'_ str| -> Option<usize> {
            if group.is_empty() {
                return Some(0);
            }
            (path.strip_prefix(group)?.starts_with('.')).then_some(group.len() + 1)
        };
        self.0.variables.keys().filter_map(|path| path.get(under(path)?..)?.split('.').next()).collect()
    }

    /// The variable a dotted path means, looked up in the container and what surrounds it unless it begins with a dot.
    pub(crate) fn lookup(&self, path: &str, absolute: bool) -> Option<(Origin, Type)> {
        let within = |container: &String| self.variable(&format!("{container}{path}"));
        let contained = if absolute { None } else { self.0.containers.iter().find_map(within) };
        contained.or_else(|| self.variable(path))
    }

    /// Whether rules may mix types as CEL's specification lets them.
    pub(crate) fn mixes_types(&self) -> bool {
        self.0.mixed_types
    }

    /// A declared function without arguments.
    pub(crate) fn nullary(&self, name: &str) -> Option<(usize, Type)> {
        self.0.nullary.get(name).copied()
    }

    /// A declared function with arguments.
    pub(crate) fn function(&self, name: &str) -> Option<&Function> {
        self.0.functions.get(name)
    }

    /// The names of the declared functions.
    pub(crate) fn functions(&self) -> impl Iterator<Item = &str> {
        self.0.nullary.keys().chain(self.0.functions.keys()).map(String::as_str)
    }
}

/// Collects declarations; the first mistake is reported by [`build`](Self::build).
#[derive(Debug, Clone)]
pub struct EnvironmentBuilder {
    declarations: Declarations,
    declared: usize,
    error: Option<EnvironmentError>,
}

impl EnvironmentBuilder {
    /// Declares a variable at a dotted path, `request.action` say. The n-th declaration (variables and
    /// functions together, from 0) is asked for as [`Facts::fact`](crate::Facts::fact)`(n)`.
    #[must_use]
    pub fn variable(mut self, path: &str, ty: Type) -> Self {
        let index = self.next_index();
        if path == "identity" || path.starts_with("identity.") {
            self.fail(EnvironmentError::Reserved(path.to_owned()));
        } else if let Some(error) = type_error(path, ty) {
            self.fail(error);
        } else {
            self.insert(path, Origin::Fact(index), ty);
        }
        self
    }

    /// Gives an already declared variable a second name. Takes no index.
    #[must_use]
    pub fn alias(mut self, alias: &str, path: &str) -> Self {
        match self.declarations.variables.get(path).copied() {
            None => self.fail(EnvironmentError::UnknownTarget(path.to_owned())),
            Some((_, ty)) if type_error(alias, ty).is_some() => {
                self.fail(EnvironmentError::Name(alias.to_owned()));
            }
            Some((origin, ty)) => self.insert(alias, origin, ty),
        }
        self
    }

    /// Declares a function without arguments, `has_repository_policy()` say. Takes the next index.
    #[must_use]
    pub fn nullary(mut self, function: &str, ty: Type) -> Self {
        let index = self.next_index();
        match self.unfit_function(function, ty) {
            Some(error) => self.fail(error),
            None => {
                self.declarations.nullary.insert(function.to_owned(), (index, ty));
            }
        }
        self
    }

    /// Declares a function of one to [`FUNCTION_PARAMETERS_MAX`] arguments. Takes no index: what it knows
    /// are its arguments.
    ///
    /// The result may be neither a list, a map nor bytes: there is no place they could live. An argument for a
    /// [`Type::Enum`] that is written in the rule is one of its words; one that is computed and is not makes the rule
    /// undecidable.
    #[must_use]
    pub fn function(mut self, function: &str, parameters: &[Type], result: Type, body: FunctionBody) -> Self {
        match (self.unfit_function(function, result), Function::new(parameters, result, body)) {
            (Some(error), _) => self.fail(error),
            (None, None) => self.fail(EnvironmentError::Signature(function.to_owned())),
            (None, Some(declared)) => {
                self.declarations.functions.insert(function.to_owned(), declared);
            }
        }
        self
    }

    /// Lets rules mix types where the specification of CEL does: `[1, 'a']` is then a `list(dyn)`, the results
    /// of `?:` may differ, and values of two types are unequal. Without, as is the default, each of these is
    /// a mistake unless it says `dyn(…)`.
    #[must_use]
    pub fn mixed_types(mut self) -> Self {
        self.declarations.mixed_types = true;
        self
    }

    /// Looks names up in a container first, `com.example` say, then in what surrounds it, `com`, and last as they stand;
    /// `.name` in a rule is only looked up as it stands. Default: none. A name the container does not fit is reported as
    /// [`EnvironmentError::Name`], a second container as [`EnvironmentError::Duplicate`].
    ///
    /// Source: CEL specification, "Name Resolution".
    #[must_use]
    pub fn container(mut self, path: &str) -> Self {
        if let Some(error) = type_error(path, Type::Dyn) {
            self.fail(error);
        } else if !self.declarations.containers.is_empty() {
            self.fail(EnvironmentError::Duplicate(path.to_owned()));
        }
        let ends = path.match_indices('.').map(|(dot, _)| dot).chain([path.len()]);
        let containers =
            ends.rev().filter_map(|end| path.get(..end)).map(|container| format!("{container}."));
        self.declarations.containers = containers.collect();
        self
    }

    /// Why no function of this name and type can be declared, if so.
    fn unfit_function(&self, name: &str, ty: Type) -> Option<EnvironmentError> {
        let Declarations { nullary, functions, .. } = &self.declarations;
        if let Some(error) = type_error(name, ty) {
            return Some(error);
        }
        if name.contains('.') {
            return Some(EnvironmentError::Name(name.to_owned()));
        }
        if crate::check::is_builtin(name) {
            return Some(EnvironmentError::Reserved(name.to_owned()));
        }
        let taken = nullary.contains_key(name) || functions.contains_key(name);
        taken.then(|| EnvironmentError::Duplicate(name.to_owned()))
    }

    /// The environment, or the first mistake made while declaring it.
    pub fn build(self) -> Result<Environment, EnvironmentError> {
        match self.error {
            Some(error) => Err(error),
            None if self.declared + self.declarations.functions.len() > VARIABLES_MAX => {
                Err(EnvironmentError::TooMany)
            }
            None => Ok(Environment(Arc::new(self.declarations))),
        }
    }

    fn next_index(&mut self) -> usize {
        let index = self.declared;
        self.declared += 1;
        index
    }

    fn insert(&mut self, path: &str, origin: Origin, ty: Type) {
        let groups: Vec<&str> = path.match_indices('.').filter_map(|(dot, _)| path.get(..dot)).collect();
        // The fields of a map may have names of their own: the longest name is the one that is meant.
        let is_map = |path: &str| match self.declarations.variables.get(path) {
            Some((_, ty)) => matches!(ty, Type::Map(..) | Type::Dyn),
            None => true,
        };
        let taken = (self.declarations.groups.contains(path) && !matches!(ty, Type::Map(..) | Type::Dyn))
            || !groups.iter().all(|group| is_map(group));
        if taken || self.declarations.variables.insert(path.to_owned(), (origin, ty)).is_some() {
            self.fail(EnvironmentError::Duplicate(path.to_owned()));
        }
        self.declarations.groups.extend(groups.into_iter().map(str::to_owned));
    }

    fn fail(&mut self, error: EnvironmentError) {
        self.error.get_or_insert(error);
    }
}

/// Why this cannot be declared, if so.
fn type_error(path: &str, ty: Type) -> Option<EnvironmentError> {
    let identifier = |part: &str| {
        let mut bytes = part.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !matches!(part, "in" | "true" | "false" | "null")
    };
    let reserved = path.split('.').next().is_some_and(|root| RESERVED.contains(&root));
    if reserved || !path.split('.').all(identifier) {
        return Some(EnvironmentError::Name(path.to_owned()));
    }
    match ty {
        Type::Enum([]) => Some(EnvironmentError::EmptyEnum(path.to_owned())),
        Type::Optional(_) => Some(EnvironmentError::Optional(path.to_owned())),
        _ => None,
    }
}

/// Words CEL reserves; they may name a field, but nothing on its own.
const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "var",
    "void",
    "while",
];

/// A mistake in declaring an [`Environment`]: the embedding program is at fault, not the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// Not identifiers joined by dots, or a word of the language.
    #[error("`{0}` is not a name a rule could write")]
    Name(String),
    /// Declared before, or both a variable that is no map and a group of variables.
    #[error("`{0}` is declared twice")]
    Duplicate(String),
    /// `identity` belongs to this crate, and built-in functions keep their meaning.
    #[error("`{0}` is reserved")]
    Reserved(String),
    /// An alias of something that is not declared.
    #[error("`{0}` is not declared, so it cannot have an alias")]
    UnknownTarget(String),
    /// A closed set without a word.
    #[error("`{0}` is one of no words")]
    EmptyEnum(String),
    /// A variable, or the result of a function, that is optional: any variable may be absent, and `?` asks for it.
    #[error("`{0}` cannot be optional; what is absent is `Value::Absent`")]
    Optional(String),
    /// A function with no parameters, more than [`limits::FUNCTION_PARAMETERS_MAX`](crate::limits::FUNCTION_PARAMETERS_MAX),
    /// or a result that is a list, a map or bytes.
    #[error(
        "`{0}` must take 1 to {FUNCTION_PARAMETERS_MAX} values and return one that is no list, map or bytes"
    )]
    Signature(String),
    /// More than [`limits::VARIABLES_MAX`](crate::limits::VARIABLES_MAX).
    #[error("more than {VARIABLES_MAX} variables and functions")]
    TooMany,
}

#[cfg(test)]
mod tests {
    use super::{Environment, EnvironmentError};
    use crate::value::{Type, Value};

    #[test]
    fn declarations_are_checked() {
        let owned = str::to_owned;
        let build = |path: &str| Environment::builder().variable(path, Type::Int).build().err();
        for (path, expected) in [
            ("request.namespace", None),
            ("a", None),
            ("", Some(EnvironmentError::Name(owned("")))),
            ("a.", Some(EnvironmentError::Name(owned("a.")))),
            ("a b", Some(EnvironmentError::Name(owned("a b")))),
            ("1a", Some(EnvironmentError::Name(owned("1a")))),
            ("while", Some(EnvironmentError::Name(owned("while")))),
            ("a.in", Some(EnvironmentError::Name(owned("a.in")))),
            ("identity", Some(EnvironmentError::Reserved(owned("identity")))),
            ("identity.x", Some(EnvironmentError::Reserved(owned("identity.x")))),
        ] {
            assert_eq!(build(path), expected, "{path}");
        }
        let a = || Environment::builder().variable("a.b", Type::Int);
        let duplicate = |path: &str| Some(EnvironmentError::Duplicate(owned(path)));
        assert_eq!(a().variable("a.b", Type::Int).build().err(), duplicate("a.b"));
        assert_eq!(a().variable("a", Type::Int).build().err(), duplicate("a"));
        assert_eq!(a().variable("a.b.c", Type::Int).build().err(), duplicate("a.b.c"));
        assert_eq!(a().alias("a.c", "a.b").alias("a.c", "a.b").build().err(), duplicate("a.c"));
        assert_eq!(
            a().alias("a.c", "a.x").build().err(),
            Some(EnvironmentError::UnknownTarget(owned("a.x")))
        );
        assert_eq!(
            a().nullary("size", Type::Int).build().err(),
            Some(EnvironmentError::Reserved(owned("size")))
        );
        assert_eq!(a().nullary("f.g", Type::Int).build().err(), Some(EnvironmentError::Name(owned("f.g"))));
        let declare = |name: &str, parameters: &[Type], result| {
            a().nullary("f", Type::Int)
                .function(name, parameters, result, |_| Ok(Value::Absent))
                .build()
                .err()
        };
        let signature = Some(EnvironmentError::Signature(owned("g")));
        assert_eq!(declare("g", &[Type::Int; 4], Type::Int), None);
        assert_eq!(declare("f", &[Type::Int], Type::Int), duplicate("f"));
        assert_eq!(declare("g", &[], Type::Int), signature);
        assert_eq!(declare("g", &[Type::Int; 5], Type::Int), signature);
        assert_eq!(declare("g", &[Type::StringList], Type::Int), None);
        assert_eq!(declare("g", &[Type::Int], Type::StringList), signature);
        assert_eq!(declare("g", &[Type::Int], Type::Bytes), signature);
        let container = |path: &str| a().container(path).build().err();
        assert_eq!(container("com.example"), None);
        assert_eq!(container("com..example"), Some(EnvironmentError::Name(owned("com..example"))));
        let containers = a().container("a").container("b");
        assert_eq!(containers.build().err(), duplicate("b"), "which of two containers is meant?");
        let enum_values = Environment::builder().variable("a", Type::Enum(&[])).build();
        assert_eq!(enum_values.err(), Some(EnvironmentError::EmptyEnum(owned("a"))));
        let many = (0..2000).fold(Environment::builder(), |all, i| all.variable(&format!("v{i}"), Type::Int));
        assert_eq!(many.build().err(), Some(EnvironmentError::TooMany));
    }

    #[test]
    fn members_of_a_group_are_the_next_names() {
        let environment = Environment::builder().variable("a.b.c", Type::Int).alias("a.d", "a.b.c").build();
        let environment = environment.unwrap();
        assert_eq!(environment.members("a").into_iter().collect::<Vec<_>>(), ["b", "d"]);
        assert_eq!(environment.members("").into_iter().collect::<Vec<_>>(), ["a", "identity"]);
        assert!(environment.is_group("a.b") && !environment.is_group("a.d"));
    }
}
