//! The server in this process, over real sockets, against storage in memory.

mod access;
mod background;
mod classes;
mod distrust;
mod hostile;
mod memory;
mod pull;
mod push;
mod recheck;
mod requests;
mod shadow;

use std::net::SocketAddr;
use std::time::Duration;

use angos_access::{AccessPolicies, AccessPolicy, environment};
use angos_oci::{Algorithm, Digest};
use angos_policy::{DefaultDecision, Policy, RuleSource};
use angos_registry::Storage;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::{Access, Handle, JobEnded, Server, Settings};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A server on a free port, ended with the test.
struct Running {
    address: SocketAddr,
    management: Option<SocketAddr>,
    handle: Handle,
    task: JoinHandle<Result<(), JobEnded>>,
}

/// A response, read to its end.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    fn code(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).expect("an error is JSON");
        json["errors"][0]["code"].as_str().expect("an error has a code").to_owned()
    }
}

fn policy(rules: &[&str]) -> AccessPolicy {
    let rules: Vec<_> = rules.iter().map(|rule| RuleSource::from(*rule)).collect();
    Policy::compile(&environment(), DefaultDecision::Deny, &rules).expect("sound rules").into()
}

fn open() -> Access {
    AccessPolicies { global: Some(policy(&["true"])), ..AccessPolicies::default() }.into()
}

fn settings() -> Settings {
    Settings { listen: ([127, 0, 0, 1], 0).into(), ..Settings::default() }
}

fn start(settings: Settings, access: Access) -> Running {
    let server = Server::bind(settings, None, access, Storage::memory()).expect("a free port");
    let (address, handle) = (server.local_addr().expect("bound"), server.handle());
    let management = server.management_addr();
    Running { address, management, handle, task: tokio::spawn(server.run()) }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        send(self.address, method, target, headers, body.into()).await
    }

    async fn get(&self, target: &str) -> Reply {
        self.send("GET", target, &[], "").await
    }

    /// Pushes a blob in one request.
    async fn push_blob(&self, name: &str, content: &[u8]) -> Digest {
        let digest = Digest::of(Algorithm::Sha256, content);
        let target = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        let reply = self.send("POST", &target, &[], content.to_vec()).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        digest
    }

    /// Pushes a manifest of one empty config and the given layer.
    async fn push_manifest(
        &self,
        name: &str,
        reference: &str,
        layer: &Digest,
        size: usize,
    ) -> (Reply, Bytes) {
        let config = self.push_blob(name, b"{}").await;
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":{size}}}]}}"#
        );
        let target = format!("/v2/{name}/manifests/{reference}");
        let reply = self.send("PUT", &target, &[("content-type", OCI_MANIFEST)], manifest.clone()).await;
        (reply, manifest.into())
    }
}

async fn send(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Reply {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    let driver = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(target).header("host", "registry.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body)).expect("a request");
    let response = sender.send_request(request).await.expect("a response");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    driver.abort();
    Reply { status: head.status.as_u16(), headers: head.headers, body }
}

/// What a client gets that writes `bytes` and reads until the server closes, or for `patience`.
async fn raw(address: SocketAddr, bytes: &[u8], patience: Duration) -> (String, bool) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.write_all(bytes).await.expect("written");
    let mut answer = Vec::new();
    let read = async {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            answer.extend_from_slice(&buffer[..count]);
        }
    };
    let closed = tokio::time::timeout(patience, read).await.is_ok();
    (String::from_utf8_lossy(&answer).into_owned(), closed)
}
