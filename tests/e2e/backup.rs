//! `angos backup`: the copy of a running server is a store from which everything acknowledged pulls, whatever was pushed
//! and deleted meanwhile; what is not a whole backup is refused.

use crate::harness::{Client, Image, Pki, Registry, Setup, angos, digest_of, output_of};
use hyper::StatusCode;
use std::path::Path;
use std::process::Output;

const ANYONE: &str = "[global.access_policy]\ndefault = \"allow\"\n";

/// `angos backup` with the configuration of a registry.
async fn backup(registry: &Registry, to: &Path) -> Output {
    let mut command = tokio::process::Command::from(angos());
    command.args(["-c", "config.toml", "backup"]).arg(to).current_dir(registry.folder.path());
    command.output().await.unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Pushes images and deletes every other one again, until aborted.
async fn change_for_ever(client: Client) {
    for number in 0.. {
        let tag = format!("change-{number}");
        let image = Image::new(&tag, 20_000);
        assert_eq!(client.push("changing", &tag, &image).await.unwrap(), StatusCode::CREATED);
        if number % 2 == 0 {
            let path = format!("/v2/changing/manifests/{}", image.digest());
            assert_eq!(client.ask("DELETE", &path).await.status, StatusCode::ACCEPTED);
            let path = format!("/v2/changing/blobs/{}", digest_of(&image.layer));
            assert_eq!(client.ask("DELETE", &path).await.status, StatusCode::ACCEPTED);
        }
    }
}

/// Every tag of a repository pulls whole, by tag and by digest; how many there are.
async fn pull_all(client: &Client, name: &str) -> usize {
    let listed = client.fetch(&format!("/v2/{name}/tags/list")).await;
    if listed.status == StatusCode::NOT_FOUND {
        return 0;
    }
    let listed: serde_json::Value = serde_json::from_str(&listed.text()).unwrap();
    let tags = listed["tags"].as_array().unwrap();
    for tag in tags {
        let tag = tag.as_str().unwrap();
        // What is pushed is a function of the tag, but for its size.
        let image = Image::new(tag, if name == "kept" { 50_000 } else { 20_000 });
        client.pull(name, tag, &image).await;
        client.pull(name, &image.digest(), &image).await;
    }
    tags.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_beside_pushes_and_deletes_pulls_whole() {
    let mut registry = Setup::plain(ANYONE).start();
    let client = registry.plain_client();
    for number in 0..5 {
        let tag = format!("v{number}");
        let status = client.push("kept", &tag, &Image::new(&tag, 50_000)).await.unwrap();
        assert_eq!(status, StatusCode::CREATED);
    }
    let changes = tokio::spawn(change_for_ever(registry.plain_client()));
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("data");
    let output = backup(&registry, &to).await;
    assert!(output.status.success(), "{}", said(&output));
    changes.abort();
    assert!(changes.await.unwrap_err().is_cancelled(), "pushes and deletes went on");
    // The server made it; its log is written beside the work.
    registry.wait_for_log("backup is whole");

    // The same folder again, and a folder of something else.
    for taken in [&to, folder.path()] {
        let refused = backup(&registry, taken).await;
        assert_eq!(refused.status.code(), Some(1));
        assert!(said(&refused).contains("is not empty"), "{}", said(&refused));
    }
    let pki = Pki::new(folder.path());
    let copy = Setup::plain(ANYONE).start_in(folder, pki, &[]);
    let client = copy.plain_client();
    assert_eq!(pull_all(&client, "kept").await, 5);
    pull_all(&client, "changing").await;
    let image = Image::new("later", 50_000);
    assert_eq!(client.push("kept", "later", &image).await.unwrap(), StatusCode::CREATED);

    // Without a server the command does it itself, also beside the socket that a killed one left.
    registry.signal("KILL");
    registry.wait_for_exit();
    let alone = registry.folder.path().join("alone");
    let output = backup(&registry, &alone).await;
    assert!(output.status.success(), "{}", said(&output));
    assert!(alone.join("metadata/metadata.redb").exists());
}

#[tokio::test]
async fn what_is_not_a_whole_backup_is_refused() {
    let mut registry = Setup::plain(ANYONE).start();
    registry.signal("TERM");
    registry.wait_for_exit();
    let data = registry.folder.path().join("data");
    assert!(!data.join("metadata/control.sock").exists(), "a server that ends removes its socket");
    std::fs::write(data.join("backup-incomplete"), "").unwrap();
    let start = output_of(angos().args(["-c", "config.toml", "server"]).current_dir(registry.folder.path()));
    assert_eq!(start.status.code(), Some(1));
    assert!(said(&start).contains("did not come to its end"), "{}", said(&start));

    // Where there is no store a backup makes none.
    registry.rewrite_configuration(|text| text.replace("/data\"", "/nothing\""));
    let nothing = backup(&registry, &registry.folder.path().join("copy")).await;
    assert_eq!(nothing.status.code(), Some(1));
    assert!(said(&nothing).contains("there is no store in"), "{}", said(&nothing));
    assert!(!registry.folder.path().join("nothing").exists());
    assert!(!registry.folder.path().join("copy").exists());
}

/// The socket is for the user of the server alone, and takes one line.
#[tokio::test]
async fn the_control_socket_takes_commands_and_nothing_else() {
    use std::os::unix::fs::PermissionsExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let registry = Setup::plain(ANYONE).start();
    let socket = registry.folder.path().join("data/metadata/control.sock");
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for (line, expected) in [
        ("nonsense\n", ""),
        ("\n", ""),
        ("{}\n", "{\"error\":\"this server does not know the command; it may be of another version\"}\n"),
        (
            "{\"command\":\"backup\",\"folder\":\"relative\"}\n",
            "{\"error\":\"the folder of a backup must be an absolute path\"}\n",
        ),
    ] {
        let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
        stream.write_all(line.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, expected, "{line}");
    }
    // Too long: closed, and the server is there for the next one.
    let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
    let _ = stream.write_all(&vec![b'x'; 100_000]).await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
    let output = backup(&registry, &registry.folder.path().join("copy")).await;
    assert!(output.status.success(), "{}", said(&output));
}
