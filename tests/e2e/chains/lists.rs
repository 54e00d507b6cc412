//! Revocation lists that are not to be used, put in the place of a good one while the server runs: what that one said
//! still holds. None of them lets a server start.

use super::{ALICE, Row, accepted, alice, check_rows, policy, refused};
use crate::harness::{Registry, Setup, angos, settle};
use angos_test_ca::{Authority, Issued, RevocationList, Scope, Signature};
use std::fs;
use tempfile::TempDir;

const POINT: &str = "http://crl.example/1";

/// A registry, an authority whose list has the number 5, and three of its clients.
struct Fixture {
    registry: Registry,
    folder: TempDir,
    authority: Authority,
    clients: [Issued; 3],
}

/// Who is on no list, who is on the list in force, and who would be on the next. None is accepted, a class refused.
fn rows(clients: &[Issued; 3], answers: [Option<&'static str>; 3]) -> Vec<Row> {
    let names = ["on no list", "on the list in force", "on the list in its place"];
    let row = |((name, client), answer): ((_, &Issued), _)| match answer {
        None => accepted(name, client.clone(), ALICE),
        Some(class) => refused(name, client.clone(), class),
    };
    names.into_iter().zip(clients).zip(answers).map(row).collect()
}

impl Fixture {
    fn start() -> Self {
        let authority = Authority::new("Listed");
        let clients = [alice(), alice(), alice()].map(|leaf| authority.issue(&leaf));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("team.pem"), authority.certificate_pem()).unwrap();
        let list = RevocationList::new(5).revoke(&clients[1].serial);
        fs::write(folder.path().join("team.crl"), authority.revocation_list(&list)).unwrap();
        let mut setup = Setup::mutual("none", &policy(&rows(&clients, [None; 3])));
        let place = folder.path().display();
        setup.tls_lines = format!(
            "client_auth = \"required\"\n[[server.tls.client_ca]]\nname = \"team\"\n\
             bundle = \"{place}/team.pem\"\ncrls = [\"{place}/team.crl\"]\n"
        );
        Self { registry: setup.start(), folder, authority, clients }
    }

    /// Puts a list in the place of the one that is there, as a whole.
    fn publish(&self, list: &RevocationList) {
        let at = |name: &str| self.folder.path().join(name);
        fs::write(at("new.crl"), self.authority.revocation_list(list)).unwrap();
        fs::rename(at("new.crl"), at("team.crl")).unwrap();
        settle(self.folder.path());
        self.registry.reload();
    }

    /// What `angos check` says of the configuration as it is now.
    fn refused_at_start(&self) -> String {
        let output =
            angos().args(["check", "-c", "config.toml"]).current_dir(self.registry.folder.path()).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    async fn check(&self, answers: [Option<&'static str>; 3]) {
        check_rows(&self.registry, &rows(&self.clients, answers)).await;
    }
}

/// Number 6 of the list, which is not to be used for the reason that `change` gives, and the words for it.
type Bad = (fn(RevocationList) -> RevocationList, &'static str);

#[tokio::test]
async fn a_list_that_is_not_understood_takes_nobodys_place() {
    const REVOKED: [Option<&str>; 3] = [None, Some("revoked"), None];
    let lists: [Bad; 5] = [
        (|list| list.delta_of(5), "it is a delta list"),
        (
            |list| list.distribution_point(POINT, Scope::Indirect),
            "it speaks of certificates of other issuers",
        ),
        (|list| list.distribution_point(POINT, Scope::KeyCompromise), "it speaks of some reasons only"),
        (
            |list| list.extension(&[1, 2, 3], true, b"\x05\x00"),
            "it has a critical extension that is not understood",
        ),
        (RevocationList::without_next_update, "it is malformed"),
    ];
    let fixture = Fixture::start();
    fixture.check(REVOKED).await;
    for (change, words) in lists {
        fixture.publish(&change(RevocationList::new(6).revoke(&fixture.clients[2].serial)));
        fixture.registry.wait_for_log(words);
        fixture.check(REVOKED).await;
        let said = fixture.refused_at_start();
        assert!(said.contains(words), "no {words:?} in: {said}");
    }
    // One that is understood does.
    fixture.publish(&RevocationList::new(7).revoke(&fixture.clients[2].serial));
    fixture.registry.wait_for_log(" reloaded ");
    fixture.check([None, None, Some("revoked")]).await;
    // One that its issuer has not signed is worth nothing, and leaves nothing to go by.
    fixture.publish(&RevocationList::new(8).signature(Signature::Forged));
    fixture.registry.wait_for_log("is not signed by the authority it names");
    fixture.check([Some("revocation_unknown"); 3]).await;
}

#[tokio::test]
async fn an_older_list_takes_nobodys_place_until_the_process_ends() {
    let mut fixture = Fixture::start();
    fixture.check([None, Some("revoked"), None]).await;
    fixture.publish(&RevocationList::new(4).revoke(&fixture.clients[2].serial));
    fixture.registry.wait_for_log("a revocation list is older than the one in force, which stays");
    fixture.check([None, Some("revoked"), None]).await;
    // A process that has seen no other list believes it: docs/threat-model.md says so.
    fixture.registry.crash_and_restart();
    fixture.check([None, None, Some("revoked")]).await;
}
