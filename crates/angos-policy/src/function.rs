//! Stages 1, 3 and 5: functions with arguments that a service declares.

use crate::limits::FUNCTION_PARAMETERS_MAX;
use crate::value::{Type, Undecidable, Value};

/// The implementation of a declared function. It gets the arguments in order and of the declared types, and
/// returns a value of the declared type, or an error that makes the rule undecidable.
///
/// Arguments are never absent or outside a declared enum: such an argument makes the rule undecidable before
/// the call. Runs inside
/// decisions, so it must not block and should not allocate; a rule is charged for the text it passes, not
/// for the work of the function. Equal arguments must give equal results.
pub type FunctionBody = for<'v> fn(&[Value<'v>]) -> Result<Value<'v>, Undecidable>;

/// A declared function with arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Function {
    parameters: [Type; FUNCTION_PARAMETERS_MAX],
    count: usize,
    pub(crate) result: Type,
    pub(crate) body: FunctionBody,
}

impl Function {
    /// The function; `None` if it has no or too many parameters, or returns a list, a map or bytes.
    pub(crate) fn new(parameters: &[Type], result: Type, body: FunctionBody) -> Option<Self> {
        let mut all = [Type::Bool; FUNCTION_PARAMETERS_MAX];
        all.get_mut(..parameters.len())?.copy_from_slice(parameters);
        let passed = parameters.iter().all(|ty| !matches!(ty, Type::Enum([])));
        let returned = !matches!(
            result,
            Type::StringList | Type::List(_) | Type::Map(..) | Type::Bytes | Type::Enum([])
        );
        (passed && returned && !parameters.is_empty()).then_some(Self {
            parameters: all,
            count: parameters.len(),
            result,
            body,
        })
    }

    pub(crate) fn parameters(&self) -> &[Type] {
        self.parameters.get(..self.count).unwrap_or_default()
    }
}
