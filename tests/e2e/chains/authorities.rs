//! Named authorities: which of them vouched for a client, and what each demands.

use super::{ALICE, Group, accepted, alice, refused};
use angos_test_ca::{Authority, Leaf};

const TLS: &str = r#"client_auth = "required"
client_ca_bundle = "FOLDER/plain.pem"
[[server.tls.client_ca]]
name = "team"
bundle = "FOLDER/team.pem"
[[server.tls.client_ca]]
name = "prod"
bundle = "FOLDER/prod.pem"
spiffe_trust_domain = "prod.example"
"#;

pub(super) fn group() -> Group {
    let [plain, team, prod] = ["Plain", "Team", "Prod"].map(Authority::new);
    let files = [("plain.pem", &plain), ("team.pem", &team), ("prod.pem", &prod)];
    let files = files.map(|(name, authority)| (name.to_owned(), authority.certificate_pem().into_bytes()));
    let vouched = |name| format!("{ALICE} && c.ca == '{name}'");
    let with = |uri| prod.issue(&alice().uri(uri));
    let bridge = team.cross_sign(&prod, &Leaf::authority("Prod"));
    let over_both = with("spiffe://other.example/ci").with_intermediates([bridge.certificate_der()]);
    let id = "c.spiffe_id == 'spiffe://prod.example/ci' && c.ca == 'prod'";
    let rows = vec![
        accepted("of the bundle without a name", plain.issue(&alice()), &format!("{ALICE} && !has(c.ca)")),
        accepted("of a named authority", team.issue(&alice()), &vouched("team")),
        accepted(
            "of an intermediate of a named authority",
            team.intermediate("CA").issue(&alice()),
            &vouched("team"),
        ),
        accepted("an id of the trust domain", with("spiffe://prod.example/ci"), id),
        refused("an id of another trust domain", with("spiffe://other.example/ci"), "name_constraint"),
        refused("an id of a trust domain below", with("spiffe://a.prod.example/ci"), "name_constraint"),
        refused("no id where a trust domain is demanded", prod.issue(&alice()), "name_constraint"),
        refused("a URI that is no id", with("https://prod.example/ci"), "name_constraint"),
        refused(
            "an id of the trust domain and another",
            prod.issue(&alice().uri("spiffe://prod.example/ci").uri("spiffe://other.example/ci")),
            "identity",
        ),
        accepted(
            "an id where none is demanded",
            team.issue(&alice().uri("spiffe://other.example/ci")),
            "c.spiffe_trust_domain == 'other.example' && c.ca == 'team'",
        ),
        // Whoever vouches without demands decides: the other way around, nobody could loosen anything.
        accepted("over another authority that demands nothing", over_both, "c.ca == 'team'"),
        refused("of none of them", Authority::new("Team").issue(&alice()), "bad_signature"),
    ];
    Group { files: files.to_vec(), tls: TLS.to_owned(), rows }
}
