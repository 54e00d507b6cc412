//! The help of every command stands in `docs/reference/cli.md` as the program prints it. `BLESS=1 cargo test -p angos-house`
//! writes it anew, wherever a page shows it.

use crate::{root, shown};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// The program, built as it is now.
fn binary() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--package=angos", "--message-format=json", "--quiet"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).unwrap();
    let executable = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == "angos").then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    executable.expect("cargo names the executable it built")
}

/// What is typed to what is printed, for the program and every command in it.
fn helps() -> BTreeMap<String, String> {
    let binary = binary();
    let mut helps = BTreeMap::new();
    let mut commands = vec![Vec::new()];
    while let Some(command) = commands.pop() {
        let output = Command::new(&binary).args(&command).arg("--help").output().unwrap();
        assert!(output.status.success(), "{command:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let below = text.lines().skip_while(|line| *line != "Commands:").skip(1);
        for name in below.map_while(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' ')) {
            let name = name.split(' ').next().unwrap().to_owned();
            if name != "help" {
                commands.push([&command[..], &[name]].concat());
            }
        }
        let lines: String = text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect();
        let typed = [&["angos".to_owned()], &command[..], &["--help".to_owned()]].concat().join(" ");
        helps.insert(typed, lines);
    }
    helps
}

/// Every page, with its text.
fn pages() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.clone(), std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    found
}

#[test]
fn the_help_of_every_command_is_documented_as_it_is_printed() {
    let helps = helps();
    assert!(helps.len() >= 9, "{:?}", helps.keys());
    for (path, text) in pages() {
        let mut renewed = text.clone();
        for (typed, help) in &helps {
            let begin = format!("```\n$ {typed}\n");
            let Some(start) = renewed.find(&begin).map(|start| start + begin.len()) else {
                let page = shown(&path);
                assert!(page != "docs/reference/cli.md", "{page} does not show `{typed}`");
                continue;
            };
            let end = start + renewed[start..].find("```\n").unwrap();
            renewed.replace_range(start..end, help);
        }
        if renewed == text {
            continue;
        }
        assert!(
            std::env::var_os("BLESS").is_some(),
            "{} shows another help than the program prints (BLESS=1 renews it)",
            shown(&path)
        );
        std::fs::write(path, renewed).unwrap();
    }
}
