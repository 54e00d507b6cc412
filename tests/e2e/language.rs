//! The rule language through the whole server: each row is a rule of a repository of its own, and the answer to a pull
//! over mutual TLS is what the rule says of the caller.

use crate::harness::{Client, Registry, Setup};
use angos_test_ca::Leaf;
use hyper::StatusCode;

/// Whom a rule lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lets {
    /// Only the caller whose certificate says all there is to say.
    Ada,
    Both,
    Nobody,
    /// Nobody, since the rule has no value for either caller.
    Undecidable,
}
use Lets::{Ada, Both, Nobody, Undecidable};

const TIMES: &[(&str, Lets)] = &[
    ("request.time.getHours('Asia/Tokyo') == (request.time.getHours() + 9) % 24", Both),
    ("request.time.getHours('Asia/Tokyo') == request.time.getHours()", Nobody),
    ("request.time.getMinutes('Asia/Kolkata') == (request.time.getMinutes('UTC') + 30) % 60", Both),
    ("request.time.getHours('-03:00') == request.time.getHours('America/Sao_Paulo')", Both),
    ("request.time.getHours('Europe/Paris') - request.time.getHours() in [1, 2, -22, -23]", Both),
    ("request.time > timestamp('2020-02-29T12:00:00+01:00') && request.time.getFullYear() >= 2020", Both),
    ("request.time + duration('1h30m') < request.time", Nobody),
    ("identity.certificate.not_after - request.time < duration('2h')", Ada),
    ("int(request.time) / 3600 == int(request.time - duration('0s')) / 3600", Both),
    ("timestamp(int(request.time)) <= request.time && string(request.time).endsWith('Z')", Both),
];

const ABSENCE: &[(&str, Lets)] = &[
    ("has(request.tag) && request.tag.startsWith('v')", Both),
    ("has(request.n)", Nobody),
    ("request.?tag.orValue('').startsWith('v') && !request.?n.hasValue()", Both),
    ("identity.certificate.?spiffe_id.optMap(id, id.endsWith('/ci')).orValue(false)", Ada),
    ("request.n == null && request.last == ''", Both),
    ("has(identity.certificate.spiffe_id) && identity.certificate.spiffe_id.endsWith('/ci')", Ada),
    ("identity.certificate.spiffe_trust_domain != null && has(identity.certificate.spiffe_path)", Ada),
    ("identity.certificate.spiffe_trust_domain == 'prod.example'", Ada),
    ("identity.username != '' || identity.username != null", Nobody),
    ("has(identity.certificate) && has(identity.certificate.uris)", Ada),
    ("request.n > 0", Undecidable),
    ("request.last.size() > 0", Undecidable),
    ("request.n > 0 || request.tag == 'v1.2'", Both),
    ("request.n > 0 && request.tag == 'v1.2'", Undecidable),
];

const COLLECTIONS: &[(&str, Lets)] = &[
    ("'Platform' in identity.certificate.organizations", Ada),
    ("identity.certificate.organizations.contains('Platform')", Ada),
    ("identity.certificate.organizations == ['Platform', 'Security']", Ada),
    ("identity.certificate.organizations[1] == 'Security'", Ada),
    ("identity.certificate.organizations[5] == 'Security'", Undecidable),
    ("identity.certificate.organizations.exists(o, o.lowerAscii() == 'platform')", Ada),
    ("identity.certificate.organizations.all(o, o.startsWith('P') || o.startsWith('S'))", Both),
    ("identity.certificate.organizations.exists_one(o, o.endsWith('form'))", Ada),
    ("identity.certificate.organizations.filter(o, o != 'Security').map(o, o + '!') == ['Platform!']", Ada),
    (
        "identity.certificate.organizations.map(o, o.size() == 8, o.upperAscii()).join() == 'PLATFORMSECURITY'",
        Ada,
    ),
    ("{'Platform': 1, 'Other': 2}[identity.certificate.organizations[0]] == 1", Ada),
    ("{'ada': ['repo']}[identity.certificate.common_names[0]].size() == 1", Ada),
    ("request.namespace in {'nobody': ['x']}.map(k, k)", Nobody),
    ("cel.bind(o, identity.certificate.organizations, size(o) == 2 && o.reverse()[0] == 'Security')", Ada),
    ("[[1, 2], [3]].flatten().sort() == [1, 2, 3] && dyn(request.tag) != 1", Both),
    ("'%s has %d'.format([request.tag, size(request.tag)]) == 'v1.2 has 4'", Both),
    ("identity.certificate.organizations.sortBy(o, -size(o))[0].size() >= 8", Ada),
    ("type(request.tag) == string && type(identity.certificate.organizations) == list", Both),
];

const TWO_NAMES: &[(&str, Lets)] = &[
    ("identity.certificate.organizations.exists(i, o, i == 1 && o == 'Security')", Ada),
    // Of an empty list everything is true.
    ("identity.certificate.organizations.all(i, o, i < 2 && o.size() == 8)", Both),
    ("identity.certificate.organizations.existsOne(i, o, i > 0 && o != '')", Ada),
    ("identity.certificate.organizations.transformList(i, o, i > 0, o.lowerAscii()) == ['security']", Ada),
    (
        "{'ada': 'v', 'eve': 'x'}.exists(who, start, who in identity.certificate.common_names && request.tag.startsWith(start))",
        Ada,
    ),
    ("{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v * 10) == {'b': 20} && request.method == 'GET'", Both),
    ("{'a': 1}.transformList(k, v, k + string(v)) == ['a' + request.tag.substring(1, 2)]", Both),
];

const TEXTS: &[(&str, Lets)] = &[
    ("request.tag.matches('^v[0-9]+\\\\.[0-9]+$')", Both),
    ("identity.certificate.subject.matches('(?i)cn=ADA')", Ada),
    ("request.tag.split('.') == ['v1', '2']", Both),
    ("request.tag.substring(1).replace('.', '-') == '1-2'", Both),
    (
        "request.tag.indexOf('.') == 2 && request.tag.charAt(0) == 'v' && request.tag.reverse() == '2.1v'",
        Both,
    ),
    ("int(request.tag.substring(1, 2)) == 1 && double(request.tag.substring(1)) < 1.5", Both),
    ("int(request.tag) == 1", Undecidable),
    ("' ada '.trim() in identity.certificate.common_names", Ada),
    ("strings.quote(request.tag) == r'\"v1.2\"'", Both),
    ("base64.encode(bytes(request.tag)) == 'djEuMg==' && b'\\x76' + b'1.2' == bytes(request.tag)", Both),
    ("size('日本') == 2 && 'v\\u0031.2' == request.tag", Both),
];

const NETWORKS: &[(&str, Lets)] = &[
    ("cidr('127.0.0.0/8').containsIP(identity.client_ip)", Both),
    ("cidr('10.0.0.0/8').containsIP(identity.client_ip)", Nobody),
    ("ip(identity.client_ip).isLoopback() && ip(identity.client_ip).family() == 4", Both),
    ("ip('::ffff:7f00:1') == ip(identity.client_ip) && isIP(identity.client_ip)", Both),
    (
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && request.tag != ''",
        Both,
    ),
    ("identity.certificate.ip_addresses.exists(a, cidr('192.0.2.0/24').containsIP(a))", Ada),
    ("isIP(request.tag) || isCIDR(request.tag)", Nobody),
    ("ip(request.tag).isLoopback()", Undecidable),
];

const NUMBERS: &[(&str, Lets)] = &[
    ("size(identity.certificate.organizations) * 3 - 1 == 5 && 7 / 2 == 3 && -7 % 3 == -1", Ada),
    ("1 < 1.5 && 2u > 1 && size(request.tag) == 4.0", Both),
    ("9223372036854775807 + size(request.tag) > 0", Undecidable),
    ("1 / (size(request.tag) - 4) == 0", Undecidable),
    ("math.greatest(size(request.tag), 3) == 4 && math.abs(-4) == size(request.tag)", Both),
    ("size(request.tag) > 3 ? request.method == 'GET' : false", Both),
    // What costs more than a rule may: a walk over a walk over a walk.
    (
        "lists.range(400).all(a, lists.range(400).all(b, lists.range(400).all(c, a + b + c > size(request.tag) - 5)))",
        Undecidable,
    ),
];

/// Two callers on one registry; repository `rN` has the N-th rule. The metrics say the same as the answers.
async fn check(rows: &[(&str, Lets)]) {
    let rules = rows.iter().enumerate();
    let rules = rules.map(|(index, (rule, _))| {
        format!(
            "[repository.r{index}.access_policy]\nrules = [\"{}\"]\n",
            rule.replace('\\', r"\\").replace('"', "\\\"")
        )
    });
    let managed = "[server.management]\nport = 0\n";
    let registry = Setup::mutual("required", &format!("{managed}{}", rules.collect::<String>())).start();
    let [ada, bob] = callers(&registry);
    for (index, (rule, lets)) in rows.iter().enumerate() {
        let path = format!("/v2/r{index}/manifests/v1.2");
        let entered = [ada.fetch(&path).await.status, bob.fetch(&path).await.status].map(is_let_in);
        let expected = match lets {
            Ada => [true, false],
            Both => [true, true],
            Nobody | Undecidable => [false, false],
        };
        assert_eq!(entered, expected, "{rule}\n{}", registry.log());
    }
    let scrape = registry.metrics().await;
    for (index, (rule, lets)) in rows.iter().enumerate() {
        let labels = format!("{{policy=\"r{index}\",rule=\"rules[0]\"}}");
        let (matches, undecidable) = match lets {
            Ada => (1, None),
            Both => (2, Some(0)),
            Nobody => (0, Some(0)),
            Undecidable => (0, Some(2)),
        };
        let idle = usize::from(matches == 0);
        let series = [
            (format!("angos_policy_rule_matches_total{labels}"), Some(matches)),
            (format!("angos_policy_rule_undecidable_total{labels}"), undecidable),
            (format!("angos_policy_rules_never_matched{{policy=\"r{index}\"}}"), Some(idle)),
            (
                format!("angos_policy_decisions_total{{policy=\"r{index}\",outcome=\"deny\"}}"),
                Some(2 - matches),
            ),
        ];
        for (series, count) in series {
            let expected = count.map(|count| format!("\n{series} {count}\n"));
            assert!(expected.is_none_or(|line| scrape.contains(&line)), "{rule}: not {count:?}\n{scrape}");
        }
    }
    let count = format!("\nangos_policy_decision_duration_seconds_count {}\n", 2 * rows.len());
    assert!(scrape.contains(&count), "{scrape}");
}

fn callers(registry: &Registry) -> [Client; 2] {
    let ada = Leaf::client("ada")
        .organization("Platform")
        .organization("Security")
        .uri("spiffe://prod.example/team/ci")
        .ip([192, 0, 2, 7].into())
        .valid(-3600, 3600);
    let bob = Leaf::client("bob").valid(-3600, 3 * 24 * 3600);
    [ada, bob].map(|leaf| registry.client(Some(&registry.pki.authority.issue(&leaf))))
}

fn is_let_in(status: StatusCode) -> bool {
    assert!(matches!(status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN), "{status}");
    status == StatusCode::NOT_FOUND
}

#[tokio::test]
async fn times_and_time_zones() {
    check(TIMES).await;
}

#[tokio::test]
async fn what_is_absent_and_what_is_there() {
    check(ABSENCE).await;
}

#[tokio::test]
async fn lists_and_maps() {
    check(COLLECTIONS).await;
}

#[tokio::test]
async fn macros_with_two_names() {
    check(TWO_NAMES).await;
}

#[tokio::test]
async fn strings_bytes_and_patterns() {
    check(TEXTS).await;
}

#[tokio::test]
async fn addresses_and_networks() {
    check(NETWORKS).await;
}

#[tokio::test]
async fn numbers_and_their_bounds() {
    check(NUMBERS).await;
}
