//! What is no regular file is refused at once, and what changes is noticed.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::time::SystemTime;

use super::*;

const MAX: u64 = 10;

#[test]
fn nothing_but_small_regular_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("fits"), [b'x'; 10]).unwrap();
    fs::write(path("large"), [b'x'; 11]).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
    std::os::unix::fs::symlink("pipe", path("link")).unwrap();
    let _socket = UnixListener::bind(path("socket")).unwrap();
    let check = |path: &Path, expected: Result<usize, &str>| {
        let read = Files::new().read(path, MAX).map(|content| content.len()).map_err(|it| it.to_string());
        match (&read, expected) {
            (Ok(length), Ok(expected)) => assert_eq!(*length, expected, "{}", path.display()),
            (Err(said), Err(expected)) => assert!(said.contains(expected), "{}: {said}", path.display()),
            _ => panic!("{}: {read:?}", path.display()),
        }
    };
    check(&path("fits"), Ok(10));
    check(&path("large"), Err("larger than 10 bytes"));
    check(&path("missing"), Err("No such file"));
    for name in ["pipe", "link", "socket", "."] {
        check(&path(name), Err("not a regular file"));
    }
    for device in ["/dev/zero", "/dev/null", "/dev/tty"] {
        check(Path::new(device), Err("not a regular file"));
    }
    // Its metadata says that it is empty.
    check(Path::new("/proc/self/status"), Err("larger than 10 bytes"));
    let avoiding = Files::avoiding(vec![path("fits")]);
    assert!(matches!(avoiding.read(&path("fits"), MAX), Err(ReadError::Blocked)));
}

#[test]
fn a_folder_lists_what_is_not_hidden() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b", "a", ".hidden", "c"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let list = |path: &Path, max| Files::new().list(path, max).unwrap();
    let expected: Vec<_> = ["a", "b", "c"].iter().map(|name| folder.path().join(name)).collect();
    assert_eq!(list(folder.path(), 3), Some(expected));
    assert_eq!(list(folder.path(), 1).unwrap().len(), 2);
    assert_eq!(list(&folder.path().join("a"), 1), None);
    assert!(Files::new().list(&folder.path().join("missing"), 1).is_err());
}

#[test]
fn changes_are_told_from_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let files = Files::new();
    // `content` and `state`: whether these are the same after the change.
    let check = |what: &str, change: &dyn Fn(), content: bool, state: bool| {
        fs::write(&one, "1").unwrap();
        fs::write(&other, "2").unwrap();
        let _ = files.list(folder.path(), 10);
        for path in [&one, &other] {
            let _ = files.read(path, MAX);
        }
        let before = files.take();
        change();
        let after = before.read_again(&files);
        assert_eq!(before.holds_same(&after), content, "{what}");
        assert_eq!(before.first_change(&after).is_none(), state, "{what}");
        if state {
            assert!(before.first_touched(&files).is_none(), "{what}");
        }
        let _ = fs::remove_file(folder.path().join("third"));
    };
    check("nothing", &|| (), true, true);
    check("hidden", &|| fs::write(folder.path().join(".hidden"), "x").unwrap(), true, true);
    check("written", &|| fs::write(&other, "3").unwrap(), false, false);
    check("mode", &|| fs::set_permissions(&one, Permissions::from_mode(0o600)).unwrap(), true, false);
    check("removed", &|| fs::remove_file(&one).unwrap(), false, false);
    check("another file", &|| fs::write(folder.path().join("third"), "x").unwrap(), false, false);
    check(
        "time put back",
        &|| {
            let time = fs::metadata(&other).unwrap().modified().unwrap();
            fs::write(&other, "3").unwrap();
            File::options().append(true).open(&other).unwrap().set_modified(time).unwrap();
        },
        false,
        false,
    );
}

#[test]
fn the_youngest_file_counts() {
    let folder = tempfile::tempdir().unwrap();
    let now = SystemTime::now();
    let check = |ages: [i64; 2], expected: bool| {
        let files = Files::new();
        for (place, age) in ages.into_iter().enumerate() {
            let path = folder.path().join(place.to_string());
            fs::write(&path, "x").unwrap();
            let age_abs = Duration::from_secs(age.unsigned_abs());
            let time = if age < 0 { now + age_abs } else { now - age_abs };
            File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
            files.read(&path, MAX).unwrap();
        }
        let seen = files.take();
        assert_eq!(seen.is_younger_than(Duration::from_mins(1), now), expected, "{ages:?}");
    };
    check([100, 200], false);
    check([100, 10], true);
    check([10, 100], true);
    check([100, -100], true);
}
