//! What an authority may vouch for: its clients touch its repositories and nothing else, whatever the rules say.

use crate::harness::{Image, Registry, Setup, hash_password};
use crate::policy_explain::{out, policy};
use angos_test_ca::Leaf;
use hyper::StatusCode;

/// Everybody may do everything, but for the bound of the authority.
const PARTNERS: &str = r#"
[[server.tls.client_ca]]
name = "partners"
bundle = "stranger.pem"
namespaces = ["partners", "shared/tools"]

[global.access_policy]
default = "allow"
"#;

fn start() -> Registry {
    Setup::mutual("required", PARTNERS).start()
}

#[tokio::test]
async fn its_clients_touch_its_repositories_and_nothing_else() {
    let registry = start();
    let alice = registry.pki.client("alice", "Team");
    let paul = registry.pki.stranger.issue(&Leaf::client("paul").organization("Team"));
    let (ours, theirs) = (registry.client(Some(&alice)), registry.client(Some(&paul)));
    let image = Image::new("authorities", 1000);
    for name in ["secret/app", "partnersx", "shared", "partners/app", "shared/tools"] {
        assert_eq!(ours.push(name, "1", &image).await.unwrap(), StatusCode::CREATED, "{name}");
    }
    for (path, status) in [
        ("/v2/", 200),
        ("/v2/partners/app/manifests/1", 200),
        ("/v2/shared/tools/tags/list", 200),
        ("/v2/partners/new/tags/list", 404),
        ("/v2/partnersx/manifests/1", 403),
        ("/v2/shared/manifests/1", 403),
        ("/v2/secret/app/manifests/1", 403),
        ("/v2/nowhere/manifests/1", 403),
        ("/metrics", 403),
        ("/healthz", 403),
    ] {
        assert_eq!(theirs.fetch(path).await.status.as_u16(), status, "{path}");
        assert_eq!(
            ours.fetch(path).await.status.is_success(),
            !["partners/new", "nowhere"].iter().any(|it| path.contains(it)),
            "{path}"
        );
    }
    assert_eq!(theirs.push("partners/own", "1", &image).await.unwrap(), StatusCode::CREATED);
    assert_eq!(theirs.push("other", "1", &image).await.unwrap(), StatusCode::FORBIDDEN);
    let catalog = theirs.fetch("/v2/_catalog").await.json();
    assert_eq!(catalog["repositories"], serde_json::json!(["partners/app", "partners/own", "shared/tools"]));
}

#[tokio::test]
async fn no_mount_reaches_over_the_fence() {
    let registry = start();
    let alice = registry.pki.client("alice", "Team");
    let paul = registry.pki.stranger.issue(&Leaf::client("paul").organization("Team"));
    let (ours, theirs) = (registry.client(Some(&alice)), registry.client(Some(&paul)));
    let image = Image::new("fence", 1000);
    assert_eq!(ours.push("secret/app", "1", &image).await.unwrap(), StatusCode::CREATED);
    let digest = crate::harness::digest_of(&image.layer);
    for from in ["&from=secret/app", ""] {
        let path = format!("/v2/partners/x/blobs/uploads/?mount={digest}{from}");
        let answer = theirs.ask("POST", &path).await;
        assert_ne!(answer.status, StatusCode::CREATED, "{from}: {}", answer.text());
    }
    assert_eq!(theirs.fetch(&format!("/v2/partners/x/blobs/{digest}")).await.status, StatusCode::NOT_FOUND);
    // A certificate of one's own authority is under no such bound.
    let path = format!("/v2/partners/x/blobs/uploads/?mount={digest}&from=secret/app");
    assert_eq!(ours.ask("POST", &path).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn the_log_says_that_the_authority_is_why_and_a_reload_lifts_the_bound() {
    let registry = start();
    let paul = registry.pki.stranger.issue(&Leaf::client("paul").organization("Team"));
    let mut kept = registry.client(Some(&paul)).connect().await.unwrap();
    let client = registry.client(Some(&paul));
    let request = || client.request("GET", "/v2/other/tags/list", &[], "");
    assert_eq!(kept(request()).await.unwrap().status, StatusCode::FORBIDDEN);
    registry.wait_for_log("denied policy=\"none\" rule=\"ca_restriction\"");
    registry.wait_for_log("ca=\"partners\"");
    registry.rewrite_configuration(|text| text.replace("\"shared/tools\"", "\"other\""));
    registry.reload();
    registry.wait_for_log(" reloaded ");
    assert_eq!(kept(request()).await.unwrap().status, StatusCode::NOT_FOUND, "on the same connection");
}

/// A password may change the mind of a policy, and nothing changes the bound of an authority.
#[tokio::test]
async fn nobody_is_asked_for_a_password_that_cannot_help() {
    let rest = PARTNERS.replace("\"allow\"", "\"deny\"\nrules = [\"identity.username == 'admin'\"]");
    let hash = hash_password("secret");
    let credential = format!("[auth.identity.admin]\nusername = \"admin\"\npassword = '{hash}'\n");
    let registry = Setup::mutual("required", &(rest + &credential)).start();
    let paul = registry.pki.stranger.issue(&Leaf::client("paul"));
    let client = registry.client(Some(&paul));
    let admin = ("authorization", "Basic YWRtaW46c2VjcmV0");
    for (method, path, headers, status, code) in [
        ("GET", "/v2/", &[][..], 401, "UNAUTHORIZED"),
        ("GET", "/v2/partners/app/tags/list", &[], 401, "UNAUTHORIZED"),
        ("GET", "/v2/partners/app/tags/list", &[admin], 404, "NAME_UNKNOWN"),
        ("GET", "/v2/secret/tags/list", &[], 403, "DENIED"),
        ("GET", "/v2/secret/tags/list", &[admin], 403, "DENIED"),
        ("PUT", "/v2/secret/manifests/1", &[], 403, "DENIED"),
        ("POST", "/v2/secret/blobs/uploads/", &[], 403, "DENIED"),
        ("GET", "/metrics", &[], 403, "DENIED"),
    ] {
        let answer = client.send(method, path, headers, "").await.unwrap();
        assert_eq!((answer.status.as_u16(), &*answer.code()), (status, code), "{method} {path} {headers:?}");
        assert_eq!(!answer.header("www-authenticate").is_empty(), status == 401, "{method} {path}");
    } // `angos policy explain` foretells both.
    std::fs::write(registry.folder.path().join("paul.pem"), &paul.certificate_pem).unwrap();
    for (namespace, expected) in
        [("secret", "denied: 403 DENIED"), ("partners/app", "denied: 401 UNAUTHORIZED")]
    {
        let caller = ["explain", "-c", "config.toml", "--certificate", "paul.pem", "--client-ca", "partners"];
        let request = ["--action", "list-tags", "--namespace", namespace];
        let told = out(&policy(registry.folder.path(), &[&caller[..], &request].concat()));
        assert!(told.starts_with(expected), "{namespace}: {told}");
    }
}
