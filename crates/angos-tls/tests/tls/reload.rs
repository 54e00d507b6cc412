//! Replacing the material: as a whole, at once, and never by a set that does not load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use angos_test_ca::{Authority, Leaf};
use angos_tls::{Acceptor, ClientAuth, ClientCa, Material};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::client::Client;
use crate::site::Site;

async fn outcome(client: &Client, acceptor: &Acceptor) -> Result<u64, &'static str> {
    match client.attempt(acceptor).await.server {
        Ok(peer) => Ok(peer.generation()),
        Err(error) => Err(error.class()),
    }
}

#[tokio::test]
async fn another_authority_is_trusted_at_once_by_every_clone() {
    let mut site = Site::required();
    let acceptor = site.acceptor();
    let clone = acceptor.clone();
    let old = Client::new(&site.servers).with(site.clients.issue(&Leaf::client("old")));
    let authority = Authority::new("New CA");
    let new = Client::new(&site.servers).with(authority.issue(&Leaf::client("new")));
    assert_eq!(outcome(&old, &clone).await, Ok(1));
    assert_eq!(outcome(&new, &clone).await, Err("unknown_ca"));

    site.settings.clients.cas = vec![ClientCa::new(authority.write(site.path(), "new"))];
    assert_eq!(acceptor.replace(site.load().unwrap()), 2);
    assert_eq!((acceptor.generation(), clone.generation()), (2, 2));
    assert_eq!(outcome(&old, &clone).await, Err("unknown_ca"));
    assert_eq!(outcome(&new, &clone).await, Ok(2));
}

#[tokio::test]
async fn mode_and_server_certificate_change_with_it() {
    let mut site = Site::required();
    let acceptor = site.acceptor();
    let anonymous = Client::new(&site.servers);
    assert_eq!(outcome(&anonymous, &acceptor).await, Err("no_certificate"));
    site.settings.clients.auth = ClientAuth::Optional;
    assert_eq!(acceptor.replace(site.load().unwrap()), 2);
    assert_eq!(outcome(&anonymous, &acceptor).await, Ok(2));

    let servers = Authority::new("Other server CA");
    let (certificate, key) = servers.issue(&Leaf::server(["localhost"])).write(site.path(), "server");
    assert_eq!(certificate, site.settings.server_certificate_bundle);
    assert_eq!(key, site.settings.server_private_key);
    assert_eq!(acceptor.replace(site.load().unwrap()), 3);
    assert_eq!(outcome(&anonymous, &acceptor).await, Err("protocol"), "it does not know the new server");
    assert_eq!(outcome(&Client::new(&servers), &acceptor).await, Ok(3));
}

#[tokio::test]
async fn a_set_that_does_not_load_changes_nothing() {
    let site = Site::required();
    let acceptor = site.acceptor();
    let client = Client::new(&site.servers).with(site.clients.issue(&Leaf::client("alice")));
    // Half of a renewal: the certificate is new, the key is not.
    let key = std::fs::read(&site.settings.server_private_key).unwrap();
    site.servers.issue(&Leaf::server(["localhost"])).write(site.path(), "server");
    let renewed = std::fs::read(&site.settings.server_private_key).unwrap();
    site.file("server.key", key);
    assert!(site.load().is_err());
    assert_eq!((acceptor.generation(), outcome(&client, &acceptor).await), (1, Ok(1)));
    // The other half.
    site.file("server.key", renewed);
    assert_eq!(acceptor.replace(site.load().unwrap()), 2);
    assert_eq!(outcome(&client, &acceptor).await, Ok(2));
}

#[tokio::test]
async fn a_handshake_that_has_begun_finishes_under_its_own_generation() {
    let site = Site::required();
    let acceptor = site.acceptor();
    let client = Client::new(&site.servers).with(site.clients.issue(&Leaf::client("alice")));
    let (near, far) = duplex(64 * 1024);
    let mut accepting = Box::pin(acceptor.accept(far));
    assert!(futures_poll_once(&mut accepting).await.is_none(), "it waits for the client");
    acceptor.replace(changed(&site, 1));
    let (accepted, connected) = tokio::join!(accepting, client.connect(near));
    let ((mut server, peer), mut client) = (accepted.unwrap(), connected.unwrap());
    assert_eq!((peer.generation(), acceptor.generation()), (1, 2));
    // An established connection is not touched by further changes.
    acceptor.replace(changed(&site, 2));
    server.write_all(b"still here").await.unwrap();
    server.flush().await.unwrap();
    let mut said = [0; 10];
    client.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"still here");
}

/// The site's material, and yet another set for each number.
fn changed(site: &Site, number: u64) -> Material {
    let mut settings = site.settings.clone();
    settings.handshake_timeout += Duration::from_millis(number);
    Material::load(&settings).unwrap()
}

/// Polls a future one time.
async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| match std::pin::Pin::new(&mut *future).poll(cx) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_reloads_lose_no_handshake_and_no_number() {
    let site = Arc::new(Site::required());
    let acceptor = site.acceptor();
    let client = Client::new(&site.servers).with(site.clients.issue(&Leaf::client("alice")));
    let (done, replaced) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let reloaders: Vec<_> = (0..2)
        .map(|_| {
            let (site, acceptor) = (Arc::clone(&site), acceptor.clone());
            let (done, replaced) = (Arc::clone(&done), Arc::clone(&replaced));
            std::thread::spawn(move || {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let material = changed(&site, replaced.fetch_add(1, Ordering::Relaxed) + 1);
                    let number = acceptor.replace(material);
                    assert!(number > last, "generations only grow");
                    last = number;
                    std::thread::yield_now();
                }
            })
        })
        .collect();
    for _ in 0..50 {
        assert!(outcome(&client, &acceptor).await.is_ok());
    }
    done.store(true, Ordering::Relaxed);
    for reloader in reloaders {
        reloader.join().unwrap();
    }
    assert_eq!(acceptor.generation(), replaced.load(Ordering::Relaxed) + 1);
}
