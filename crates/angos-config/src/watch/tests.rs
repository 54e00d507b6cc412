//! Changes as editors, Kubernetes and administrators make them.

use std::time::Duration;

use std::os::unix::fs::symlink;

use super::*;

const MAX: u64 = 1024;

const SOON: Duration = Duration::from_secs(10);
const QUIET: Duration = Duration::from_millis(900);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// What these files hold now, and the files of these folders.
fn read(paths: &[PathBuf]) -> Snapshot {
    let files = Files::new();
    for path in paths {
        let listed = files.list(path, 10);
        for file in listed.ok().flatten().unwrap_or_else(|| vec![path.clone()]) {
            let _ = files.read(&file, MAX);
        }
    }
    files.take()
}

async fn watch(paths: &[PathBuf]) -> Watch {
    Watch::new(Loader::new(), read(paths), None).await
}

/// After `change` the watch reports, once the files were read again no more.
fn check(files: &[PathBuf], change: impl FnOnce()) {
    runtime().block_on(async {
        let mut watch = watch(files).await;
        change();
        tokio::time::timeout(SOON, watch.changed()).await.expect("the change is noticed").unwrap();
        watch.follow(read(files)).await;
        assert!(tokio::time::timeout(QUIET, watch.changed()).await.is_err(), "and only once");
    });
}

fn folder_with(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join(name);
    std::fs::write(&file, "one").expect("a file");
    (folder, file)
}

#[test]
fn written_in_place() {
    let (_folder, file) = folder_with("config.toml");
    check(std::slice::from_ref(&file), || std::fs::write(&file, "two").expect("a change"));
}

#[test]
fn replaced_by_renaming() {
    let (folder, file) = folder_with("config.toml");
    let next = folder.path().join("config.toml.swp");
    check(std::slice::from_ref(&file), || {
        std::fs::write(&next, "two").expect("a change");
        std::fs::rename(&next, &file).expect("a rename");
    });
}

#[test]
fn removed_and_created() {
    let (_folder, file) = folder_with("config.toml");
    runtime().block_on(async {
        let mut watch = watch(std::slice::from_ref(&file)).await;
        std::fs::remove_file(&file).expect("a removal");
        tokio::time::timeout(SOON, watch.changed()).await.expect("the removal is noticed").unwrap();
        std::fs::write(&file, "two").expect("a file");
        tokio::time::timeout(SOON, watch.changed()).await.expect("the new file is noticed").unwrap();
    });
}

#[test]
fn folder_behind_a_link_is_swapped() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (version, content) in [("..1", "one"), ("..2", "two")] {
        std::fs::create_dir(folder.path().join(version)).expect("a folder");
        std::fs::write(folder.path().join(version).join("tls.crt"), content).expect("a file");
    }
    symlink("..1", folder.path().join("..data")).expect("a link");
    symlink("..data/tls.crt", folder.path().join("tls.crt")).expect("a link");
    check(&[folder.path().join("tls.crt")], || {
        symlink("..2", folder.path().join("..data_tmp")).expect("a link");
        std::fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).expect("a swap");
        std::fs::remove_dir_all(folder.path().join("..1")).expect("a removal");
    });
}

#[test]
fn others_in_the_folder_do_not_matter() {
    let (folder, file) = folder_with("config.toml");
    runtime().block_on(async {
        let mut watch = watch(&[file]).await;
        std::fs::write(folder.path().join("access.log"), "noise").expect("a file");
        assert!(tokio::time::timeout(QUIET, watch.changed()).await.is_err());
    });
}

#[test]
fn what_is_followed_later_counts_too() {
    let (folder, file) = folder_with("config.toml");
    let later = folder.path().join("ca.pem");
    runtime().block_on(async {
        let mut watch = watch(std::slice::from_ref(&file)).await;
        watch.follow(read(&[file, later.clone()])).await;
        std::fs::write(&later, "ca").expect("a file");
        tokio::time::timeout(SOON, watch.changed()).await.expect("the new file is noticed").unwrap();
    });
}

#[test]
fn a_file_of_a_watched_folder() {
    let (folder, file) = folder_with("a.crl");
    let lists = vec![folder.path().to_owned()];
    check(&lists, || std::fs::write(&file, "two").expect("a change"));
    check(&lists, || std::fs::write(folder.path().join("b.crl"), "one").expect("a file"));
    check(&lists, || std::fs::rename(&file, folder.path().join("c.crl")).expect("a rename"));
    check(&lists, || std::fs::remove_dir_all(folder.path()).expect("no folder"));
}

#[test]
fn a_log_of_our_own_is_nothing_to_look_at() {
    // A folder of its own: the one above is watched too, and in that for temporary files others write.
    let above = tempfile::tempdir().expect("a temporary folder");
    let folder = above.path().join("angos");
    std::fs::create_dir(&folder).expect("a folder");
    let (file, log) = (folder.join("config.toml"), folder.join("decisions.jsonl"));
    std::fs::write(&file, "one").expect("a file");
    runtime().block_on(async {
        let mut watch = Watch::new(Loader::new(), read(std::slice::from_ref(&file)), Some(&log)).await;
        for text in ["one", "two"] {
            std::fs::write(&log, text).expect("a log");
        }
        tokio::time::sleep(QUIET).await;
        assert!(watch.events.try_recv().is_err(), "the log woke the watch");
        std::fs::write(&file, "two").expect("a change");
        tokio::time::timeout(SOON, watch.changed()).await.expect("the change is noticed").unwrap();
    });
    // If both have the same name, both are watched.
    runtime().block_on(async {
        let log = folder.join("sub/config.toml");
        let mut watch = Watch::new(Loader::new(), read(std::slice::from_ref(&file)), Some(&log)).await;
        std::fs::write(&file, "three").expect("a change");
        tokio::time::timeout(SOON, watch.changed()).await.expect("the change is noticed").unwrap();
    });
}

#[test]
fn a_change_between_load_and_watch_is_noticed() {
    let (_folder, file) = folder_with("config.toml");
    let seen = read(std::slice::from_ref(&file));
    std::fs::write(&file, "two").expect("a change");
    runtime().block_on(async {
        let mut watch = Watch::new(Loader::new(), seen, None).await;
        assert!(watch.look().await);
        watch.follow(read(std::slice::from_ref(&file))).await;
        assert!(!watch.look().await);
        // A load timed out: the current files are unknown.
        watch.follow(Snapshot::default()).await;
        assert!(watch.look().await);
    });
}

/// The sender of events lives in the thread of the watcher: when it is gone, the thread is.
#[test]
fn the_end_of_the_watching_thread_is_an_error() {
    let (_folder, file) = folder_with("config.toml");
    runtime().block_on(async {
        let mut watch = watch(std::slice::from_ref(&file)).await;
        watch.events = mpsc::channel(1).1;
        let ended = tokio::time::timeout(SOON, watch.changed()).await.expect("the end is noticed");
        assert_eq!(ended, Err(WatchEnded));
    });
}
