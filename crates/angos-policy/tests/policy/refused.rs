//! What does not load: every kind of mistake, with its place, its message and the suggestion.

use crate::callers::{caller, environment, full};
use angos_policy::{DefaultDecision, Policy, RuleError, RuleSource, limits};
use std::time::{Duration, Instant};

/// Why a rule does not load.
fn refusal(rule: &str) -> RuleError {
    let rules = [RuleSource::from(rule)];
    match Policy::compile(&environment(), DefaultDecision::Deny, &rules) {
        Ok(_) => panic!("{rule:.80} was accepted"),
        Err(mut errors) => errors.remove(0),
    }
}

/// Rule, line and column of the mistake, and what message and suggestion contain.
const MISTAKES: &[(&str, usize, usize, &str, &str)] = &[
    // Names.
    ("identity.usrname == 'a'", 1, 10, "`identity` has no field `usrname`", "did you mean `username`?"),
    ("identity.certificat.subject == 'a'", 1, 10, "`identity` has no field `certificat`", "`certificate`"),
    ("identity.certificate.cn == 'a'", 1, 22, "has no field `cn`", "its fields are authority, common_names"),
    ("identity.username.first == 'a'", 1, 19, "`identity.username` is not a group", ""),
    ("identity.certificate == null", 1, 1, "is a group of fields", "its fields are"),
    ("identity.username == admin", 1, 22, "unknown name `admin`", "strings are written in quotes"),
    ("requst.action == 'metrics'", 1, 1, "unknown name `requst`", "did you mean `request`?"),
    ("has_repository_policy", 1, 1, "unknown name", "is a function: write `has_repository_policy(…)`"),
    ("request.tags.exists(t, tt == 'a')", 1, 24, "unknown name `tt`", "did you mean `t`?"),
    ("request.tags.exists(t, t.x == 'a')", 1, 26, "`t` is a string and has no field `x`", ""),
    ("request.tags[0].x == 'a'", 1, 17, "a string has no field `x`", ""),
    // Functions.
    ("identity.username.startswith('a')", 1, 19, "unknown function", "did you mean `startsWith`?"),
    ("startsWith(identity.username, 'a')", 1, 1, "unknown function", "`value.startsWith(…)`"),
    ("has_repo_policy()", 1, 1, "unknown function `has_repo_policy`", "functions are"),
    ("has_repository_polcy()", 1, 1, "unknown function", "did you mean `has_repository_policy`?"),
    ("has_repository_policy(1)", 1, 1, "takes no arguments", ""),
    ("size() == 0", 1, 1, "`size` takes one argument", ""),
    ("identity.username.startsWith()", 1, 19, "wrong number of arguments", ""),
    ("has(identity)", 1, 5, "`has` asks about a field", "has(identity.username)"),
    ("has('x')", 1, 5, "`has` asks about a field", ""),
    ("has(identity.usrname)", 1, 14, "has no field `usrname`", "`username`"),
    // Types.
    ("identity.username", 1, 1, "a rule must be true or false, this is a string", "compare it"),
    ("identity.certificate.organizations", 1, 1, "this is a list of string", "size(…) > 0"),
    ("identity.username == 1", 1, 19, "`==` cannot take a string and an int", ""),
    ("identity.certificate.organizations == 'x'", 1, 36, "cannot take a list of string and a string", "`in`"),
    ("'x' in identity.username", 1, 8, "the right side of `in` must be a list, this is a string", ""),
    ("1 in request.tags", 1, 3, "an int is never in a list of string", ""),
    ("identity.username && true", 1, 1, "each side of `&&` must be a bool, this is a string", ""),
    ("!identity.username", 1, 2, "the operand of `!` must be a bool", ""),
    ("identity.username ? true : false", 1, 1, "the condition of `?:` must be a bool", ""),
    ("(true ? 1 : 'a') == 1", 1, 7, "both results of `?:` must be alike", ""),
    ("1 + 'a' == 1", 1, 3, "`+` cannot take an int and a string", ""),
    ("1 + 1.0 == 2", 1, 3, "`+` cannot take an int and a double", ""),
    ("-identity.username == 1", 1, 1, "a string cannot be negated", ""),
    ("'a' < 1", 1, 5, "`<` cannot take a string and an int", ""),
    (
        "identity.certificate.present == null || 1 == null",
        1,
        43,
        "`==` cannot take an int and null",
        "variable",
    ),
    (
        "request.tags.startsWith('a')",
        1,
        1,
        "called on a string, this is a list",
        "list.exists(e, e.startsWith(…))",
    ),
    ("request.n.contains('a')", 1, 1, "called on a string, this is an int", ""),
    ("identity.username.exists(x, true)", 1, 1, "must be a list, this is a string", ""),
    ("request.tags.exists(t, t)", 1, 24, "the condition of `exists` must be a bool", ""),
    ("request.tags.exists('t', true)", 1, 21, "a name for the element", ""),
    ("request.tags.exists(t)", 1, 14, "`exists` takes a name and an expression", "list.exists(x, …)"),
    ("request.tags.all(.t, true)", 1, 19, "`.t` cannot name an element", ""),
    ("[1, 'a'].size() == 2", 1, 5, "this element is a string", ""),
    ("[[1], ['a']].size() == 2", 1, 7, "this element is a list of string, the ones before it", "`dyn(…)`"),
    ("{'a': 1, 'a': 2}.a == 1", 1, 10, "this key is in the map already", ""),
    ("{'a': 1}.b == 1", 1, 10, "the map has no key `b`", ""),
    ("request.tags['a'] == 'x'", 1, 14, "a list index must be an int", ""),
    ("size(1) == 1", 1, 6, "an int has no size", ""),
    ("request.age.getFullYear() == 1", 1, 13, "a duration has no `getFullYear`", ""),
    ("bool(1)", 1, 1, "an int cannot become a bool", ""),
    // Closed sets.
    (
        "request.action == 'pull'",
        1,
        19,
        "'pull' is not one of the possible values",
        "get-manifest, put-manifest",
    ),
    ("'get-manifst' != request.action", 1, 1, "'get-manifst' is not one", "did you mean 'get-manifest'?"),
    ("request.action in ['get-blob', 'push']", 1, 32, "'push' is not one", "possible are"),
    ("['pull'].contains(request.action)", 1, 2, "'pull' is not one", "possible are"),
    (
        "request.action.startsWith('pull-')",
        1,
        27,
        "none of the possible values starts with 'pull-'",
        "possible",
    ),
    ("request.action.matches('^pull')", 1, 24, "none of the possible values matches", "possible"),
    ("identity.method == 'password'", 1, 20, "'password' is not one", "anonymous, certificate, basic"),
    // Constants.
    ("identity.username.matches('(')", 1, 27, "bad pattern: unclosed group", ""),
    ("identity.username.matches('(?=a)')", 1, 27, "bad pattern: look-around", ""),
    ("identity.username.matches(request.tag)", 1, 27, "must be written in the rule", ""),
    (
        "request.time < timestamp('tomorrow')",
        1,
        26,
        "`tomorrow` is not a timestamp",
        "'2030-01-31T00:00:00Z'",
    ),
    ("request.age < duration('1d')", 1, 24, "`1d` is not a duration", "'1h30m'"),
    ("cidr('10.0.0.0').containsIP(identity.client_ip)", 1, 6, "`10.0.0.0` is not a cidr", "'10.0.0.0/8'"),
    ("cidr('10.0.0.0/8').containsIP('10.0.0')", 1, 31, "`10.0.0` is not an ip", ""),
    (
        "request.time.getHours('Europe/Berlim') == 1",
        1,
        23,
        "`Europe/Berlim` is no time zone",
        "did you mean `Europe/Berlin`?",
    ),
    ("request.time.getHours(request.tag) == 1", 1, 23, "the time zone must be written in the rule", "'UTC'"),
    ("int('x') == 1", 1, 5, "`x` is not an int", ""),
    // Places beyond the first line and beyond ASCII.
    ("true &&\n  identity.usrname == 'x'", 2, 12, "has no field `usrname`", "`username`"),
    ("'é€😀' == 'x' || identity.usrname == 'x'", 1, 26, "has no field `usrname`", "`username`"),
];

#[test]
fn a_mistake_is_placed_and_explained() {
    for (rule, line, column, message, suggestion) in MISTAKES {
        let error = refusal(rule);
        assert_eq!((error.line(), error.column()), (*line, *column), "{error}");
        assert!(error.message().contains(message), "{error}\nwanted: {message}");
        assert!(error.suggestion().unwrap_or("").contains(suggestion), "{error}\nwanted: {suggestion}");
    }
}

#[test]
fn a_mistake_is_shown_with_its_line_and_a_caret() {
    let rules = [
        RuleSource::from("true"),
        RuleSource {
            name: Some("admins".to_owned()),
            when: "true &&\n identity.usrname == '\u{1b}[31m'".to_owned(),
        },
        RuleSource::from("identity.username =="),
    ];
    let errors = Policy::compile(&environment(), DefaultDecision::Deny, &rules).expect_err("two mistakes");
    assert_eq!(errors.iter().map(RuleError::rule).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((errors[0].name(), errors[0].offset()), (Some("admins"), 18));
    assert_eq!(
        errors[0].to_string(),
        "rule `admins`:2:11: `identity` has no field `usrname`\n  \
           |  identity.usrname == '\\u{1b}[31m'\n  \
           |           ^\n  \
           = did you mean `username`?"
    );
    assert_eq!(
        errors[1].to_string(),
        "rules[2]:1:21: the rule ends where an expression should continue\n  \
           | identity.username ==\n  \
           |                     ^"
    );
}

const SHORT: &[&str] = &[
    "",
    " ",
    "\n\t",
    "&&",
    "||",
    "!",
    "-",
    "+",
    "==",
    "in",
    "?",
    "?:",
    ":",
    ".",
    ",",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "()",
    "1 +",
    "+ 1",
    "a.",
    ".a",
    "a..b",
    "a b",
    "true true",
    "true &&",
    "&& true",
    "true ? false",
    "true ? : false",
    "true : false",
    "'abc",
    "\"abc",
    "'''abc",
    "r'abc",
    "b'abc",
    "'\\",
    "'\\q'",
    "'\\u12'",
    "'\\ud800'",
    "'a\nb'",
    "1u2",
    "0x",
    "1e",
    "1e999 > 0.0",
    "99999999999999999999 > 0",
    "-9223372036854775809 < 0",
    "18446744073709551616u > 0u",
    "99999999999999999999999999999999999999.0e99999 > 0.0",
    "// comment",
    "#",
    "$a",
    "@in",
    "`a`",
    "a.`b`",
    "\0",
    "\u{feff}true",
    "true\0",
    "true;",
    "true, false",
    "[1, 2",
    "[1 2]",
    "f(",
    "f(,)",
    "f(1,)",
    "a[",
    "a[]",
    "a[1",
    "{'a' 1}",
    "{'a': 1",
    "{'a': 1}.b == 1",
    "a{",
    "a{b: 1}",
    "a.?b",
    "a[?0]",
    "[?a]",
    "if",
    "for",
    "return",
    "has()",
    "has(1)",
    "size",
    "all(x, x)",
    "[].all()",
    "[].all(x)",
    "[].all(x, y, z, w)",
    "_&&_",
    "a.exists(1, true)",
    "[1].map(x, y, z)",
    "null",
    "1",
    "'true'",
    "[]",
    "__proto__",
    "true=true",
    "true === true",
    "true & true",
    "a = 1",
    "a -> b",
    "λ",
    "“true”",
    "identity.username == ‘a’",
];

/// Broken input of every kind we know: the short ones, and those that attack by size.
fn corpus() -> Vec<String> {
    let mut corpus: Vec<String> = SHORT.iter().copied().map(str::to_owned).collect();
    let repeat = |unit: &str, times: usize| unit.repeat(times);
    corpus.extend([
        repeat("(", 2000),
        repeat("(", 2000) + "true" + &repeat(")", 2000),
        repeat("[", 2000),
        repeat("{", 2000),
        repeat("f(", 2000),
        repeat("!", 7000) + "1",
        repeat("-", 7000) + "true",
        repeat("true?", 1000),
        repeat("true ? true : ", 500) + "1",
        "a".to_owned() + &repeat(".a", 3500),
        "a".to_owned() + &repeat(".a", 16_000),
        "1".to_owned() + &repeat("+1", 16_000) + " == 1",
        "1".to_owned() + &repeat("+1", 500) + " == 1",
        "true".to_owned() + &repeat(" && true", 16_000),
        "a".to_owned() + &repeat("[0]", 16_000),
        "a".to_owned() + &repeat("[0]", 300),
        "a".to_owned() + &repeat(".f()", 300),
        "1".to_owned() + &repeat(" < 1", 300),
        "[".to_owned() + &repeat("1,", 4000),
        "'".to_owned() + &repeat("a", 100_000),
        "'".to_owned() + &repeat("a", 100_000) + "' == 'a'",
        repeat("9", 8000) + " > 0",
        "0x".to_owned() + &repeat("f", 8000) + " > 0",
        repeat("x", 8192),
        repeat("é", 5000),
        repeat("\n", 8000) + "(",
        repeat("[1].all(x, ", 40) + "true" + &repeat(")", 40),
        repeat("[1].all(x, ", 12) + "true" + &repeat(")", 12),
        "[1,1].map(a,[1,1].map(b,[1,1].map(c,[1,1].map(d,[1,1].map(e,[1,1].map(f,[1,1].map(g,1)))))))"
            .to_owned(),
        "identity.username.matches('((((((a{100}){100}){100}){100}){100}){100})')".to_owned(),
        "identity.username.matches('(\\\\pL{50}){50}')".to_owned(),
        "identity.username.matches('\\\\w{1000}')".to_owned(),
        format!("identity.username.matches('{}')", repeat("(", 4000)),
        format!("identity.username.matches('{}a{}')", repeat("(", 1000), repeat(")", 1000)),
        format!("identity.username.matches('{}')", repeat("a?", 4000)),
        format!("identity.username.matches('{}')", repeat("[a-z]{999}", 700)),
    ]);
    corpus
}

#[test]
fn broken_input_is_refused_quickly_on_a_small_stack() {
    let corpus = corpus();
    assert!(corpus.len() > 46);
    // What the operating system gives a thread that asks for nothing, and less than a worker has.
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let slow = thread
        .spawn(move || {
            let mut slow = Vec::new();
            for rule in &corpus {
                let begun = Instant::now();
                let error = refusal(rule);
                let took = begun.elapsed();
                assert!(
                    error.line() >= 1 && error.column() >= 1 && error.offset() <= rule.len(),
                    "{rule:.60}"
                );
                assert!(!error.message().is_empty() && error.message().len() <= 300, "{error}");
                assert!(error.to_string().chars().count() <= 900, "{error}");
                assert!(error.to_string().chars().all(|c| c == '\n' || !c.is_control()), "{error:?}");
                if took > Duration::from_millis(50) {
                    slow.push((rule.chars().take(60).collect::<String>(), took));
                }
            }
            slow
        })
        .expect("thread")
        .join()
        .expect("no panic");
    // Generous against a busy machine: alone, the slowest takes a tenth of this.
    assert!(slow.iter().all(|(_, took)| *took < Duration::from_secs(1)), "{slow:?}");
}

#[test]
fn limits_are_where_they_say() {
    let compile =
        |rule: String| Policy::compile(&environment(), DefaultDecision::Deny, &[RuleSource::from(rule)]);
    let long = |bytes: usize| format!("'{}' != ''", "a".repeat(bytes - 8));
    assert!(compile(long(limits::RULE_MAX_BYTES)).is_ok());
    assert!(compile(long(limits::RULE_MAX_BYTES + 1)).is_err());
    let chain = |links: usize| format!("1{} > 0", " + 1".repeat(links));
    let deepest = compile(chain(limits::TREE_DEPTH_MAX - 2)).expect("as deep as may be");
    // On the 2 MiB stack of a test thread.
    assert!(deepest.decide(&caller(None, None), &full()).allowed);
    let loops = |depth: usize| format!("{}true{}", "[1].all(x, ".repeat(depth), ")".repeat(depth));
    let deepest = compile(loops(limits::LOOP_DEPTH_MAX)).expect("as many loops as may be");
    assert!(deepest.decide(&caller(None, None), &full()).allowed);
    assert!(compile(loops(limits::LOOP_DEPTH_MAX + 1)).is_err());
    assert!(compile(chain(limits::TREE_DEPTH_MAX)).is_err());
    assert!(compile(format!("true{}", " && true".repeat(500))).is_ok());
    assert!(compile(format!("{}true{}", "(".repeat(20), ")".repeat(20))).is_ok());
    let rules = vec![RuleSource::from("true"); limits::RULES_MAX + 1];
    assert!(Policy::compile(&environment(), DefaultDecision::Deny, &rules).is_err());
    assert!(Policy::compile(&environment(), DefaultDecision::Deny, &rules[1..]).is_ok());
}
