//! Stage 3: the macros `all`, `exists`, `exists_one`, `map` and `filter`.

use super::{Bound, Checked, Checker, TypedList, operators::boolean};
use crate::error::{Fault, quote};
use crate::limits::LOOP_DEPTH_MAX;
use crate::program::{List, Node, Op, Quantifier, Scalar};
use crate::syntax::{Expression, Form};

/// The macros, called on a list.
pub(super) const MACROS: &[&str] = &["all", "exists", "exists_one", "existsOne", "filter", "map"];

impl Checker<'_> {
    pub(super) fn macro_call(
        &mut self,
        offset: u32,
        function: &str,
        target: &Expression,
        arguments: &[Expression],
    ) -> Result<Checked, Fault> {
        let what = format!("what `{function}` is called on");
        let source = self.list(target, &what)?;
        let (variable, condition, body) = match (function, arguments) {
            ("map", [variable, condition, body]) => (variable, Some(condition), body),
            (_, [variable, body]) => (variable, None, body),
            _ => {
                let message = format!("`{function}` takes a name and an expression");
                return Err(Fault::new(offset, message).help(format!("write `list.{function}(x, …)`")));
            }
        };
        let slot = self.enter(&source, variable)?;
        let result = self.loop_body(offset, function, source, slot, condition, body);
        self.scope.pop();
        result
    }

    /// Names the element of a list for the expressions inside a loop.
    fn enter(&mut self, source: &TypedList, variable: &Expression) -> Result<usize, Fault> {
        let Form::Name(name) = &variable.form else {
            return Err(Fault::new(variable.offset, "a name for the element must stand here"));
        };
        let slot = self.scope.len();
        if slot >= LOOP_DEPTH_MAX {
            return Err(Fault::new(variable.offset, format!("loops nest more than {LOOP_DEPTH_MAX} deep")));
        }
        if name.starts_with('.') {
            return Err(Fault::new(variable.offset, format!("{} cannot name an element", quote(name))));
        }
        // The elements of the empty list have every type; null stands for it.
        let scalar = source.element.unwrap_or(Scalar::Null);
        self.scope.push(Bound { name: name.clone(), scalar, words: source.words });
        Ok(slot)
    }

    fn loop_body(
        &mut self,
        offset: u32,
        function: &str,
        source: TypedList,
        slot: usize,
        condition: Option<&Expression>,
        body: &Expression,
    ) -> Result<Checked, Fault> {
        let (element, words) = (source.element, source.words);
        let source = Box::new(source.list);
        let what = format!("the condition of `{function}`");
        let quantifier = match function {
            "all" => Quantifier::All,
            "exists" => Quantifier::Exists,
            "exists_one" | "existsOne" => Quantifier::ExistsOne,
            "filter" => {
                let condition = Box::new(self.typed(body, Scalar::Bool, &what)?);
                let list = List::Filter { source, slot, condition };
                return Ok(Checked::List(TypedList { list, element, words, offset }));
            }
            _ => {
                let condition: Option<Node> = match condition {
                    Some(condition) => Some(self.typed(condition, Scalar::Bool, &what)?),
                    None => None,
                };
                let body = self.value(body)?;
                let (element, words) = (Some(body.scalar), body.words);
                let list =
                    List::Map { source, slot, condition: condition.map(Box::new), body: Box::new(body.node) };
                return Ok(Checked::List(TypedList { list, element, words, offset }));
            }
        };
        let test = Box::new(self.typed(body, Scalar::Bool, &what)?);
        Ok(boolean(offset, Op::Quantified { quantifier, list: source, slot, test }))
    }
}
