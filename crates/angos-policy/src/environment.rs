//! Stage 1: the names available to rules.

mod error;

pub use error::EnvironmentError;

use crate::attribute::{ATTRIBUTES, Attribute};
use crate::function::{Function, FunctionBody};
use crate::limits::VARIABLES_MAX;
use crate::string_form::StringForm;
use crate::value::Type;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The names available to rules: the variables under `identity`, which always exist, and those a service
/// declares.
///
/// Cloning shares. Built once, used for every policy of the service.
#[derive(Debug, Clone)]
pub struct Environment(Arc<Declarations>);

#[derive(Debug, Clone, Default)]
struct Declarations {
    variables: BTreeMap<String, (Origin, Type)>,
    groups: BTreeSet<String>,
    /// The forms of declared facts, by index.
    forms: BTreeMap<usize, &'static StringForm>,
    /// Functions without arguments.
    nullary: BTreeMap<String, (usize, Type)>,
    functions: BTreeMap<String, Function>,
    mixed_types: bool,
    /// The containers in order of lookup, each with its dot: `com.example.`, `com.`.
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

    /// The form of every value of a variable, if it has one.
    pub(crate) fn form(&self, origin: Origin) -> Option<&'static StringForm> {
        match origin {
            Origin::Identity(attribute) => attribute.form(),
            Origin::Fact(index) => self.0.forms.get(&index).copied(),
        }
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

    /// Resolves a dotted path in the container and its parents; a path with a leading dot is resolved as
    /// written.
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

    /// Says how every value of an already declared string variable, or list of strings, is spelled: a rule that
    /// compares it with a literal in another spelling, and so could never match, does not load. Takes no index.
    ///
    /// The values are not checked against the form.
    #[must_use]
    pub fn form(mut self, path: &str, form: &'static StringForm) -> Self {
        match self.declarations.variables.get(path) {
            Some((Origin::Fact(index), Type::String | Type::StringList)) => {
                self.declarations.forms.insert(*index, form);
            }
            _ => self.fail(EnvironmentError::UnknownTarget(path.to_owned())),
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

    /// Declares a function of one to [`FUNCTION_PARAMETERS_MAX`](crate::limits::FUNCTION_PARAMETERS_MAX)
    /// arguments. Takes no index: its result depends on its arguments alone.
    ///
    /// The result must not be a list, a map or bytes: a decision has no memory for them. A constant argument
    /// outside a [`Type::Enum`] is an error when the rule is loaded; a computed one makes the rule
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
    /// of `?:` may differ, and values of two types are unequal. By default each of these is an error unless
    /// the rule uses `dyn(…)`.
    #[must_use]
    pub fn mixed_types(mut self) -> Self {
        self.declarations.mixed_types = true;
        self
    }

    /// Resolves names in a container first (`com.example`), then in its parents (`com`), and last as written;
    /// `.name` in a rule is resolved only as written. Default: no container. An invalid container is reported
    /// as
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

    /// The reason why a function of this name and type cannot be declared, if any.
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
        // A map and its fields may both be declared: the longest declared name wins.
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

/// Words reserved by CEL: valid as a field name, but not as the first name of a path.
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
        assert_eq!(containers.build().err(), duplicate("b"), "a second container is an error");
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
