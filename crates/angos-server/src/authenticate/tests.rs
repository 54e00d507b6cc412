//! Who a caller is, by what it brings along.

use angos_identity::Method;
use angos_test_ca::{Authority, Leaf};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;

use super::*;

fn basic(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

fn credentials() -> Credentials {
    let hash = bcrypt::hash_with_salt("secret", 4, [7; 16]).unwrap().to_string();
    Credentials::builder().add("entry", "admin", hash.parse().unwrap()).build()
}

fn certificate() -> Arc<Certificate> {
    let der = Authority::new("CA").issue(&Leaf::client("admin")).certificate_der;
    Arc::new(Certificate::from_der(&der).unwrap())
}

fn peer(certificate: Option<&Arc<Certificate>>) -> Peer<'_> {
    Peer { address: IpAddr::from([192, 0, 2, 1]), certificate }
}

async fn ask(
    with_certificate: bool,
    authorization: &[&str],
    credentials: &Credentials,
) -> Result<Identity, AuthenticationError> {
    let mut headers = HeaderMap::new();
    for value in authorization {
        headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    let certificate = with_certificate.then(certificate);
    authenticate(peer(certificate.as_ref()), &headers, credentials, &[]).await
}

#[tokio::test]
async fn proofs_combine() {
    let check =
        async |with_certificate: bool, authorization: &[&str], method: Method, username: Option<&str>| {
            let identity = ask(with_certificate, authorization, &credentials()).await.unwrap();
            assert_eq!((identity.method(), identity.username()), (method, username));
            assert_eq!(identity.certificate().is_some(), with_certificate);
            assert_eq!(identity.client_ip(), "192.0.2.1");
        };
    let good = basic("admin:secret");
    check(false, &[], Method::Anonymous, None).await;
    check(true, &[], Method::Certificate, None).await; // CN=admin is not the user admin
    check(false, &[&good], Method::Basic, Some("admin")).await;
    check(true, &[&good], Method::Basic, Some("admin")).await;
}

#[tokio::test]
async fn a_wrong_credential_is_refused_beside_a_good_certificate() {
    let (good, wrong) = (basic("admin:secret"), basic("admin:Secret"));
    for with_certificate in [false, true] {
        let check = async |authorization: &[&str], expected: AuthenticationError| {
            let found = ask(with_certificate, authorization, &credentials()).await;
            assert_eq!(found.err(), Some(expected), "{authorization:?}");
        };
        check(&[&wrong], AuthenticationError::Wrong(Rejection::WrongPassword)).await;
        check(&[&basic("root:secret")], AuthenticationError::Wrong(Rejection::UnknownUser)).await;
        check(&["Bearer token"], AuthenticationError::Malformed(MalformedCredentials::Scheme)).await;
        check(&["Basic ###"], AuthenticationError::Malformed(MalformedCredentials::Encoding)).await;
        check(&[""], AuthenticationError::Malformed(MalformedCredentials::Scheme)).await;
        check(&[&good, &good], AuthenticationError::DuplicateHeader).await;
        check(&[&good, &wrong], AuthenticationError::DuplicateHeader).await;
        let none = Credentials::default();
        let found = ask(with_certificate, &[&good], &none).await;
        assert_eq!(found.err(), Some(AuthenticationError::Wrong(Rejection::UnknownUser)));
    }
}

#[tokio::test]
async fn an_unclear_forwarder_is_refused() {
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-for", HeaderValue::from_static("unknown"));
    let trusted = ["192.0.2.0/24".parse().unwrap()];
    let found = authenticate(peer(Some(&certificate())), &headers, &credentials(), &trusted).await;
    assert_eq!(found.err(), Some(AuthenticationError::Forwarded(ForwardedError::Unreadable)));
    headers.insert("x-forwarded-for", HeaderValue::from_static("198.51.100.9"));
    let found = authenticate(peer(Some(&certificate())), &headers, &credentials(), &trusted).await.unwrap();
    assert_eq!(found.client_ip(), "198.51.100.9");
}
