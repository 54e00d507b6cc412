//! Beside stage 6: finds rules that are true only because a value is absent.

use crate::analyze::{Known, PartialFacts};
use crate::attribute::ATTRIBUTES;
use crate::environment::Origin;
use crate::evaluate::PartialEvaluator;
use crate::limits::COMPARISONS_MAX;
use crate::policy::Policy;
use crate::program::{Constant, Node, Op};
use crate::value::Value;

/// A variable or function of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Variable {
    /// A variable under `identity`, by its path.
    Identity(&'static str),
    /// The variable or function of this index, as [`Facts::fact`](crate::Facts::fact) counts them.
    Fact(usize),
}

/// A comparison with an absent value that makes a rule true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absence {
    /// Byte offset in the rule's text of the comparison, or of the absent variable in it.
    pub offset: usize,
    /// The absent variable.
    pub variable: Variable,
}

impl From<Origin> for Variable {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Fact(index) => Self::Fact(index),
            Origin::Identity(attribute) => {
                let path = ATTRIBUTES.iter().find(|(_, known, _)| *known == attribute);
                Self::Identity(path.map_or("identity", |(path, _, _)| path))
            }
        }
    }
}

impl Policy {
    /// The variables the rule at this index reads, without duplicates.
    pub fn variables(&self, rule: usize) -> Vec<Variable> {
        let mut variables = Vec::new();
        if let Some(program) = self.programs().nth(rule) {
            program.root.each_origin(&mut |origin| {
                let variable = Variable::from(origin);
                if !variables.contains(&variable) {
                    variables.push(variable);
                }
            });
        }
        variables
    }

    /// The first comparison that makes the rule at this index true only because a value is absent:
    /// `identity.username != 'bob'` for an anonymous caller, `!('x' in list)` and `list.all(…)` for an empty
    /// list. Comparisons with `null` and `''` test absence on purpose and are not reported.
    ///
    /// `None` also if the index is out of range or the rule is never true. Comparisons after the first
    /// [`COMPARISONS_MAX`](crate::limits::COMPARISONS_MAX) are not examined.
    pub fn depends_on_absence(&self, rule: usize, partial: &dyn PartialFacts) -> Option<Absence> {
        let root = &self.programs().nth(rule)?.root;
        let identity = partial.caller().example();
        let outcomes_of = |node, assumed| PartialEvaluator::outcomes_of(node, &identity, partial, assumed);
        let mut comparisons = Vec::new();
        root.comparisons(&mut comparisons);
        comparisons.into_iter().find_map(|node| {
            let absence = absent_in(node, partial)?;
            let outcomes = outcomes_of(node, None);
            let answer = outcomes.is_always(true);
            let is_settled = answer || outcomes.is_always(false);
            // `absent in list` is true only if the list contains null or '', so the author tests absence.
            let is_meant = answer && matches!(node.op, Op::In(_));
            let decides = || {
                outcomes_of(root, None).may_be(true) && !outcomes_of(root, Some((node, !answer))).may_be(true)
            };
            (is_settled && !is_meant && decides()).then_some(absence)
        })
    }
}

impl Node {
    /// Collects the comparisons that `&&`, `||`, `!` and `?:` combine.
    fn comparisons<'a>(&'a self, found: &mut Vec<&'a Node>) {
        match &self.op {
            Op::Not(of) => of.comparisons(found),
            Op::And(sides) | Op::Or(sides) => sides.iter().for_each(|side| side.comparisons(found)),
            Op::If(parts) => parts.iter().for_each(|part| part.comparisons(found)),
            Op::Equal { .. } | Op::In(_) | Op::Quantified { .. } if found.len() < COMPARISONS_MAX => {
                found.push(self);
            }
            _ => {}
        }
    }

    fn is_null_or_empty(&self) -> bool {
        match self.constant() {
            Some(Constant::Null) => true,
            Some(Constant::String(text)) => text.is_empty(),
            Some(Constant::List(elements)) => elements.is_empty(),
            _ => false,
        }
    }
}

/// The absent variable in a comparison, unless the comparison tests absence itself.
fn absent_in(node: &Node, partial: &dyn PartialFacts) -> Option<Absence> {
    let is_absent = |origin: Origin| {
        let known = match origin {
            Origin::Identity(attribute) => partial.caller().known(attribute),
            Origin::Fact(index) => partial.fact(index),
        };
        matches!(known, Known::Exactly(Value::Absent | Value::Strings([])))
    };
    if let Op::Equal { sides, .. } = &node.op {
        let read = |side: &Node| match side.op {
            Op::Read(origin, _) if is_absent(origin) => {
                Some(Absence { offset: side.offset as usize, variable: origin.into() })
            }
            _ => None,
        };
        return match &**sides {
            sides if sides.iter().any(Node::is_null_or_empty) => None,
            sides => sides.iter().find_map(read),
        };
    }
    let mut absent = None;
    node.each_origin(&mut |origin| {
        if is_absent(origin) {
            absent.get_or_insert(origin);
        }
    });
    absent.map(|origin| Absence { offset: node.offset as usize, variable: origin.into() })
}
