//! Every bound of this crate, with its reason.

/// Longest rule text, in bytes. Rules are read by people; the parser's worst cases grow with length.
pub const RULE_MAX_BYTES: usize = 8 * 1024;

/// Most rules in one policy. Each decision may visit them all.
pub const RULES_MAX: usize = 1024;

/// Most operators, dots, commas and brackets in one rule; parsing takes some microseconds for each.
pub const OPERATORS_MAX: usize = 1024;

/// Deepest nesting of parentheses, lists and arguments the parser follows.
pub const NESTING_MAX: u16 = 32;

/// Deepest expression tree that is compiled. Long chains (`a + b + …`, `a.b.c…`) nest without parentheses,
/// and evaluation recurses once per level on the caller's stack.
pub const TREE_DEPTH_MAX: usize = 64;

/// Deepest nesting of `all`, `exists`, `exists_one`, `map` and `filter`; each level owns one slot of a
/// decision's frame.
pub const LOOP_DEPTH_MAX: usize = 8;

/// Units of work one rule may spend in one decision: one per visited expression and list element, plus one
/// per 64 bytes of text searched. About half a millisecond; a certificate with ten thousand names fits, a
/// nested loop over it does not and makes the rule undecidable.
pub const RULE_COST_MAX: u32 = 100_000;

/// Bytes of strings one rule may build at a time (`+`, `string(…)`, `lowerAscii()`); they live on the stack.
pub const TEXT_MAX_BYTES: usize = 4 * 1024;

/// Most decimals `%f` and `%e` of `format` write; a double has 17 significant digits.
pub const FORMAT_PRECISION_MAX: usize = 100;

/// Elements of lists and maps one rule may build at a time, a key and its value counting as two; they live
/// on the stack. Lists that are only iterated (`map(…).exists(…)`) are not built and have no such bound.
pub const SLOTS_MAX: usize = 512;

/// Deepest nesting of lists and maps of a service that `==` compares.
pub const VALUE_DEPTH_MAX: usize = 32;

/// Longest pattern of `matches`, in bytes: compiling takes some microseconds for each.
pub const PATTERN_MAX_BYTES: usize = 1024;

/// Largest compiled form of one `matches` pattern, in bytes, as the regex engine counts it.
pub const REGEX_MAX_BYTES: usize = 256 * 1024;

/// Deepest nesting of groups in a `matches` pattern; compiling recurses once per level.
pub const PATTERN_NESTING_MAX: u32 = 64;

/// Characters of classes whose other cases are looked up when a `matches` pattern ignores case, as we estimate
/// them: one class of everything, or seven of letters. Each takes some nanoseconds, whatever the pattern compiles to.
pub const PATTERN_FOLDS_MAX: usize = 1_200_000;

/// Most variables and functions an environment may declare.
pub const VARIABLES_MAX: usize = 1024;

/// Most arguments a declared function may take; they live on the stack of a decision.
pub const FUNCTION_PARAMETERS_MAX: usize = 4;

/// Most ways in which a rule may be true (what `||` joins once `&&` is multiplied out) that the search for
/// redundant rules distinguishes. People write a handful.
pub const ALTERNATIVES_MAX: usize = 32;

/// Most comparisons of one rule that the analysis of absent values examines; each costs one evaluation of the
/// rule.
pub const COMPARISONS_MAX: usize = 64;

/// Longest text of one value in an explanation, in characters. An explanation shows a value for every part of every
/// rule, and a certificate may hold long ones; a digest has 71.
pub const EXPLAINED_VALUE_MAX_CHARS: usize = 256;

/// Most elements of a list that an explanation shows; what a person reads at a glance.
pub const EXPLAINED_ELEMENTS_MAX: usize = 8;

/// Most evaluations of the same expression that an explanation shows: the first ones and the last, which settles
/// `exists` and `all`. A loop over a certificate's names evaluates its body for each.
pub const EXPLAINED_ROUNDS_MAX: usize = 4;

/// Stack of the thread that parses and checks rules: an unoptimised parser needs far more than the 2 MiB
/// of an ordinary thread for input that is within the limits above.
pub(crate) const COMPILER_STACK_BYTES: usize = 32 * 1024 * 1024;

/// Characters of a rule's line that an error shows on either side of the fault; about a terminal's width in all.
pub(crate) const EXCERPT_MAX_CHARS: usize = 60;

/// Longest unknown name, in characters, for which a known one is suggested: the comparison is quadratic.
pub(crate) const SUGGESTION_MAX_CHARS: usize = 64;

/// Characters reserved in the text of a truncated value for its length: `…' (` and twenty digits.
pub(crate) const EXPLAINED_LENGTH_MAX_CHARS: usize = 40;
