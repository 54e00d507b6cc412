//! The user pages to the letter: every block of rules, in both spellings, for every caller and every action, with the
//! expected answer written down.

use crate::harness::{Client, Registry, Setup, hash_password};
use crate::seed_table::Expected::{All, Get, Nothing};
use hyper::StatusCode;

/// "Access Control with Certificates".
const ACCESS_CONTROL: &str = r#"rules = [
  # Allow clients with specific organization
  "identity.certificate.organizations.contains('Infrastructure')",

  # Allow specific common name
  "'build-server' in identity.certificate.common_names",

  # Combine with other auth methods
  "identity.username == 'admin'"
]
"#;

/// "Scenario 1: Certificate Required".
const CERTIFICATE_REQUIRED: &str = "rules = [\n\"size(identity.certificate.common_names) > 0\"\n]\n";

/// "Scenario 2: Certificate Optional".
const CERTIFICATE_OPTIONAL: &str = r#"rules = [
  # Certificate grants full access
  "identity.certificate.organizations.contains('DevOps')",

  # Basic auth for read-only
  "identity.username != '' && request.action.startsWith('get-')"
]
"#;

/// "Scenario 3: Different Orgs, Different Access", in both spellings.
const DIFFERENT_ACCESS: [&str; 2] = [
    r#"
# Developers can push to dev repo
[repository."dev".access_policy]
default = "deny"
rules = [
"identity.certificate.organizations.contains('Developers')"
]
# Only platform team can push to production
[repository."prod".access_policy]
default = "deny"
rules = [
"identity.certificate.organizations.contains('Platform')"
]
"#,
    r#"
# Developers can push to dev repo
[repository."dev".access_policy]
default_allow = false
rules = [
  "identity.certificate.organizations.contains('Developers')"
]

# Only platform team can push to production
[repository."prod".access_policy]
default_allow = false
rules = [
  "identity.certificate.organizations.contains('Platform')"
]
"#,
];

const SPELLINGS: [&str; 2] = ["default = \"deny\"\n", "default_allow = false\n"];

/// What a caller may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expected {
    All,
    /// The actions whose name begins with `get-`.
    Get,
    Nothing,
}

/// Every kind of caller: what it shows, and as which row of an expectation it is looked up.
const CALLERS: [&str; 11] = [
    "anonymous",
    "certificate O=Infrastructure",
    "certificate O=DevOps",
    "certificate O=Developers",
    "certificate O=Platform",
    "certificate CN=build-server",
    "certificate CN=admin",
    "basic admin",
    "basic reader",
    "certificate O=DevOps and basic reader",
    "certificate CN=admin and basic reader",
];

/// Action, method, path below `/v2/` with `{}` for the namespace.
const ACTIONS: [(&str, &str, &str); 13] = [
    ("get-manifest", "GET", "{}/manifests/latest"),
    ("get-manifest", "HEAD", "{}/manifests/latest"),
    ("put-manifest", "PUT", "{}/manifests/latest"),
    ("delete-manifest", "DELETE", "{}/manifests/latest"),
    ("get-blob", "GET", "{}/blobs/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (
        "delete-blob",
        "DELETE",
        "{}/blobs/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    ("start-upload", "POST", "{}/blobs/uploads/"),
    (
        "get-upload",
        "GET",
        "{}/blobs/uploads/0000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    ),
    (
        "update-upload",
        "PATCH",
        "{}/blobs/uploads/0000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    ),
    (
        "complete-upload",
        "PUT",
        "{}/blobs/uploads/0000000000000000000000000000000000000000000000000000000000000000000000000000000000?digest=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    (
        "cancel-upload",
        "DELETE",
        "{}/blobs/uploads/0000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    ),
    (
        "get-referrers",
        "GET",
        "{}/referrers/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    ("list-tags", "GET", "{}/tags/list"),
];

fn configuration(policy: &str) -> String {
    let (admin, reader) = (hash_password("correct horse"), hash_password("battery staple"));
    format!(
        "[auth.identity.a]\nusername = \"admin\"\npassword = '{admin}'\n\
         [auth.identity.r]\nusername = \"reader\"\npassword = '{reader}'\n{policy}"
    )
}

fn client(registry: &Registry, caller: &str) -> Client {
    let pki = &registry.pki;
    let certificate = match caller {
        it if it.contains("CN=build-server") => Some(pki.client("build-server", "Nobody")),
        it if it.contains("CN=admin") => Some(pki.client("admin", "Nobody")),
        it if it.contains("certificate O=") => {
            let organization = it.split("O=").nth(1).unwrap().split(' ').next().unwrap();
            Some(pki.client("somebody", organization))
        }
        _ => None,
    };
    let client = registry.client(certificate.as_ref());
    match caller {
        it if it.contains("basic admin") => client.basic("admin", "correct horse"),
        it if it.contains("basic reader") => client.basic("reader", "battery staple"),
        _ => client,
    }
}

fn denied(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Walks every action in a namespace and compares each answer with what is written down.
async fn check(registry: &Registry, caller: &str, namespace: &str, expected: Expected) {
    let client = client(registry, caller);
    let mut connection = client.connect().await.unwrap();
    for (action, method, path) in ACTIONS {
        let path = format!("/v2/{}", path.replace("{}", namespace));
        let answer = connection(client.request(method, &path, &[], "")).await.unwrap();
        let allowed = match expected {
            All => true,
            Get => action.starts_with("get-"),
            Nothing => false,
        };
        assert_eq!(
            !denied(answer.status),
            allowed,
            "{caller}: {action} in {namespace} gave {}",
            answer.status
        );
        if !allowed && method != "HEAD" {
            let code = answer.code();
            assert!(matches!(code.as_str(), "DENIED" | "UNAUTHORIZED"), "{caller}: {action}: {code}");
        }
    }
}

async fn version(registry: &Registry, caller: &str) -> StatusCode {
    client(registry, caller).fetch("/v2/").await.status
}

async fn walk(registry: &Registry, rows: [Expected; 11]) {
    for (caller, expected) in CALLERS.iter().zip(rows) {
        check(registry, caller, "team/app", expected).await;
        let status = version(registry, caller).await;
        assert_eq!(status == StatusCode::OK, expected != Nothing, "{caller}: version check gave {status}");
    }
}

#[tokio::test]
async fn access_control_with_certificates() {
    for spelling in SPELLINGS {
        let policy = format!("[global.access_policy]\n{spelling}{ACCESS_CONTROL}");
        let registry = Setup::mutual("optional", &configuration(&policy)).start();
        let rows = [
            Nothing, // anonymous
            All,     // certificate O=Infrastructure
            Nothing, // certificate O=DevOps
            Nothing, // certificate O=Developers
            Nothing, // certificate O=Platform
            All,     // certificate CN=build-server
            Nothing, // certificate CN=admin: a name in a certificate is no user name
            All,     // basic admin
            Nothing, // basic reader
            Nothing, // certificate O=DevOps and basic reader
            Nothing, // certificate CN=admin and basic reader
        ];
        walk(&registry, rows).await;
    }
}

#[tokio::test]
async fn scenario_1_certificate_required() {
    for spelling in SPELLINGS {
        let policy = format!("[global.access_policy]\n{spelling}{CERTIFICATE_REQUIRED}");
        let registry = Setup::mutual("required", &configuration(&policy)).start();
        for caller in CALLERS {
            if caller.contains("certificate") {
                check(&registry, caller, "team/app", All).await;
                assert_eq!(version(&registry, caller).await, StatusCode::OK);
            } else {
                let answer = client(&registry, caller).send("GET", "/v2/", &[], "").await;
                assert!(answer.is_err(), "{caller}: rejected before any application logic runs");
            }
        }
    }
}

#[tokio::test]
async fn scenario_1_without_required_at_the_tls_layer() {
    let policy = format!("[global.access_policy]\n{}{CERTIFICATE_REQUIRED}", SPELLINGS[1]);
    let registry = Setup::mutual("optional", &configuration(&policy)).start();
    let (no, yes) = (Nothing, All);
    walk(&registry, [no, yes, yes, yes, yes, yes, yes, no, no, yes, yes]).await;
}

#[tokio::test]
async fn scenario_2_certificate_optional() {
    for spelling in SPELLINGS {
        let policy = format!("[global.access_policy]\n{spelling}{CERTIFICATE_OPTIONAL}");
        let registry = Setup::mutual("optional", &configuration(&policy)).start();
        let rows = [
            Nothing, // anonymous: no user name, although `!= ''`
            Nothing, // certificate O=Infrastructure
            All,     // certificate O=DevOps
            Nothing, // certificate O=Developers
            Nothing, // certificate O=Platform
            Nothing, // certificate CN=build-server
            Nothing, // certificate CN=admin
            Get,     // basic admin
            Get,     // basic reader
            All,     // certificate O=DevOps and basic reader
            Get,     // certificate CN=admin and basic reader
        ];
        walk(&registry, rows).await;
    }
}

#[tokio::test]
async fn scenario_3_different_organizations_different_access() {
    for policy in DIFFERENT_ACCESS {
        let registry = Setup::mutual("optional", &configuration(policy)).start();
        for caller in CALLERS {
            let in_dev = if caller.contains("O=Developers") { All } else { Nothing };
            let in_prod = if caller.contains("O=Platform") { All } else { Nothing };
            check(&registry, caller, "dev/app", in_dev).await;
            check(&registry, caller, "dev", in_dev).await;
            check(&registry, caller, "prod/app/deep", in_prod).await;
            check(&registry, caller, "development/app", Nothing).await;
            check(&registry, caller, "other/app", Nothing).await;
            let identified = caller != "anonymous";
            assert_eq!(
                version(&registry, caller).await == StatusCode::OK,
                identified,
                "{caller}: version check"
            );
        }
    }
}

#[tokio::test]
async fn a_wrong_credential_is_refused_beside_a_good_certificate() {
    let policy = format!("[global.access_policy]\n{}{CERTIFICATE_OPTIONAL}", SPELLINGS[0]);
    let registry = Setup::mutual("optional", &configuration(&policy)).log("angos::auth=debug,info").start();
    let certificate = registry.pki.client("somebody", "DevOps");
    let good = registry.client(Some(&certificate));
    assert_eq!(good.fetch("/v2/").await.status, StatusCode::OK);
    for (username, password) in [("admin", "wrong"), ("nobody", "wrong"), ("", ""), ("admin", "")] {
        let answer = good.clone().basic(username, password).fetch("/v2/").await;
        assert!(denied(answer.status), "{username}:{password} gave {}", answer.status);
    }
    registry.wait_for_log("credential refused");
}

#[tokio::test]
async fn the_debug_log_tells_why_a_certificate_was_not_accepted() {
    let policy = format!("[global.access_policy]\n{}{CERTIFICATE_OPTIONAL}", SPELLINGS[0]);
    let registry = Setup::mutual("optional", &configuration(&policy)).log("angos::auth=debug,info").start();
    let stranger =
        registry.pki.stranger.issue(&angos_test_ca::Leaf::client("mallory").organization("DevOps"));
    assert!(registry.client(Some(&stranger)).send("GET", "/v2/", &[], "").await.is_err());
    registry.wait_for_log("mallory");
    let expired =
        registry.pki.authority.issue(&angos_test_ca::Leaf::client("old").organization("DevOps").expired());
    assert!(registry.client(Some(&expired)).send("GET", "/v2/", &[], "").await.is_err());
    registry.wait_for_log("expired");
    let wrong = registry.client(None).basic("admin", "wrong").fetch("/v2/").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
}
