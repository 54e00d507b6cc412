//! Stage 2: the text of a rule → our own tree. The only file that knows the CEL parser.

mod convert;

use crate::error::{Fault, quote};
use crate::limits::{NESTING_MAX, OPERATORS_MAX, RULE_MAX_BYTES};
use cel_parser::Env;

/// One expression and its byte offset in the rule.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    pub(crate) offset: u32,
    pub(crate) form: Form,
}

/// Equality ignores offsets.
impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.form == other.form
    }
}

impl Expression {
    /// Where the expression begins; its own token may be an operator in the middle.
    pub(crate) fn start(&self) -> u32 {
        let mut first = self;
        loop {
            first = match &first.form {
                Form::Field { of, .. } | Form::IfPresent(of) => of,
                Form::Call { target: Some(target), .. } => target,
                Form::Operation { operator, operands } => match operands.first() {
                    Some(left) if !matches!(operator, Operator::Not | Operator::Negate) => left,
                    _ => return first.offset,
                },
                _ => return first.offset,
            };
        }
    }
}

impl Expression {
    /// The expressions it is made of, first to last.
    pub(crate) fn parts(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match &self.form {
            Form::Field { of, .. } | Form::IfPresent(of) => Box::new(std::iter::once(&**of)),
            Form::Call { target, arguments, .. } => Box::new(target.as_deref().into_iter().chain(arguments)),
            Form::Operation { operands, .. } => Box::new(operands.iter()),
            Form::List(elements) => Box::new(elements.iter().map(Self::itself)),
            Form::Map(entries) => Box::new(entries.iter().flat_map(|(key, value)| [key, value.itself()])),
            Form::Null
            | Form::Bool(_)
            | Form::Int(_)
            | Form::Uint(_)
            | Form::Double(_)
            | Form::String(_)
            | Form::Bytes(_)
            | Form::Name(_) => Box::new(std::iter::empty()),
        }
    }
}

impl Expression {
    /// Without the `?` that says it may be left out.
    fn itself(&self) -> &Self {
        match &self.form {
            Form::IfPresent(optional) => optional,
            _ => self,
        }
    }
}

/// The form of an expression. Macros are ordinary calls here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Form {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
    /// An identifier.
    Name(String),
    /// `of.name`; `of.?name` when it may be missing.
    Field {
        of: Box<Expression>,
        name: String,
        optional: bool,
    },
    /// `function(arguments)` or `target.function(arguments)`
    Call {
        function: String,
        target: Option<Box<Expression>>,
        arguments: Vec<Expression>,
    },
    /// `operator` applied to its one, two or three operands.
    Operation {
        operator: Operator,
        operands: Vec<Expression>,
    },
    /// `[a, b]`
    List(Vec<Expression>),
    /// `{key: value}`
    Map(Vec<(Expression, Expression)>),
    /// `?element` of a list, `?key: value` of a map, at the position of the value.
    IfPresent(Box<Expression>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    And,
    Or,
    Not,
    If,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Negate,
    Index,
    /// `of[?key]`
    OptionalIndex,
}

impl Operator {
    /// As written in a rule.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::And => "&&",
            Self::Or => "||",
            Self::Not => "!",
            Self::If => "?:",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Subtract | Self::Negate => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Index => "[]",
            Self::OptionalIndex => "[?]",
        }
    }
}

/// Parses one rule. Needs a deep stack; see [`limits`](crate::limits).
pub(crate) fn parse(source: &str) -> Result<Expression, Fault> {
    if source.len() > RULE_MAX_BYTES {
        let message = format!("the rule is {} bytes long; at most {RULE_MAX_BYTES} are read", source.len());
        return Err(Fault::new(RULE_MAX_BYTES, message));
    }
    if source.trim().is_empty() {
        return Err(Fault::new(0usize, "the rule is empty").help("write `true` or `false`, or leave it out"));
    }
    bounded(source)?;
    // An environment without macros, so that `has` and `exists` stay calls with positions of their own.
    let environment = Env::default().with_optional_support(true);
    let parser = environment
        .parser()
        .enable_ident_escape_syntax(true)
        .max_recursion_depth(NESTING_MAX)
        .error_recovery_limit(4);
    match parser.parse_with_source_info(source) {
        Ok((root, positions)) => convert::Converter::new(source, &positions).convert(&root, 0),
        Err(errors) => Err(first_fault(source, &errors)),
    }
}

/// Refuses, before the parser sees them, rules with more punctuation than anyone writes: its time grows by
/// some microseconds with each operator.
fn bounded(source: &str) -> Result<(), Fault> {
    let mut quote = None;
    let mut escaped = false;
    let mut count = 0;
    for (offset, c) in source.char_indices() {
        match quote {
            Some(open) => {
                if c == open && !escaped {
                    quote = None;
                }
                escaped = c == '\\' && !escaped;
            }
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c.is_ascii_punctuation() && c != '_' => count += 1,
            None => {}
        }
        if count > OPERATORS_MAX {
            let message = format!("more than {OPERATORS_MAX} operators, dots, commas and brackets");
            return Err(Fault::new(offset, message).help("split the rule"));
        }
    }
    Ok(())
}

/// The first of the parser's errors, placed in the rule and worded briefly.
fn first_fault(source: &str, errors: &cel_parser::ParseErrors) -> Fault {
    let Some(error) = errors.errors.first() else {
        return Fault::new(0usize, "not a CEL expression");
    };
    let message = error.msg.strip_prefix("Syntax error: ").unwrap_or(&error.msg);
    let (line, column) = error.pos;
    let offset = offset_of(source, line, column);
    if message.contains("ecursion limit") || message == "UNKNOWN" {
        return Fault::new(offset, format!("nested more than {NESTING_MAX} levels deep"));
    }
    if offset >= source.trim_end().len() && message.contains("<EOF>") {
        return Fault::new(offset, "the rule ends where an expression should continue");
    }
    let rest = source.get(offset..).unwrap_or("");
    let first = rest.chars().next();
    if matches!(first, Some('\'' | '"')) && message.contains("token recognition") {
        return Fault::new(offset, "the string that begins here does not end, or has an unknown escape");
    }
    if message.contains("Incomplete") {
        return Fault::new(offset, "this expression is incomplete");
    }
    let stray = ["mismatched input", "extraneous input", "token recognition", "no viable alternative"];
    if stray.iter().any(|kind| message.contains(kind)) {
        let word: String = match first {
            Some(c) if c.is_alphanumeric() || c == '_' => {
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
            }
            Some(c) => c.to_string(),
            None => String::new(),
        };
        return Fault::new(offset, format!("{} does not belong here", quote(&word)));
    }
    Fault::new(offset, quote(message).trim_matches('`').to_owned())
}

/// Byte offset of a line (from 1) and column (in characters, from 1).
fn offset_of(source: &str, line: isize, column: isize) -> usize {
    let line = usize::try_from(line).unwrap_or(1).max(1);
    let column = usize::try_from(column).unwrap_or(1).max(1);
    let start: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = source.get(start..).unwrap_or("");
    start + rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at)
}
