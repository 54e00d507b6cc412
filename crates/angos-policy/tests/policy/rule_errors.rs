//! Rules that do not load: every kind of error, with its position, message and suggestion.

use crate::fixtures::{caller, environment, full};
use crate::invalid_rules::{InvalidRules, invalid_rules};
use angos_policy::{DefaultDecision, Policy, Reason, RuleError, RuleSource, limits};
use std::time::{Duration, Instant};

/// Why a rule does not load.
fn refusal(rule: &str) -> RuleError {
    let rules = [RuleSource::from(rule)];
    match Policy::compile(&environment(), DefaultDecision::Deny, &rules) {
        Ok(_) => panic!("{rule:.80} was accepted"),
        Err(mut errors) => errors.remove(0),
    }
}

/// Rule, line and column of the error, and parts of the message and the suggestion.
const MISTAKES: &[(&str, usize, usize, &str, &str)] = &[
    // Names.
    ("identity.usrname == 'a'", 1, 10, "`identity` has no field `usrname`", "did you mean `username`?"),
    ("identity.certificat.subject == 'a'", 1, 10, "`identity` has no field `certificat`", "`certificate`"),
    ("identity.certificate.cn == 'a'", 1, 22, "has no field `cn`", "did you mean `common_names`?"),
    ("identity.certificate.authority == 'a'", 1, 22, "has no field `authority`", "did you mean `ca`?"),
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
    // Formats, with the place in the string.
    ("'a%q'.format([1]) == ''", 1, 3, "unknown format specifier `%q`", "known are %s, %d"),
    (r"'\x61\n%q'.format([1]) == ''", 1, 8, "unknown format specifier `%q`", ""),
    ("'é%s %.2d'.format(['a', 1]) == ''", 1, 6, "`%d` has no decimals", "write `%d`"),
    ("true &&\n  r'''a\n%.'''.format([1]) == ''", 3, 1, "the format ends within a specifier", "`%%`"),
    ("'%s %s'.format([request.tag]) == ''", 1, 5, "no argument for this specifier; the list has 1", ""),
    ("'%s'.format(['a', request.tag]) == ''", 1, 19, "no specifier for this argument", ""),
    (
        "'%s%d'.format(['a', request.tag]) == ''",
        1,
        21,
        "`%d` takes an int, a uint or a double, this is a string",
        "",
    ),
    ("'%d'.format(request.tags) == ''", 1, 13, "`%d` takes an int", ""),
    ("request.tag.formt(['a']) == ''", 1, 13, "unknown function `formt`", "did you mean `format`?"),
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
    // Enums.
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

#[test]
fn invalid_rules_are_rejected_quickly_on_a_small_stack() {
    let table = invalid_rules();
    assert!(table.len() >= 46 && table.iter().all(|rule| !rule.inputs.is_empty()));
    // The default stack of a thread, and less than a worker thread has.
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let walk = move || {
        let mut slow = Vec::new();
        for InvalidRules { kind, inputs } in &table {
            for rule in inputs {
                let took = (0..3).map(|_| refused_in(kind, rule)).min().unwrap_or_default();
                // The bound is 10 ms; the machine may be busy with something else. `cargo bench` prints.
                if took > Duration::from_millis(500) {
                    slow.push((*kind, took));
                }
            }
        }
        slow
    };
    let slow = thread.spawn(walk).expect("thread").join().expect("no panic");
    assert!(slow.is_empty(), "{slow:?}");
}

/// How long it takes to refuse a rule, or, if it is one, to find that it cannot be decided.
fn refused_in(kind: &str, rule: &str) -> Duration {
    let begun = Instant::now();
    let compiled = Policy::compile(&environment(), DefaultDecision::Deny, &[RuleSource::from(rule)]);
    let decided = compiled.as_ref().map(|policy| policy.decide(&caller(None, None), &full()).reason);
    let took = begun.elapsed();
    match decided {
        Ok(Reason::Undecidable { offset, .. }) => assert!(offset <= rule.len(), "{kind}"),
        Ok(reason) => panic!("{kind}: {rule:.80} was accepted: {reason:?}"),
        Err(errors) => {
            let error = &errors[0];
            assert!(error.line() >= 1 && error.column() >= 1 && error.offset() <= rule.len(), "{kind}");
            assert!(!error.message().is_empty() && error.message().len() <= 300, "{error}");
            assert!(error.to_string().chars().count() <= 900, "{error}");
            assert!(error.to_string().chars().all(|c| c == '\n' || !c.is_control()), "{error:?}");
        }
    }
    took
}

#[test]
fn limits_apply_at_their_exact_values() {
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
    let longest =
        format!("[[1]]{}.size() == 1", ".map(x, x + x)".repeat(8) + &".filter(x, x != [])".repeat(50));
    let deepest = compile(longest).expect("as long a chain of loops as may be");
    assert!(deepest.decide(&caller(None, None), &full()).allowed);
    let rules = vec![RuleSource::from("true"); limits::RULES_MAX + 1];
    assert!(Policy::compile(&environment(), DefaultDecision::Deny, &rules).is_err());
    assert!(Policy::compile(&environment(), DefaultDecision::Deny, &rules[1..]).is_ok());
}
