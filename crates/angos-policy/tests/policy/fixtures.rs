//! The identities and requests of the tables.

use angos_identity::{Certificate, Credential, Identity};
use angos_policy::{Environment, Facts, Type, Value};
use angos_test_ca::{Authority, Leaf};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

pub(crate) const ACTIONS: &[&str] =
    &["get-api-version", "get-manifest", "put-manifest", "get-blob", "start-upload", "list-tags", "metrics"];

/// A registry's environment, in small. The order of declaration is the order of [`Request`]'s fields.
pub(crate) fn environment() -> Environment {
    Environment::builder()
        .variable("request.action", Type::Enum(ACTIONS))
        .variable("request.namespace", Type::String)
        .variable("request.tag", Type::String)
        .variable("request.tags", Type::StringList)
        .variable("request.n", Type::Int)
        .variable("request.time", Type::Timestamp)
        .variable("request.ratio", Type::Double)
        .variable("request.size", Type::Uint)
        .variable("request.age", Type::Duration)
        .variable("request.secret", Type::Bytes)
        .nullary("has_repository_policy", Type::Bool)
        .alias("request.repository", "request.namespace")
        .build()
        .expect("environment")
}

pub(crate) struct Request(pub(crate) Vec<(usize, Value<'static>)>);

impl Facts for Request {
    fn fact(&self, index: usize) -> Value<'_> {
        self.0.iter().find(|(declared, _)| *declared == index).map_or(Value::Absent, |(_, value)| *value)
    }
}

/// A request that has an action and nothing else.
pub(crate) fn action(action: &'static str) -> Request {
    Request(vec![(0, Value::String(action))])
}

/// A request that has everything but a tag. Its time is 2030-01-31T12:30:45.5Z, a Thursday.
pub(crate) fn full() -> Request {
    let tags: &'static [String] = Box::leak(Box::new(["v1".to_owned(), "latest".to_owned()]));
    Request(vec![
        (0, Value::String("get-manifest")),
        (1, Value::String("prod/app")),
        (3, Value::Strings(tags)),
        (4, Value::Int(100)),
        (5, Value::Timestamp(1_896_093_045, 500_000_000)),
        (6, Value::Double(0.5)),
        (7, Value::Uint(7)),
        (8, Value::Duration(90_000_000_000)),
        (9, Value::Bytes(b"abc")),
        (10, Value::Bool(true)),
    ])
}

pub(crate) fn certificate(leaf: &Leaf) -> Arc<Certificate> {
    let issued = Authority::new("Angos Test CA").issue(leaf);
    let certificate = Certificate::from_der(&issued.certificate_der).expect("certificate");
    Arc::new(certificate.with_ca("staff"))
}

/// From 10.1.2.3.
pub(crate) fn caller(leaf: Option<&Leaf>, user: Option<&str>) -> Identity {
    let credential = user.map(|user| Arc::new(Credential { id: "entry".into(), username: user.into() }));
    Identity::new(IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3)), leaf.map(certificate), credential)
}
