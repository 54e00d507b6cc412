//! Passwords end to end: what bcrypt cannot tell apart, headers that are no credential, and answers from which nobody
//! learns who exists.

use crate::harness::{Registry, Setup, hash_password};
use crate::tls::processor_time;
use base64::Engine as _;
use hyper::StatusCode;

const ADMINS: &str = "[global.access_policy]\ndefault = \"deny\"\nrules = [\"has(identity.username)\"]\n";

/// bcrypt of seventy-two times `x`, and of `a`, made by another program.
const OF_SEVENTY_TWO: &str = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";
const OF_A: &str = "$2b$04$abcdefghijklmnopqrstuuMFdJu9yVgmagVAIC24fOZkaFqd3s9JC";

fn identity(id: &str, username: &str, hash: &str) -> String {
    format!("[auth.identity.{id}]\nusername = \"{username}\"\npassword = '{hash}'\n")
}

fn basic(text: &[u8]) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

async fn status(registry: &Registry, authorization: &[&str]) -> StatusCode {
    let headers: Vec<_> = authorization.iter().map(|value| ("authorization", *value)).collect();
    registry.plain_client().send("GET", "/v2/", &headers, "").await.unwrap().status
}

#[tokio::test]
async fn what_bcrypt_cannot_tell_apart_is_not_accepted() {
    let rest =
        [identity("long", "long", OF_SEVENTY_TWO), identity("a", "a", OF_A), ADMINS.to_owned()].concat();
    let registry = Setup::plain(&rest).start();
    let exact = "x".repeat(72);
    for (username, password, status) in [
        ("long", exact.clone(), 200),
        ("long", exact.clone() + "y", 401),
        ("long", exact.clone() + &exact, 401),
        ("long", exact[1..].to_owned(), 401),
        ("a", "a".to_owned(), 200),
        ("a", "a\0".to_owned(), 401),
        ("a", "a\0a".to_owned(), 401),
        ("a", String::new(), 401),
        ("a\0", "a".to_owned(), 401),
        ("A", "a".to_owned(), 401),
        (" a", "a".to_owned(), 401),
        ("", "a".to_owned(), 401),
    ] {
        let answer = registry.plain_client().basic(username, &password).fetch("/v2/").await;
        assert_eq!(answer.status.as_u16(), status, "{username:?} {} bytes", password.len());
    }
}

#[tokio::test]
async fn one_header_of_one_scheme_is_a_credential() {
    let registry = Setup::plain(&(identity("a", "a", OF_A) + ADMINS)).start();
    let right = basic(b"a:a");
    for same in [&right, &right.replace("Basic", "basic"), &right.replace("Basic ", "BASIC    ")] {
        assert_eq!(status(&registry, &[same]).await, StatusCode::OK, "{same}");
    }
    let list = format!("{right}, {right}");
    let huge = basic(&b"a".repeat(20_000));
    let joined = right.replace(' ', "");
    let (nul, no_colon, not_text) = (basic(b"a:a\0"), basic(b"a"), basic(b"a:\xff\xfe"));
    for wrong in [
        &[&*right, &*right][..],
        &[&*right, "Bearer x"],
        &["Bearer x", &*right],
        &["", &*right],
        &[""],
        &["Basic"],
        &["Basic !!!"],
        &["Bearer x"],
        &["Digest username=\"a\""],
        &[&*list],
        &[&*huge],
        &[&*joined],
        &[&*nul],
        &[&*no_colon],
        &[&*not_text],
    ] {
        let shown: Vec<_> = wrong.iter().map(|it| &it[..it.len().min(30)]).collect();
        assert_eq!(status(&registry, wrong).await, StatusCode::UNAUTHORIZED, "{shown:?}");
    }
}

/// Existing or not, wrong or malformed: one status, one body, the same headers, and time spent on each.
#[tokio::test]
async fn nobody_learns_which_users_exist() {
    let registry = Setup::plain(&(identity("a", "admin", &hash_password("right")) + ADMINS)).start();
    let mut seen = Vec::new();
    let mut spent = Vec::new();
    for username in ["admin", "nobody"] {
        let before = processor_time(&registry);
        for attempt in 0..5 {
            let client = registry.plain_client().basic(username, &format!("wrong{attempt}"));
            let answer = client.fetch("/v2/").await;
            let names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
            let body = answer.text().replace(answer.header("x-request-id"), "");
            seen.push((answer.status, names, answer.header("www-authenticate").to_owned(), body));
        }
        spent.push(processor_time(&registry) - before);
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].0, StatusCode::UNAUTHORIZED);
    // The work is the same; the time that passes is the machine's.
    assert!(spent[1] > spent[0] / 4, "hundredths of a second of processor time: {spent:?}");
}

#[tokio::test]
async fn a_wrong_password_beside_a_good_certificate_is_refused() {
    let rest = identity("a", "a", OF_A)
        + "[global.access_policy]\ndefault = \"deny\"\nrules = [\"identity.certificate.present\"]\n";
    let registry = Setup::mutual("required", &rest).start();
    let certificate = registry.pki.client("a", "Team");
    for client in [registry.client(Some(&certificate)), registry.client_h2(Some(&certificate))] {
        assert_eq!(client.fetch("/v2/").await.status, StatusCode::OK);
        assert_eq!(client.clone().basic("a", "a").fetch("/v2/").await.status, StatusCode::OK);
        let refused = client.clone().basic("a", "b").fetch("/v2/").await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"));
        assert_eq!(client.basic("b", "a").fetch("/v2/").await.status, StatusCode::UNAUTHORIZED);
    }
}

/// A certificate's name is no user name, whatever it says.
#[tokio::test]
async fn a_certificate_is_not_the_user_it_is_named_after() {
    let rest = identity("a", "admin", OF_A)
        + "[global.access_policy]\ndefault = \"deny\"\nrules = [\"identity.username == 'admin'\", \"identity.id == 'a'\"]\n";
    let registry = Setup::mutual("optional", &rest).start();
    for name in ["admin", "a"] {
        let certificate = registry.pki.client(name, name);
        let answer = registry.client(Some(&certificate)).fetch("/v2/").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}");
    }
}

/// What anybody can write into a header is believed from a trusted proxy alone.
#[tokio::test]
async fn forwarded_addresses_are_believed_from_trusted_proxies_alone() {
    let policy = "[global.access_policy]\ndefault = \"deny\"\n\
                  rules = [\"cidr('10.0.0.0/8').containsIP(identity.client_ip)\"]\n";
    let believed = |name: &str, value: &str| match (name, value) {
        ("x-forwarded-for", "10.0.0.1" | "192.0.2.1, 10.0.0.1") | ("forwarded", "for=10.0.0.1") => 200,
        _ => 403,
    };
    for trusted in [false, true] {
        let proxies = if trusted { "[global]\ntrusted_proxies = [\"127.0.0.0/8\"]\n" } else { "" };
        let registry = Setup::plain(&format!("{proxies}{policy}")).start();
        for (name, value) in [
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-for", "192.0.2.1, 10.0.0.1"),
            ("x-forwarded-for", "10.0.0.1, 192.0.2.1"),
            ("x-forwarded-for", "10.0.0.1, unknown"),
            ("x-forwarded-for", ""),
            ("forwarded", "for=10.0.0.1"),
            ("forwarded", "for=10.0.0.1, for=192.0.2.1"),
            ("forwarded", "for=_hidden"),
            ("x-real-ip", "10.0.0.1"),
            ("x-client-ip", "10.0.0.1"),
        ] {
            let answer = registry.plain_client().send("GET", "/v2/", &[(name, value)], "").await.unwrap();
            let expected = if trusted { believed(name, value) } else { 403 };
            assert_eq!(answer.status.as_u16(), expected, "{name}: {value:?}, trusted: {trusted}");
        }
    }
}
