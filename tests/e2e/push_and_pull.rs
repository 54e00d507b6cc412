//! An image goes in and comes out, over every transport and in every authentication mode.

use crate::harness::{Image, Setup};
use hyper::StatusCode;

const TEAM: &str = "[global.access_policy]\ndefault = \"deny\"\nrules = [\"identity.certificate.organizations.contains('Team')\"]\n";
const ANYONE: &str = "[global.access_policy]\ndefault = \"allow\"\n";

#[tokio::test]
async fn over_mutual_tls_with_http1_and_http2() {
    let registry = Setup::mutual("required", TEAM).start();
    let certificate = registry.pki.client("builder", "Team");
    for (client, name) in
        [(registry.client(Some(&certificate)), "one"), (registry.client_h2(Some(&certificate)), "two")]
    {
        let image = Image::new(name, 300_000);
        assert_eq!(client.push(&format!("team/{name}"), "1.0", &image).await.unwrap(), StatusCode::CREATED);
        client.pull(&format!("team/{name}"), "1.0", &image).await;
        client.pull(&format!("team/{name}"), &image.digest(), &image).await;
    }
}

#[tokio::test]
async fn over_plain_http() {
    let registry = Setup::plain(ANYONE).start();
    let client = registry.plain_client();
    let image = Image::new("plain", 5_000_000);
    assert_eq!(client.push("plain", "latest", &image).await.unwrap(), StatusCode::CREATED);
    client.pull("plain", "latest", &image).await;
}

#[tokio::test]
async fn it_survives_a_restart() {
    let mut registry = Setup::plain(ANYONE).start();
    let image = Image::new("restart", 100_000);
    assert_eq!(registry.plain_client().push("kept", "1", &image).await.unwrap(), StatusCode::CREATED);
    registry.crash_and_restart();
    registry.plain_client().pull("kept", "1", &image).await;
}
