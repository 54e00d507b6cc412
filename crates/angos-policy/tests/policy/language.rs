//! Semantics of expressions, with absent values and errors.

use crate::explain::check_account;
use crate::fixtures::{Request, action, caller, environment, full};
use angos_identity::Identity;
use angos_policy::{DefaultDecision, Facts, Policy, Reason, RuleSource, Undecidable, Value};
use angos_test_ca::Leaf;

/// The value of a boolean expression.
fn evaluate(rule: &str, identity: &Identity, facts: &dyn Facts) -> Result<bool, Undecidable> {
    let rules = [RuleSource::from(rule)];
    let policy = Policy::compile(&environment(), DefaultDecision::Deny, &rules)
        .unwrap_or_else(|errors| panic!("{}", errors[0]));
    check_account(&policy, identity, facts);
    let decision = policy.decide(identity, facts);
    match decision.reason {
        Reason::Rule(_) => Ok(decision.allowed),
        Reason::Default => Ok(false),
        Reason::Undecidable { cause, .. } => Err(cause),
    }
}

fn alice() -> Identity {
    let leaf = Leaf::client("alice")
        .common_name("alice2")
        .organization("DevOps")
        .dns("a.example")
        .uri("spiffe://example.org/team/a")
        .valid(-3600, 3600);
    caller(Some(&leaf), Some("alice"))
}

/// Checks rows of an expression and its value, for alice with a request that has everything except a tag.
fn check(rows: &[(&str, Result<bool, Undecidable>)]) {
    let identity = alice();
    for (rule, expected) in rows {
        assert_eq!(evaluate(rule, &identity, &full()), *expected, "{rule}");
    }
}

/// Expressions that are true.
fn check_true(rules: &[&str]) {
    let identity = alice();
    for rule in rules {
        assert_eq!(evaluate(rule, &identity, &full()), Ok(true), "{rule}");
    }
}

#[test]
fn logic_is_commutative_and_an_error_is_outweighed() {
    const ERROR: &str = "request.tag.startsWith('a')";
    for (rule, expected) in [
        ("ERR || true", Ok(true)),
        ("true || ERR", Ok(true)),
        ("ERR && false", Ok(false)),
        ("false && ERR", Ok(false)),
        ("ERR || false", Err(Undecidable::Absent)),
        ("false || ERR", Err(Undecidable::Absent)),
        ("ERR && true", Err(Undecidable::Absent)),
        ("true && ERR", Err(Undecidable::Absent)),
        ("!ERR", Err(Undecidable::Absent)),
        ("ERR || 1 / 0 == 1", Err(Undecidable::Absent)),
        ("ERR ? true : true", Err(Undecidable::Absent)),
        ("true ? true : ERR", Ok(true)),
        ("false ? ERR : true", Ok(true)),
        ("1 / 0 == 1 || true", Ok(true)),
        ("!!true", Ok(true)),
        ("['a', 'b'].exists(x, x == 'b' || request.tag.startsWith(x))", Ok(true)),
        ("['a', 'b'].exists(x, x == 'c' || request.tag.startsWith(x))", Err(Undecidable::Absent)),
        ("['a', 'b'].all(x, x == x && request.tag.startsWith(x))", Err(Undecidable::Absent)),
        ("['a', 'b'].all(x, x == 'a' && request.tag.startsWith(x))", Ok(false)),
        ("['a', 'b'].exists_one(x, x == 'b' || ERR)", Err(Undecidable::Absent)),
    ] {
        check(&[(&rule.replace("ERR", ERROR), expected)]);
    }
}

#[test]
fn absent_equals_null_and_the_empty_string_and_nothing_else() {
    for (rule, expected) in [
        ("request.tag == null", Ok(true)),
        ("null == request.tag", Ok(true)),
        ("request.tag == ''", Ok(true)),
        ("'' == request.tag", Ok(true)),
        ("request.tag != null", Ok(false)),
        ("request.tag != ''", Ok(false)),
        ("request.tag == 'v1'", Ok(false)),
        ("request.tag != 'v1'", Ok(true)),
        ("request.tag in ['', 'v1']", Ok(true)),
        ("request.tag in [null, 'v1']", Ok(true)),
        ("request.tag in ['v1']", Ok(false)),
        ("request.tag in request.tags", Ok(false)),
        ("null in [request.tag]", Ok(true)),
        ("request.tag == request.namespace", Ok(false)),
        ("request.tag == request.tag", Err(Undecidable::Absent)),
        ("has(request.tag)", Ok(false)),
        ("has(request.namespace)", Ok(true)),
        ("request.tag.startsWith('v')", Err(Undecidable::Absent)),
        ("'v'.startsWith(request.tag)", Err(Undecidable::Absent)),
        ("request.tag.contains('')", Err(Undecidable::Absent)),
        ("request.tag.endsWith('')", Err(Undecidable::Absent)),
        ("request.tag.matches('.*')", Err(Undecidable::Absent)),
        ("size(request.tag) == 0", Err(Undecidable::Absent)),
        ("request.tag + 'x' == 'x'", Err(Undecidable::Absent)),
        ("'x' + request.tag == 'x'", Err(Undecidable::Absent)),
        ("request.tag.lowerAscii() == ''", Err(Undecidable::Absent)),
        ("request.tag < 'v'", Err(Undecidable::Absent)),
        ("string(request.tag) == ''", Err(Undecidable::Absent)),
        ("isIP(request.tag)", Err(Undecidable::Absent)),
        ("has(request.tag) && request.tag.startsWith('v')", Ok(false)),
        ("request.tag != '' && request.tag.startsWith('v')", Ok(false)),
        ("!has(request.tag) || request.tag.startsWith('v')", Ok(true)),
        ("request.namespace == null", Ok(false)),
        ("request.action == null", Ok(false)),
        ("null == null", Ok(true)),
    ] {
        check(&[(rule, expected)]);
    }
}

#[test]
fn absent_facts_and_anonymous_callers() {
    let (identity, request) = (caller(None, None), action("metrics"));
    for (rule, expected) in [
        ("request.n == null", Ok(true)),
        ("request.n == 0", Err(Undecidable::Absent)),
        ("request.n != 5", Err(Undecidable::Absent)),
        ("request.n < 5", Err(Undecidable::Absent)),
        ("request.n + 1 > 0", Err(Undecidable::Absent)),
        ("has(request.n) && request.n < 5", Ok(false)),
        ("request.tags == []", Ok(true)),
        ("size(request.tags) == 0", Ok(true)),
        ("has(request.tags)", Ok(false)),
        ("'' in request.tags", Ok(false)),
        ("request.tags.all(t, t == 'x')", Ok(true)),
        ("request.tags[0] == 'x'", Err(Undecidable::Index)),
        ("has_repository_policy()", Err(Undecidable::Absent)),
        ("request.time < timestamp('2030-01-01T00:00:00Z')", Err(Undecidable::Absent)),
        ("identity.certificate.not_after > timestamp('2030-01-01T00:00:00Z')", Err(Undecidable::Absent)),
        ("identity.certificate.present", Ok(false)),
        ("has(identity.certificate)", Ok(false)),
        ("identity.certificate.common_names == []", Ok(true)),
        ("identity.certificate.subject == null", Ok(true)),
        ("identity.certificate.ca != ''", Ok(false)),
        ("identity.username in ['root', 'admin']", Ok(false)),
        ("identity.id == null", Ok(true)),
        ("identity.method == 'anonymous'", Ok(true)),
        ("identity.username == identity.certificate.subject", Err(Undecidable::Absent)),
    ] {
        assert_eq!(evaluate(rule, &identity, &request), expected, "{rule}");
    }
}

#[test]
fn numbers_keep_to_their_ranges() {
    check(&[
        ("9223372036854775807 + 1 > 0", Err(Undecidable::Overflow)),
        ("-9223372036854775808 - 1 < 0", Err(Undecidable::Overflow)),
        ("-(request.n - 100 - 9223372036854775807 - 1) > 0", Err(Undecidable::Overflow)),
        ("9223372036854775807 * 2 > 0", Err(Undecidable::Overflow)),
        ("-9223372036854775808 / -1 > 0", Err(Undecidable::Overflow)),
        ("-9223372036854775808 % -1 == 0", Err(Undecidable::Overflow)),
        ("1u - 2u == 0u", Err(Undecidable::Overflow)),
        ("18446744073709551615u + 1u == 0u", Err(Undecidable::Overflow)),
        ("1 / 0 == 1", Err(Undecidable::DivisionByZero)),
        ("1 % 0 == 1", Err(Undecidable::DivisionByZero)),
        ("1u % 0u == 1u", Err(Undecidable::DivisionByZero)),
        ("1.0 / 0.0 > 1.0", Ok(true)),
        ("0.0 / 0.0 == 0.0 / 0.0", Ok(false)),
        ("0.0 / 0.0 != 0.0 / 0.0", Ok(true)),
        ("0.0 / 0.0 >= 0.0", Ok(false)),
        ("uint(-1) == 0u", Err(Undecidable::Conversion)),
        ("int(18446744073709551615u) == 0", Err(Undecidable::Conversion)),
        ("int(1e99) == 0", Err(Undecidable::Conversion)),
        ("int(identity.username) == 0", Err(Undecidable::Conversion)),
    ]);
    check_true(&[
        "7 / 2 == 3 && -7 / 2 == -3 && 7 % 3 == 1 && -7 % 3 == -1",
        "1 + 2 * 3 == 7 && (1 + 2) * 3 == 9 && 2 - 3 - 4 == -5",
        "1 == 1u && 1 == 1.0 && 1u < 1.5 && 2 >= 1u && 1 != 2.0",
        "request.n == 100 && request.n > 99 && -request.n == -100",
        "request.ratio * 2.0 == 1.0 && request.size + 1u == 8u",
        "int('42') == 42 && uint('42') == 42u && double('4.5') == 4.5 && bool('true')",
        "int(3.9) == 3 && int(-3.9) == -3 && uint(3) == 3u && double(3) == 3.0 && int(3u) == 3",
        "0x1F == 31 && 1 in [1.0, 2.0] && 3 in [1, 2, 3]",
        "true > false && 'a' < 'b' && 'a' < 'aa' && b'a' < b'b'",
    ]);
}

#[test]
fn strings_are_searched_and_built() {
    check_true(&[
        "identity.username.startsWith('al') && identity.username.endsWith('ce')",
        "identity.username.contains('lic') && !identity.username.contains('x')",
        "identity.username.matches('^a.*e$') && matches(identity.username, 'lic')",
        "!identity.username.matches('^lic$')",
        "size('héé') == 3 && 'héé'.size() == 3 && size(b'h\\xff') == 2 && size(request.secret) == 3",
        "identity.username + '/' + request.namespace == 'alice/prod/app'",
        "('<' + identity.username + '>').startsWith('<' + 'al')",
        "('a' + 'b') + ('c' + 'd') == 'a' + ('b' + 'c') + 'd'",
        "identity.username.upperAscii() == 'ALICE' && 'ÀB'.lowerAscii() == 'Àb'",
        "(identity.username + 'X').lowerAscii() + '!' == 'alicex!'",
        "string(request.n) + 'x' == '100x' && string(true) == 'true' && string(-7) == '-7'",
        "string(request.size) == '7' && string(0.5) == '0.5' && string(b'abc') == 'abc'",
        "bytes('abc') == request.secret && request.secret == b'abc'",
        "string(timestamp('2030-01-31T12:30:45.5Z')) == '2030-01-31T12:30:45.5Z'",
        "string(duration('90s')) == '90s' && string(ip('10.0.0.1')) == '10.0.0.1'",
        "'\\u00e9' == 'é' && r'\\d' == '\\\\d' && \"it's\" == 'it\\'s' && '''a'b''' == \"a'b\"",
        "identity.certificate.common_names.exists(n, n + '@example' == 'alice2@example')",
    ]);
    let long = "a".repeat(3000);
    check(&[
        (&format!("'{long}' + '{long}' == 'x'"), Err(Undecidable::TextTooLong)),
        ("string(b'\\xff') == ''", Err(Undecidable::Conversion)),
        (&format!("['x','y','z'].all(c, ('{long}' + c).endsWith(c))"), Ok(true)),
    ]);
}

#[test]
fn lists_and_loops() {
    check_true(&[
        "'v1' in request.tags && request.tags.contains('latest') && !('v2' in request.tags)",
        "request.tags[0] == 'v1' && request.tags[1u] == 'latest' && ['a', 'b'][1] == 'b'",
        "request.tags == ['v1', 'latest'] && request.tags != ['latest', 'v1'] && request.tags != ['v1']",
        "request.tags.exists(t, t.startsWith('v')) && !request.tags.all(t, t.startsWith('v'))",
        "request.tags.exists_one(t, t.startsWith('v')) && !request.tags.exists_one(t, size(t) > 0)",
        "request.tags.filter(t, t != 'v1') == ['latest']",
        "request.tags.map(t, t + '!') == ['v1!', 'latest!'] && request.tags.map(t, size(t)) == [2, 6]",
        "request.tags.map(t, size(t) > 2, t + '!') == ['latest!']",
        "request.tags.map(t, t + '!')[1] + '?' == 'latest!?'",
        "request.tags.map(t, t + '!').filter(t, t.endsWith('t!')).map(t, size(t)) == [7]",
        "(request.tags + ['x']).size() == 3 && 'x' in request.tags + ['x'] && size([]) == 0",
        "(true ? request.tags : []).size() == 2 && (false ? request.tags : []) == []",
        "[1, 2, 3].exists(x, [4, 5, 6].exists(y, x + y == 9)) && ![1, 2].exists(x, [3].exists(y, x == y))",
        "request.tags.exists(t, identity.certificate.common_names.exists(n, n + 'x' != t))",
        "['a'].all(x, ['b'].all(x, x == 'b') && x == 'a') && ['m'].all(request, request == 'm')",
        "[].all(x, x == null) && ![].exists(x, true)",
        "request.action in ['get-manifest', 'get-blob'] && [request.action] == ['get-manifest']",
        "has(request.tags) && has_repository_policy() && request.repository == request.namespace",
    ]);
    check(&[
        ("request.tags[2] == 'x'", Err(Undecidable::Index)),
        ("request.tags[-1] == 'x'", Err(Undecidable::Index)),
        ("2 in [1, 2].map(x, 2 / (x - 1))", Err(Undecidable::DivisionByZero)),
        ("2 in [2, 1].map(x, 2 / (x - 1))", Err(Undecidable::DivisionByZero)),
        ("[2, 1].map(x, 2 / (x - 1))[0] == 2", Err(Undecidable::DivisionByZero)),
        ("[1, 2 / (request.n - 100)].exists(x, x == 1)", Err(Undecidable::DivisionByZero)),
        ("[1, 2].filter(x, 1 / (x - 2) == -1).size() == 1", Err(Undecidable::DivisionByZero)),
    ]);
}

#[test]
fn times_and_networks() {
    check_true(&[
        "request.time > timestamp('2030-01-31T12:00:00Z') && request.time < timestamp('2030-02-01T00:00:00Z')",
        "timestamp('2030-01-31T13:00:00+01:00') == timestamp('2030-01-31T12:00:00Z')",
        "request.time.getHours() == 12 && request.time.getHours('+02:00') == 14",
        "request.time.getHours('-13:00') == 23 && request.time.getMinutes() == 30",
        "request.time.getSeconds() == 45 && request.time.getMilliseconds() == 500",
        "request.time.getFullYear() == 2030 && request.time.getMonth() == 0 && request.time.getDate() == 31",
        "request.time.getDayOfWeek() == 4 && request.time.getDayOfMonth() == 30",
        "request.time.getDayOfYear('UTC') == 30",
        "request.time - timestamp('2030-01-31T12:30:45Z') == duration('500ms')",
        "request.time + duration('1h') > request.time && duration('1h') - duration('30m') == duration('1800s')",
        "request.age.getMinutes() == 1 && request.age.getSeconds() == 90 && request.age < duration('2m')",
        "int(timestamp('1970-01-01T00:01:00Z')) == 60 && timestamp(60) == timestamp('1970-01-01T00:01:00Z')",
        "identity.certificate.not_before < identity.certificate.not_after",
        "cidr('10.0.0.0/8').containsIP(identity.client_ip)",
        "!cidr('192.168.0.0/16').containsIP(identity.client_ip)",
        "cidr('10.0.0.0/8').containsIP(ip('10.255.0.1')) && cidr('10.0.0.0/8').containsIP('10.0.0.1')",
        "cidr('10.0.0.0/8').containsIP('::ffff:a00:1') && !cidr('10.0.0.0/8').containsIP('::1')",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.0.0.0/8').containsCIDR(cidr('0.0.0.0/0'))",
        "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.1.2.3/8').prefixLength() == 8",
        "cidr('10.1.2.3/8').ip() == ip('10.1.2.3') && ip(identity.client_ip).family() == 4",
        "ip('127.0.0.1').isLoopback() && ip('::1').isLoopback() && ip('0.0.0.0').isUnspecified()",
        "ip('224.0.0.1').isLinkLocalMulticast() && ip('fe80::1').isLinkLocalUnicast()",
        "ip('8.8.8.8').isGlobalUnicast() && ip('10.0.0.1').isGlobalUnicast() && !ip('127.0.0.1').isGlobalUnicast()",
        "isIP('::1') && !isIP('10.0.0.256') && isCIDR('::/0') && !isCIDR('10.0.0.1')",
    ]);
    check(&[
        ("timestamp('9999-12-31T23:59:59Z') + duration('1s') > request.time", Err(Undecidable::Overflow)),
        ("timestamp(request.namespace) == request.time", Err(Undecidable::Conversion)),
        ("duration(identity.username) == request.age", Err(Undecidable::Conversion)),
        ("cidr('10.0.0.0/8').containsIP(identity.username)", Err(Undecidable::Conversion)),
        ("cidr(request.namespace).containsIP(identity.client_ip)", Err(Undecidable::Conversion)),
    ]);
}

#[test]
fn the_rules_of_the_reference_load_and_decide() {
    check(&[
        ("['prod', 'stage'].exists(p, request.namespace.startsWith(p + '/'))", Ok(true)),
        ("request.namespace.split('/').slice(0, 1) == ['public']", Ok(false)),
        (
            "identity.certificate.organizational_units.map(u, u.lowerAscii()).distinct().sort().join('+') == 'ops'",
            Ok(false),
        ),
        ("cel.bind(h, request.time.getHours('Europe/Paris'), h >= 8 && h < 18)", Ok(true)),
        (
            "{'alice': ['prod/app'], 'bob': []}.exists(user, spaces, user == identity.username \
             && request.namespace in spaces)",
            Ok(true),
        ),
        ("identity.username in {'ada': [], 'alice': []}", Ok(true)),
        ("{request.namespace: request.tags}['prod/app'][1] == 'latest'", Ok(true)),
        ("{request.tag: 1}.size() == 1", Err(Undecidable::Absent)),
        ("request.tags.map(t, [t, t + '!']) == [['v1', 'v1!'], ['latest', 'latest!']]", Ok(true)),
        ("request.tags.map(t, {t: size(t)}).exists(m, m.exists(k, n, k == 'latest' && n == 6))", Ok(true)),
        ("dyn(request.tag) == 'x'", Ok(false)),
        ("dyn(request.tag).startsWith('x')", Err(Undecidable::Absent)),
        ("[request.tag, 'x'].sort()[0] == 'x'", Err(Undecidable::Absent)),
        ("lists.range(513).map(n, [n]) == []", Err(Undecidable::ListTooLong)),
        ("size(lists.range(513).map(n, [n])) == 513", Ok(true)),
    ]);
}

#[test]
fn every_certificate_field_is_readable() {
    check_true(&[
        "identity.certificate.common_names == ['alice', 'alice2']",
        "identity.certificate.organizations == ['DevOps'] && identity.certificate.organizational_units == []",
        "identity.certificate.dns_names == ['a.example'] && identity.certificate.email_addresses == []",
        "identity.certificate.uris == ['spiffe://example.org/team/a']",
        "identity.certificate.ip_addresses == []",
        "identity.certificate.spiffe_id == 'spiffe://example.org/team/a'",
        "identity.certificate.spiffe_trust_domain == 'example.org'",
        "identity.certificate.spiffe_path.startsWith('/team/')",
        "identity.certificate.subject.contains('CN=alice') && identity.certificate.issuer.contains('CN=')",
        "identity.certificate.serial_number.matches('^[0-9a-f]+$')",
        "identity.certificate.fingerprint.matches('^[0-9a-f]{64}$')",
        "identity.certificate.public_key_fingerprint.matches('^[0-9a-f]{64}$')",
        "identity.certificate.fingerprint != identity.certificate.public_key_fingerprint",
        "identity.certificate.ca == 'staff' && identity.certificate.present",
        "identity.method == 'basic' && identity.id == 'entry' && identity.client_ip == '10.1.2.3'",
    ]);
}

#[test]
fn values_of_undeclared_types_are_undecidable() {
    let request = Request(vec![(0, Value::Int(1)), (1, Value::Bool(true)), (3, Value::String("x"))]);
    let request_time = Request(vec![(5, Value::Timestamp(i64::MAX, 0))]);
    for (rule, facts) in [
        ("request.action == 'metrics'", &request),
        ("request.namespace != ''", &request),
        ("'x' in request.tags", &request),
        ("request.time > timestamp('2030-01-01T00:00:00Z')", &request_time),
    ] {
        assert_eq!(evaluate(rule, &alice(), facts), Err(Undecidable::Mistyped), "{rule}");
    }
}

#[test]
fn work_is_bounded_per_rule_and_the_bound_is_not_shared() {
    const NAMES: &str = "identity.certificate.dns_names";
    let mut leaf = Leaf::client("n");
    for i in 0..250 {
        leaf = leaf.dns(&format!("host-{i}.example"));
    }
    let identity = caller(Some(&leaf), None);
    let product = format!("{NAMES}.exists(a, {NAMES}.exists(b, a + 'x' == b))");
    let once = format!("{NAMES}.exists(a, a == 'host-249.example')");
    assert_eq!(evaluate(&product, &identity, &action("metrics")), Err(Undecidable::Cost));
    assert_eq!(
        evaluate(&format!("{product} || {once}"), &identity, &action("metrics")),
        Err(Undecidable::Cost)
    );
    assert_eq!(evaluate(&once, &identity, &action("metrics")), Ok(true));
    let rules = [RuleSource::from(product), RuleSource::from(once)];
    let policy = Policy::compile(&environment(), DefaultDecision::Deny, &rules).expect("rules");
    let decision = policy.decide(&identity, &action("metrics"));
    assert_eq!((decision.allowed, decision.reason), (true, Reason::Rule(1)));
}

#[test]
fn undecidable_denies_in_both_modes_and_says_which_and_why() {
    let rules = [
        RuleSource::from("request.action == 'get-blob'"),
        RuleSource {
            name: Some("by tag".to_owned()),
            when: "true && request.tag.startsWith('v')".to_owned(),
        },
    ];
    for default in [DefaultDecision::Deny, DefaultDecision::Allow] {
        let policy = Policy::compile(&environment(), default, &rules).expect("rules");
        let decision = policy.decide(&alice(), &action("metrics"));
        assert!(!decision.allowed);
        let reason = Reason::Undecidable { rule: 1, cause: Undecidable::Absent, offset: 8 };
        assert_eq!(decision.reason, reason);
        assert_eq!(
            policy.describe(reason).to_string(),
            "by tag cannot be decided: an absent value is used without a guard, \
             at `request.tag.startsWith('v')`"
        );
        // One true rule decides, at any position.
        let decision = policy.decide(&alice(), &action("get-blob"));
        assert_eq!(decision.reason, Reason::Rule(0));
        assert_eq!(decision.allowed, default == DefaultDecision::Deny);
        assert_eq!(policy.describe(decision.reason).to_string(), "rules[0] is true");
    }
}

#[test]
fn without_rules_the_default_answers() {
    for (default, allowed) in [(DefaultDecision::Deny, false), (DefaultDecision::Allow, true)] {
        let policy = Policy::compile(&environment(), default, &[]).expect("no rules");
        assert_eq!(policy.decide(&alice(), &full()).allowed, allowed);
        assert!(policy.is_empty());
    }
}
