//! A decision does not allocate: counted, for rules that exercise every part of the evaluator.

use allocation_counter::measure;
use angos_identity::{Certificate, Credential, Identity};
use angos_policy::{DefaultDecision, Environment, Expression, Facts, Policy, RuleSource, Type, Value};
use angos_test_ca::{Authority, Leaf};
use std::sync::Arc;

struct Request;

impl Facts for Request {
    fn fact(&self, index: usize) -> Value<'_> {
        if index == 0 { Value::String("get-manifest") } else { Value::Timestamp(1_896_093_045, 0) }
    }
}

#[test]
fn decisions_do_not_allocate() {
    let environment = Environment::builder()
        .variable("request.action", Type::String)
        .variable("request.time", Type::Timestamp)
        .build()
        .expect("environment");
    let leaf = Leaf::client("laptop").organization("Sales").organization("Support").dns("a.example");
    let issued = Authority::new("Angos Test CA").issue(&leaf);
    let certificate = Arc::new(Certificate::from_der(&issued.certificate_der).expect("certificate"));
    let credential = Arc::new(Credential { id: "entry".into(), username: "bob".into() });
    let address = "10.1.2.3".parse().expect("address");
    let callers = [
        Identity::new(address, None, None),
        Identity::new(address, Some(certificate.clone()), None),
        Identity::new(address, Some(certificate), Some(credential)),
    ];
    for rule in [
        "identity.certificate.organizations.contains('Infrastructure')",
        "'build-server' in identity.certificate.common_names",
        "identity.username == 'admin'",
        "identity.username.startsWith('a')",
        "'a' + identity.username + '/' == 'x' + string(size(identity.certificate.dns_names))",
        "identity.certificate.dns_names.map(n, n.upperAscii()).filter(n, n.endsWith('X')).exists(n, n == 'a')",
        "identity.certificate.organizations == ['Sales'] || identity.certificate.organizations[7] == 'x'",
        "'x' in {'a': ['x', 'y'], 'GET-MANIFEST': ['z']}[request.action.upperAscii()] || {'a': 1}.a == 2",
        "request.action.split('-').map(p, p.upperAscii() + p)[1].replace('M', 'm').substring(1).trim() == 'x'",
        "math.greatest(identity.certificate.dns_names.map(n, size(n)) + [1]) == math.least(0, 2)",
        "identity.certificate.dns_names.map(n, [n, n + '!']) == [[request.action]]",
        "{'a': request.action, request.action: 'b'} == {'a': 'b'} || {'a': [request.action]}.a[0] == 'x'",
        "['b', request.action].sort().reverse().distinct().join('+').reverse() == strings.quote('x')",
        "[[request.action], ['x']].flatten(2).slice(0, 1).transformMap(i, v, v + v).exists(k, v, v == 'x')",
        "cel.bind(l, lists.range(400).map(n, n * n), l[399] + l.size() == 7) || dyn([1]) + dyn([2]) == [1]",
        "b'a' + bytes(request.action) == b'b' || math.sqrt(2) == 0.0 || request.time.getHours('Asia/Tokyo') == 99",
        "[?optional.of(request.action), ?identity.?username].map(o, o + '!') == ['x'] || {?'a': optional.none()} == {'a': 1}",
        "identity.?username.optMap(n, n + '!').orValue(request.action + '?') == optional.of('x').or(optional.none()).value()",
        "cidr('192.168.0.0/16').containsIP(identity.client_ip) || ip(request.action).isLoopback()",
        "request.time.getHours('+02:00') == 99 || timestamp(request.action) < request.time",
        "request.action.matches('^pull-[a-z]+$')",
        "'%s %x %s %.9e'.format([request.action, request.action, {'b': [1.5], request.action: [2.5]}, 7]) == 'x'",
        "identity.certificate.dns_names.sortBy(n, -size(n)) == [request.action + '%d'.format([1])]",
        "string(request.time) == 'x' || duration(request.action) > duration('1s') || 1 / 0 == 1",
    ] {
        let rules = [RuleSource::from(rule)];
        let policy = Policy::compile(&environment, DefaultDecision::Deny, &rules).expect("rule");
        for caller in &callers {
            // The regex engine builds its scratch memory in the first search.
            let _decision = policy.decide(caller, &Request);
            let mut allowed = false;
            let counted = measure(|| {
                for _ in 0..100 {
                    allowed |= policy.decide(caller, &Request).allowed;
                }
            });
            assert!(!allowed, "{rule}");
            assert_eq!(counted.count_total, 0, "{rule}: {counted:?}");
        }
    }
}

#[test]
fn expressions_do_not_allocate() {
    let environment = Environment::builder().variable("request.action", Type::String);
    let environment = environment.function("same", &[Type::String], Type::String, |arguments| {
        Ok(arguments.first().copied().unwrap_or(Value::Absent))
    });
    let environment = environment.build();
    let source = "same(request.action.upperAscii() + '/') + string(size(identity.client_ip))";
    let expression = Expression::compile(&environment.expect("environment"), source).expect("expression");
    let caller = Identity::new("10.1.2.3".parse().expect("address"), None, None);
    let mut equal = true;
    let counted = measure(|| {
        for _ in 0..100 {
            equal &=
                expression.evaluate(&caller, &Request, |value| value == Ok(Value::String("GET-MANIFEST/8")));
        }
    });
    assert!(equal);
    assert_eq!(counted.count_total, 0, "{counted:?}");
}
