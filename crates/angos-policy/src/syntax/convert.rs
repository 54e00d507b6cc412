//! Stage 2: the parser's tree → ours, with a position for every expression and a bound on depth.

use super::{Expression, Form, Operator};
use crate::error::{Fault, quote};
use crate::limits::TREE_DEPTH_MAX;
use cel_parser::IdedExpr;
use cel_parser::common::ast::{
    CallExpr, EntryExpr, Expr, IdedEntryExpr, ListExpr, LiteralValue, MapExpr, SourceInfo, operators,
};

pub(super) struct Converter<'a> {
    source: &'a str,
    positions: &'a SourceInfo,
}

impl<'a> Converter<'a> {
    pub(super) fn new(source: &'a str, positions: &'a SourceInfo) -> Self {
        Self { source, positions }
    }

    pub(super) fn convert(&self, node: &IdedExpr, depth: usize) -> Result<Expression, Fault> {
        let token = self.token(node);
        if depth >= TREE_DEPTH_MAX {
            return Err(Fault::new(token, format!("the chain is more than {TREE_DEPTH_MAX} links long"))
                .help("split the rule, or group its parts with parentheses"));
        }
        let (offset, form) = match &node.expr {
            Expr::Literal(literal) => (token, literal_form(literal)),
            Expr::Ident(name) => (token, Form::Name(name.clone())),
            Expr::Select(select) => {
                let of = Box::new(self.convert(&select.operand, depth + 1)?);
                (self.after_dot(token), Form::Field { of, name: select.field.clone(), optional: false })
            }
            Expr::List(list) => (token, Form::List(self.elements(list, depth)?)),
            Expr::Call(call) => return self.call(call, token, depth),
            Expr::Map(map) => (token, Form::Map(self.entries(map, depth)?)),
            Expr::Struct(value) => {
                let message = format!("messages like {} cannot be written in rules", quote(&value.type_name));
                return Err(Fault::new(token, message));
            }
            Expr::Comprehension(_) | Expr::Unspecified => {
                return Err(Fault::new(token, "not a CEL expression"));
            }
        };
        Ok(Expression { offset: narrow(offset), form })
    }

    fn call(&self, call: &CallExpr, token: usize, depth: usize) -> Result<Expression, Fault> {
        if let (operators::OPT_SELECT, [of, field]) = (call.func_name.as_str(), call.args.as_slice())
            && let Expr::Literal(LiteralValue::String(name)) = &field.expr
        {
            let of = Box::new(self.convert(of, depth + 1)?);
            let form = Form::Field { of, name: name.inner().to_owned(), optional: true };
            return Ok(Expression { offset: narrow(self.after_dot(token)), form });
        }
        if let Some(operator) = operator(&call.func_name) {
            let operands = self.all(&call.args, depth)?;
            return Ok(Expression { offset: narrow(token), form: Form::Operation { operator, operands } });
        }
        let target = match &call.target {
            Some(target) => Some(Box::new(self.convert(target, depth + 1)?)),
            None => None,
        };
        let form =
            Form::Call { function: call.func_name.clone(), target, arguments: self.all(&call.args, depth)? };
        Ok(Expression { offset: narrow(self.before_parenthesis(token, &call.func_name)), form })
    }

    fn elements(&self, list: &ListExpr, depth: usize) -> Result<Vec<Expression>, Fault> {
        let mut elements = self.all(&list.elements, depth)?;
        for index in &list.optional_indices {
            if let Some(element) = elements.get_mut(*index) {
                *element = if_present(element.clone());
            }
        }
        Ok(elements)
    }

    fn entries(&self, map: &MapExpr, depth: usize) -> Result<Vec<(Expression, Expression)>, Fault> {
        let pair = |entry: &IdedEntryExpr| match &entry.expr {
            EntryExpr::MapEntry(entry) => {
                let (key, value) =
                    (self.convert(&entry.key, depth + 1)?, self.convert(&entry.value, depth + 1)?);
                Ok((key, if entry.optional { if_present(value) } else { value }))
            }
            EntryExpr::StructField(_) => Err(Fault::new(0usize, "not a CEL expression")),
        };
        map.entries.iter().map(pair).collect()
    }

    fn all(&self, nodes: &[IdedExpr], depth: usize) -> Result<Vec<Expression>, Fault> {
        nodes.iter().map(|node| self.convert(node, depth + 1)).collect()
    }

    /// Where the parser says the expression's own token begins.
    fn token(&self, node: &IdedExpr) -> usize {
        let offset = self.positions.offset_for(node.id).map_or(0, |(start, _)| start as usize);
        offset.min(self.source.len())
    }

    /// From the dot of a selection to the field's name.
    fn after_dot(&self, dot: usize) -> usize {
        let rest = self.source.get(dot..).unwrap_or("");
        let name = rest.strip_prefix('.').unwrap_or(rest).trim_start();
        let name = name.strip_prefix('?').unwrap_or(name).trim_start();
        self.source.len() - name.len()
    }

    /// From the parenthesis of a call back to the function's name.
    fn before_parenthesis(&self, parenthesis: usize, name: &str) -> usize {
        let before = self.source.get(..parenthesis).unwrap_or("").trim_end();
        before.strip_suffix(name).map_or(parenthesis, str::len)
    }
}

fn if_present(value: Expression) -> Expression {
    Expression { offset: value.offset, form: Form::IfPresent(Box::new(value)) }
}

/// Offsets fit: rules are at most 8 KiB.
fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

fn literal_form(literal: &LiteralValue) -> Form {
    match literal {
        LiteralValue::Boolean(value) => Form::Bool(*value.inner()),
        LiteralValue::Bytes(value) => Form::Bytes(value.inner().to_vec()),
        LiteralValue::Double(value) => Form::Double(*value.inner()),
        LiteralValue::Int(value) => Form::Int(*value.inner()),
        LiteralValue::Null => Form::Null,
        LiteralValue::String(value) => Form::String(value.inner().to_owned()),
        LiteralValue::UInt(value) => Form::Uint(*value.inner()),
    }
}

fn operator(function: &str) -> Option<Operator> {
    Some(match function {
        operators::LOGICAL_AND => Operator::And,
        operators::LOGICAL_OR => Operator::Or,
        operators::LOGICAL_NOT => Operator::Not,
        operators::CONDITIONAL => Operator::If,
        operators::EQUALS => Operator::Equal,
        operators::NOT_EQUALS => Operator::NotEqual,
        operators::LESS => Operator::Less,
        operators::LESS_EQUALS => Operator::LessEqual,
        operators::GREATER => Operator::Greater,
        operators::GREATER_EQUALS => Operator::GreaterEqual,
        operators::IN => Operator::In,
        operators::ADD => Operator::Add,
        operators::SUBSTRACT => Operator::Subtract,
        operators::MULTIPLY => Operator::Multiply,
        operators::DIVIDE => Operator::Divide,
        operators::MODULO => Operator::Remainder,
        operators::NEGATE => Operator::Negate,
        operators::INDEX => Operator::Index,
        operators::OPT_INDEX => Operator::OptionalIndex,
        _ => return None,
    })
}
