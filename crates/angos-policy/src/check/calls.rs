//! Stage 3: functions, `name(…)`, and those of namespaces, `math.name(…)`.

use super::functions::{FUNCTIONS, METHODS, conversion, convertible, instead, is_builtin};
use super::loops::MACROS;
use super::names::{listed, read};
use super::optionals::is_method;
use super::patterns::regex;
use super::static_type::article;
use super::{Checker, StaticType, Typed, ValueSet, enums};
use crate::environment::Origin;
use crate::error::{Fault, quote};
use crate::evaluate::convert_constant;
use crate::function::Function;
use crate::program::{Op, Scalar};
use crate::suggest::nearest;
use crate::syntax::{Expression, Form};
use crate::value::Type;

/// The namespaces of extension functions, unless a rule or the service uses the name otherwise.
const NAMESPACES: &[&str] = &["base64", "cel", "ip", "lists", "math", "optional", "strings"];

impl Checker<'_> {
    pub(super) fn call(
        &mut self,
        offset: u32,
        function: &str,
        target: Option<&Expression>,
        arguments: &[Expression],
    ) -> Result<Typed, Fault> {
        match target {
            Some(target) if let Some(namespace) = self.namespace(target) => {
                self.member(offset, namespace, function, arguments)
            }
            Some(target) if MACROS.contains(&function) => {
                self.macro_call(offset, function, target, arguments)
            }
            Some(target) if is_method(function) => self.optional_method(offset, function, target, arguments),
            Some(target) => self.method(offset, function, target, arguments),
            None => self.function(offset, function.trim_start_matches('.'), arguments),
        }
    }

    fn namespace(&self, target: &Expression) -> Option<&'static str> {
        let Form::Name(name) = &target.form else { return None };
        let namespace = NAMESPACES.iter().find(|namespace| *namespace == name)?;
        let taken = self.scope.iter().any(|bound| bound.name == *name)
            || self.environment.variable(name).is_some()
            || self.environment.is_group(name);
        (!taken).then_some(*namespace)
    }

    /// `namespace.function(…)`
    fn member(
        &mut self,
        offset: u32,
        namespace: &str,
        function: &str,
        arguments: &[Expression],
    ) -> Result<Typed, Fault> {
        match (namespace, function, arguments) {
            ("math", ..) => self.math(offset, function, arguments),
            ("optional", ..) => self.optional_of(offset, function, arguments),
            ("cel", "bind", _) => self.bind(offset, arguments),
            ("strings", "quote", [text]) => self.quote(offset, text),
            ("base64", "encode", [bytes]) => {
                let bytes = Box::new(self.typed(bytes, Scalar::Bytes, "the argument of `base64.encode`")?);
                Ok(Typed::one(offset, Scalar::String, Op::Encode(bytes)))
            }
            ("base64", "decode", [text]) => {
                let text = Box::new(self.typed(text, Scalar::String, "the argument of `base64.decode`")?);
                Ok(Typed::one(offset, Scalar::Bytes, Op::Decode(text)))
            }
            ("ip", "isCanonical", [text]) => {
                let text = Box::new(self.typed(text, Scalar::String, "the argument of `ip.isCanonical`")?);
                Ok(Typed::boolean(offset, Op::IsCanonical(text)))
            }
            ("lists", "range", [end]) => {
                let end = Box::new(self.typed(end, Scalar::Int, "the argument of `lists.range`")?);
                Ok(Typed::new(offset, StaticType::list(StaticType::INT), Op::Range(end)))
            }
            _ => Err(Fault::new(
                offset,
                format!("unknown function `{namespace}.{function}` of these arguments"),
            )
            .help("known are `base64.encode(b)`, `base64.decode(s)`, `cel.bind(x, …, …)`, `ip.isCanonical(s)`, `lists.range(n)`, `math.…`, `optional.…`, `strings.quote(s)`")),
        }
    }

    fn function(&mut self, offset: u32, function: &str, arguments: &[Expression]) -> Result<Typed, Fault> {
        match (function, arguments) {
            ("has", [argument]) => self.presence(argument),
            ("size", [argument]) => self.size(offset, argument),
            ("matches", [text, pattern]) => self.matches(offset, text, pattern),
            ("type", [argument]) => self.type_of(offset, argument),
            ("dyn", [argument]) => self.forget(argument),
            ("isIP", [text]) => self.parses(offset, Scalar::Ip, text),
            ("isCIDR", [text]) => self.parses(offset, Scalar::Cidr, text),
            (_, [argument]) if let Some(to) = conversion(function) => self.convert(offset, to, argument),
            (_, []) if let Some((index, ty)) = self.environment.nullary(function) => {
                Ok(read(offset, Origin::Fact(index), ty))
            }
            _ if let Some(declared) = self.environment.function(function).copied() => {
                self.declared(offset, function, &declared, arguments)
            }
            _ if self.environment.nullary(function).is_some() => {
                Err(Fault::new(offset, format!("`{function}` takes no arguments")))
            }
            _ if is_builtin(function) => {
                let wanted = if function == "matches" { "two arguments" } else { "one argument" };
                Err(Fault::new(offset, format!("`{function}` takes {wanted}")))
            }
            _ => Err(self.unknown_function(offset, function)),
        }
    }

    /// A call of a function the service declared.
    fn declared(
        &mut self,
        offset: u32,
        name: &str,
        function: &Function,
        arguments: &[Expression],
    ) -> Result<Typed, Fault> {
        let parameters = function.parameters();
        if arguments.len() != parameters.len() {
            let plural = if parameters.len() == 1 { "" } else { "s" };
            return Err(Fault::new(offset, format!("`{name}` takes {} argument{plural}", parameters.len())));
        }
        let mut nodes = Vec::with_capacity(arguments.len());
        for (position, (argument, ty)) in arguments.iter().zip(parameters).enumerate() {
            let what = format!("argument {} of `{name}`", position + 1);
            let (wanted, value_set) = (StaticType::of(*ty), words_of(*ty));
            let typed = self.expression(argument)?;
            if !typed.static_type.fits(&wanted) {
                let (wanted, this) = (wanted.describe(), typed.static_type.describe());
                return Err(Fault::new(argument.start(), format!("{what} must be {wanted}, this is {this}")));
            }
            enums::one_of(value_set, &typed.node)?;
            nodes.push(typed.node);
        }
        let result = function.result;
        let op = Op::Call { function: Box::new(*function), arguments: nodes.into() };
        Ok(Typed::new(offset, StaticType::of(result), op).among(words_of(result)))
    }

    fn unknown_function(&self, offset: u32, function: &str) -> Fault {
        let fault = Fault::new(offset, format!("unknown function {}", quote(function)));
        if METHODS.contains(&function) || is_method(function) || MACROS.contains(&function) {
            return fault.help(format!("it is called on a value: `value.{function}(…)`"));
        }
        let known: Vec<&str> = FUNCTIONS.iter().copied().chain(self.environment.functions()).collect();
        match nearest(function, known.iter().copied()) {
            None => fault.help(format!("functions are {}", listed(known))),
            near => fault.did_you_mean(near),
        }
    }

    pub(super) fn size(&mut self, offset: u32, argument: &Expression) -> Result<Typed, Fault> {
        let of = self.expression(argument)?;
        let sized = match &of.static_type {
            StaticType::One(scalar) => matches!(scalar, Scalar::String | Scalar::Bytes),
            StaticType::Optional(_) => false,
            _ => true,
        };
        if !sized {
            return Err(Fault::new(argument.start(), format!("{} has no size", of.static_type.describe())));
        }
        Ok(Typed::one(offset, Scalar::Int, Op::Size(Box::new(of.node))))
    }

    pub(super) fn matches(
        &mut self,
        offset: u32,
        target: &Expression,
        pattern: &Expression,
    ) -> Result<Typed, Fault> {
        let text = self.expression(target)?;
        if !text.static_type.may(|scalar| scalar == Scalar::String) {
            let message = format!("`matches` is called on a string, this is {}", text.static_type.describe());
            return Err(Fault::new(target.start(), message));
        }
        let pattern = self.typed(pattern, Scalar::String, "the pattern of `matches`")?;
        let Some(source) = pattern.constant_text() else {
            return Err(Fault::new(pattern.offset, "the pattern of `matches` must be written in the rule"));
        };
        let regex = regex(source).map_err(|message| Fault::new(pattern.offset, message))?;
        enums::matched(&text, &regex, &pattern)?;
        let op = Op::Matches { text: Box::new(text.node), pattern: Box::new(regex) };
        Ok(Typed::boolean(offset, op))
    }

    fn parses(&mut self, offset: u32, to: Scalar, text: &Expression) -> Result<Typed, Fault> {
        let text = Box::new(self.typed(text, Scalar::String, "the argument")?);
        Ok(Typed::boolean(offset, Op::Parses { to, text }))
    }

    fn convert(&mut self, offset: u32, to: Scalar, argument: &Expression) -> Result<Typed, Fault> {
        let value = self.expression(argument)?;
        if !value.static_type.may(|from| convertible(from, to)) {
            let message = format!("{} cannot become {}", value.static_type.describe(), article(to));
            return Err(Fault::new(offset, message));
        }
        if let Some(text) = value.node.constant_text()
            && !matches!(to, Scalar::String | Scalar::Bytes)
            && !value.static_type.is_open()
        {
            let constant = convert_constant(to, text).ok_or_else(|| {
                Fault::new(value.node.offset, format!("{} is not {}", quote(text), article(to)))
                    .help(instead(to, text))
            })?;
            return Ok(Typed::one(offset, to, Op::Constant(constant)));
        }
        Ok(Typed::one(offset, to, Op::Convert { to, value: Box::new(value.node) }))
    }
}

/// The values of a declared enum, if the type is one.
fn words_of(ty: Type) -> Option<ValueSet> {
    match ty {
        Type::Enum(values) => Some(ValueSet::Enum(values)),
        _ => None,
    }
}
