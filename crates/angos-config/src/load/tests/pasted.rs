//! Names, hashes and files as people paste them, and keys of earlier versions.

use super::*;

#[test]
fn names_without_their_quotes() {
    let toml = |text: &str, line: &str, help: &str| {
        let found = rendered(problems(text).iter());
        assert!(found.iter().any(|it| it.starts_with(line) && it.ends_with(help)), "{text}: {found:?}");
    };
    toml(
        "[repository.team/app.access_policy]\nrules = []",
        "1:",
        "quote the name: [repository.\"team/app\".access_policy]",
    );
    toml("[repository.team/app]", "1:", "quote the name: [repository.\"team/app\".access_policy]");
    toml(
        "\n[auth.identity.bob@example.com]\nusername = 'bob'",
        "2:",
        "quote the name: [auth.identity.\"bob@example.com\"]",
    );
    toml(
        "[repository.team.app.access_policy]\nrules = []",
        "1:18 unknown key `repository.team.app`",
        "a name with several parts is quoted: [repository.\"team/app\".access_policy]",
    );
}

#[test]
fn files_with_a_byte_order_mark() {
    assert_eq!(loaded("\u{feff}[server]\nport = 7\n").server.listen.port(), 7);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("config.toml");
    let utf16: Vec<u8> = "\u{feff}[server]".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(&file, utf16).expect("a file");
    let found = rendered(load(&[file], no_variables()).expect_err("UTF-16").iter());
    assert_eq!(found, ["- the configuration file is UTF-16; save it as UTF-8"]);
    std::fs::write(folder.path().join("hash"), format!("\u{feff}{HASH}\n")).expect("a file");
    let text = "[auth.identity.a]\nusername = 'a'\npassword_file = 'hash'\n";
    assert!(load(&written(folder.path(), text), no_variables()).is_ok());
}

#[test]
fn a_line_of_an_htpasswd_file_is_recognised() {
    let expected = "3:1 `auth.identity.bob.password`: not an argon2id or bcrypt hash; `angos hash-password` makes one | \
                    this is a line of an htpasswd file: keep only the part after the colon";
    let found = rendered(
        problems(&format!("[auth.identity.bob]\nusername = 'bob'\npassword = 'bob:{HASH}'\n")).iter(),
    );
    assert!(found.iter().any(|it| it == expected), "{found:?}");
}

#[test]
fn a_key_of_an_earlier_version_names_its_new_name() {
    check(
        "[server]\ndistrust_timeout = '1s'\n[[server.listener]]\nname = 'a'\nport = 1\ntls = false\nsurfaces = ['registry']",
        &[
            "2:1 unknown key `server.distrust_timeout` | this key is now called `server.untrusted_drain_timeout`",
            "7:1 unknown key `server.listener[0].surfaces` | this key is now called `server.listener[0].serve`",
        ],
    );
    check(
        "[global.access_policy]\nsilenced_lints = []\n[repository.a.access_policy]\nsilenced_lints = []",
        &[
            "2:1 unknown key `global.access_policy.silenced_lints` | this key is now called `global.access_policy.allowed_lints`",
            "4:1 unknown key `repository.a.access_policy.silenced_lints` | this key is now called `repository.a.access_policy.allowed_lints`",
        ],
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let old = [("ANGOS_SERVER__DISTRUST_TIMEOUT", "1s")];
    let problems =
        load(&written(folder.path(), "[server]\nport = 1\n"), variables(&old)).expect_err("an old name");
    assert_eq!(
        rendered(problems.iter().filter(|problem| problem.severity() == Severity::Error)),
        [
            "ANGOS_SERVER__DISTRUST_TIMEOUT sets no known key | this key is now called ANGOS_SERVER__UNTRUSTED_DRAIN_TIMEOUT"
        ]
    );
}
