//! Who is told what: challenges, denials, listings, replaced policies, probes.

use super::*;
use angos_access::AccessPolicies;
use angos_auth::{Credentials, PasswordHash};

pub(super) const RIGHT: (&str, &str) = ("authorization", "Basic YWRtaW46c2VjcmV0"); // admin:secret
const WRONG: (&str, &str) = ("authorization", "Basic YWRtaW46d3Jvbmc="); // admin:wrong

/// bcrypt at its lowest cost, so that tests are fast.
const HASH_OF_SECRET: &str = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

pub(super) fn credentials() -> Credentials {
    let hash: PasswordHash = HASH_OF_SECRET.parse().expect("a hash");
    Credentials::builder().add("admin-entry", "admin", hash).build()
}

#[tokio::test]
async fn a_challenge_is_sent_only_where_a_credential_may_help() {
    let rules = ["identity.username == 'admin' && request.namespace != 'closed'"];
    let with = Access {
        policies: AccessPolicies { global: Some(policy(&rules)), ..AccessPolicies::default() },
        credentials: credentials(),
    };
    let without = AccessPolicies { global: Some(policy(&rules)), ..AccessPolicies::default() }.into();
    let (with, without) = (start(settings(), with), start(settings(), without));
    let challenge = "Basic realm=\"Angos\", charset=\"UTF-8\"";
    for (server, header, target, status, code, expected) in [
        (&with, None, "/v2/", 401, "UNAUTHORIZED", challenge),
        (&with, None, "/v2/closed/tags/list", 401, "UNAUTHORIZED", challenge),
        (&with, Some(RIGHT), "/v2/closed/tags/list", 403, "DENIED", ""),
        (&with, Some(RIGHT), "/v2/a/tags/list", 404, "NAME_UNKNOWN", ""),
        (&with, Some(WRONG), "/v2/a/tags/list", 401, "UNAUTHORIZED", challenge),
        (&without, None, "/v2/", 403, "DENIED", ""),
        (&without, Some(RIGHT), "/v2/", 403, "DENIED", ""),
    ] {
        let headers: Vec<_> = header.into_iter().collect();
        let reply = server.send("GET", target, &headers, "").await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{header:?} {target}");
        assert_eq!(reply.header("www-authenticate"), expected, "{header:?} {target}");
        assert!(reply.code() != "DENIED" || !String::from_utf8_lossy(&reply.body).contains("rule"));
    }
    assert_eq!(with.send("GET", "/v2/", &[RIGHT], "").await.status, 200);
}

#[tokio::test]
async fn hidden_and_missing_repositories_answer_alike() {
    let access = AccessPolicies {
        global: Some(policy(&["request.namespace != 'hidden'"])),
        ..AccessPolicies::default()
    }
    .into();
    let server = start(settings(), open());
    server.push_blob("hidden", b"there").await;
    server.handle.replace_access(access);
    let hidden = server.get("/v2/hidden/tags/list").await;
    server.handle.replace_access(
        AccessPolicies {
            global: Some(policy(&["request.namespace == 'other'"])),
            ..AccessPolicies::default()
        }
        .into(),
    );
    let missing = server.get("/v2/missing/tags/list").await;
    let without_id =
        |reply: &Reply| String::from_utf8_lossy(&reply.body).replace(reply.header("x-request-id"), "id");
    assert_eq!(hidden.status, missing.status);
    assert_eq!(without_id(&hidden), without_id(&missing));
}

#[tokio::test]
async fn the_catalog_shows_what_the_caller_may_list() {
    let server = start(settings(), open());
    for name in ["a", "b/hidden", "c", "d"] {
        server.push_blob(name, b"x").await;
    }
    let repositories =
        [("b".parse().unwrap(), policy(&["request.action != 'list-tags'"]))].into_iter().collect();
    server.handle.replace_access(
        AccessPolicies { global: Some(policy(&["true"])), repositories, ..AccessPolicies::default() }.into(),
    );
    let all = server.get("/v2/_catalog").await;
    assert_eq!((&*all.body, all.header("link")), (&br#"{"repositories":["a","c","d"]}"#[..], ""));
    let first = server.get("/v2/_catalog?n=1").await;
    assert_eq!(&*first.body, br#"{"repositories":["a"]}"#);
    assert_eq!(first.header("link"), "</v2/_catalog?n=1&last=a>; rel=\"next\"");
    let next = server.get("/v2/_catalog?n=2&last=a").await;
    assert_eq!((&*next.body, next.header("link")), (&br#"{"repositories":["c","d"]}"#[..], ""));
    assert_eq!(&*server.get("/v2/_catalog?n=0").await.body, br#"{"repositories":[]}"#);
}

/// Every page is bounded, and the links lead through all of it.
#[tokio::test]
async fn a_catalog_that_shows_little_is_walked_by_its_links() {
    let server = start(settings(), open());
    let hidden: Vec<String> = (0..4000).map(|number| format!("h/{number:05}")).collect();
    let registry = &server.handle.server.registry;
    for name in hidden.iter().map(String::as_str).chain(["h/00000/mine", "h/01500/mine", "z/mine"]) {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        let body = Some(Bytes::from_static(b"x"));
        registry.push_blob(&name.parse().expect("a name"), &digest, None, body).await.expect("stored");
    }
    let rule = "request.action == 'list-catalog' || request.namespace.endsWith('/mine')";
    server
        .handle
        .replace_access(AccessPolicies { global: Some(policy(&[rule])), ..AccessPolicies::default() }.into());
    for n in ["?n=1", "?n=2", "?n=60", ""] {
        let (mut target, mut seen, mut empty, mut pages) = (format!("/v2/_catalog{n}"), Vec::new(), 0, 0);
        loop {
            let page = server.get(&target).await;
            assert_eq!(page.status, 200, "{target}");
            let json: serde_json::Value = serde_json::from_slice(&page.body).expect("JSON");
            let names = json["repositories"].as_array().expect("names").clone();
            empty += usize::from(names.is_empty());
            pages += 1;
            seen.extend(names);
            let link = page.header("link");
            assert!(hidden.iter().all(|name| !link.contains(&format!("last={name}>"))), "{link}");
            let Some((next, _)) = link.split_once('>') else { break };
            next.trim_start_matches('<').clone_into(&mut target);
        }
        assert_eq!(seen, ["h/00000/mine", "h/01500/mine", "z/mine"], "{n}");
        // Whole pages of one or two names look at a thousand, and without a number at ten thousand.
        let expected = if n.is_empty() { 1..=1 } else { 4..=16 };
        assert!(
            expected.contains(&pages) && (n.is_empty() || empty > 0),
            "{pages} pages, {empty} empty, {n}"
        );
    }
    let altered = format!("/v2/_catalog?last=~{}", "0".repeat(544));
    assert_eq!(server.get(&altered).await.status, 400);
}

/// While others list, a listing waits for its turn.
#[tokio::test]
async fn pages_of_the_catalog_take_turns() {
    let server = start(settings(), open());
    server.push_blob("a", b"x").await;
    let turns = &server.handle.server.catalog_turns;
    let taken =
        turns.acquire_many(u32::try_from(turns.available_permits()).expect("few")).await.expect("open");
    let waiting = tokio::time::timeout(Duration::from_millis(100), server.get("/v2/_catalog")).await;
    assert!(waiting.is_err(), "it waits");
    assert_eq!(server.get("/v2/").await.status, 200);
    drop(taken);
    assert_eq!(server.get("/v2/_catalog").await.status, 200);
}

#[tokio::test]
async fn a_replaced_policy_rules_the_next_request_of_an_open_connection() {
    let server = start(settings(), open());
    let stream = TcpStream::connect(server.address).await.expect("listening");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    let driver = tokio::spawn(connection);
    let mut get = async || {
        let request =
            Request::get("/v2/").header("host", "a").body(Full::new(Bytes::new())).expect("a request");
        sender.ready().await.expect("kept alive");
        sender.send_request(request).await.expect("a response").status().as_u16()
    };
    assert_eq!(get().await, 200);
    assert_eq!(server.handle.replace_access(Access::default()), 2);
    assert_eq!(get().await, 403);
    assert_eq!(server.handle.replace_access(open()), 3);
    assert_eq!(get().await, 200);
    driver.abort();
}

#[tokio::test]
async fn probes_obey_the_policy_on_the_main_listener_alone() {
    let settings = Settings { management: Some(([127, 0, 0, 1], 0).into()), ..settings() };
    let access = AccessPolicies {
        global: Some(policy(&["request.action == 'healthz'"])),
        ..AccessPolicies::default()
    }
    .into();
    let server = start(settings, access);
    let management = server.management.expect("bound");
    for (target, status, managed) in [
        ("/healthz", 200, 200),
        ("/readyz", 403, 200),
        ("/metrics", 403, 200),
        ("/v2/", 403, 404),
        ("/", 404, 404),
    ] {
        assert_eq!(server.get(target).await.status, status, "{target}");
        assert_eq!(
            send(management, "GET", target, &[], Bytes::new()).await.status,
            managed,
            "managed {target}"
        );
    }
    assert_eq!(send(management, "POST", "/metrics", &[], Bytes::new()).await.status, 405);
    let metrics = send(management, "GET", "/metrics", &[], Bytes::new()).await;
    let metrics = String::from_utf8(metrics.body.to_vec()).expect("text");
    assert!(metrics.contains("angos_requests_total{action=\"readyz\",status=\"4xx\"} 1"), "{metrics}");
    assert!(metrics.contains("angos_decisions_total{outcome=\"allow\"} 1"), "{metrics}");
}

/// A browser adds its user's certificate to what any page asks it to send.
#[tokio::test]
async fn pages_of_other_sites_change_nothing() {
    let server = start(settings(), open());
    for (site, method, status) in [
        (None, "POST", 202),
        (Some("same-origin"), "POST", 202),
        (Some("none"), "POST", 202),
        (Some("same-site"), "POST", 403),
        (Some("cross-site"), "POST", 403),
        (Some("whatever"), "POST", 403),
        (Some("cross-site"), "GET", 405),
    ] {
        let headers: Vec<_> = site.map(|site| ("sec-fetch-site", site)).into_iter().collect();
        let reply = server.send(method, "/v2/a/blobs/uploads/", &headers, "").await;
        assert_eq!(reply.status, status, "{method} {site:?}");
    }
}
