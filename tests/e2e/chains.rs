//! The table of client chains: whatever a client may present, the running port gives the documented answer, under
//! either version of TLS, and gives it soon.
//!
//! A row is a credential and its answer: accepted, with a rule that must hold for the identity the policy sees, or
//! refused, with the class that is counted. Rows are grouped by the configuration they need, one file a group, and each
//! group starts the binary once.

mod algorithms;
mod authorities;
mod constraints;
mod contents;
mod lists;
mod paths;
mod revocation;
mod usage;
mod validity;

use crate::harness::{Client, Registry, Setup, Wire};
use crate::tls::processor_time;
use angos_test_ca::{Authority, Issued, Leaf};
use hyper::StatusCode;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

const VERSIONS: [&[&SupportedProtocolVersion]; 2] = [&[&TLS12], &[&TLS13]];

/// Processor time the server may take for an answer, in hundredths of a second. Not the time that passes, which is the
/// machine's.
const SOON: u64 = 100;

/// What a row expects.
pub(crate) enum Expected {
    /// Accepted, and this rule about the identity holds.
    Accepted(String),
    /// Refused, and counted under this class.
    Refused(&'static str),
}

/// A credential and what becomes of it.
pub(crate) struct Row {
    name: &'static str,
    credential: Option<Issued>,
    expected: Expected,
}

/// A row that is accepted. `rule` is about `c`, short for `identity.certificate`.
fn accepted(name: &'static str, credential: Issued, rule: &str) -> Row {
    Row { name, credential: Some(credential), expected: Expected::Accepted(rule.to_owned()) }
}

/// A row that is accepted as [`ALICE`].
fn alice_is_accepted(name: &'static str, credential: Issued) -> Row {
    accepted(name, credential, ALICE)
}

/// A row that is refused with this class.
fn refused(name: &'static str, credential: Issued, class: &'static str) -> Row {
    Row { name, credential: Some(credential), expected: Expected::Refused(class) }
}

/// What [`alice`] is to the policy, and nothing beside it.
const ALICE: &str = "c.common_names == ['alice'] && c.organizations == ['Team'] && c.organizational_units == [] && \
c.dns_names == [] && c.email_addresses == [] && c.uris == [] && c.ip_addresses == [] && !has(c.spiffe_id)";

/// A client certificate without anything odd.
fn alice() -> Leaf {
    Leaf::client("alice").organization("Team")
}

/// Rows that share a configuration.
pub(crate) struct Group {
    /// What the configuration names, by file name.
    files: Vec<(String, Vec<u8>)>,
    /// The rest of `[server.tls]`; `FOLDER` stands for where the files are.
    tls: String,
    rows: Vec<Row>,
}

impl Group {
    /// Rows that need nothing but these authorities, without a name, in mode `required`.
    fn of(anchors: &[Authority], rows: Vec<Row>) -> Self {
        let bundle: String = anchors.iter().map(Authority::certificate_pem).collect();
        let tls = "client_ca_bundle = \"FOLDER/authorities.pem\"\nclient_auth = \"required\"\n";
        Group { files: vec![("authorities.pem".to_owned(), bundle.into_bytes())], tls: tls.to_owned(), rows }
    }

    /// Starts the binary and asks it about every row under both versions.
    async fn check(&self) {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in &self.files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let mut setup = Setup::mutual("none", &policy(&self.rows));
        setup.tls_lines = self.tls.replace("FOLDER", folder.path().to_str().unwrap());
        check_rows(&setup.start(), &self.rows).await;
    }
}

/// Asks a running registry, whose policy is [`policy`] of these rows, about every row under both versions.
pub(crate) async fn check_rows(registry: &Registry, rows: &[Row]) {
    let mut faults = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        for versions in VERSIONS {
            if let Err(fault) = check_row(registry, place, row, versions).await {
                faults.push(format!("{} under {:?}: {fault}", row.name, versions[0].version));
            }
        }
    }
    let log = registry.log();
    assert!(!log.contains("panicked"), "{log}");
    assert!(faults.is_empty(), "{} of {} answers:\n{}", faults.len(), rows.len() * 2, faults.join("\n"));
}

/// One rule for each accepted row, which holds for its own repository only; and the management listener, which counts.
pub(crate) fn policy(rows: &[Row]) -> String {
    let mut text =
        "[server.management]\nport = 0\n[global.access_policy]\ndefault = \"deny\"\nrules = [\n".to_owned();
    for (place, row) in rows.iter().enumerate() {
        if let Expected::Accepted(rule) = &row.expected {
            let rule = rule.replace("c.", "identity.certificate.");
            text += &format!("  \"\"\"request.namespace == 'row-{place}' && {rule}\"\"\",\n");
        }
    }
    text + "]\n"
}

async fn check_row(
    registry: &Registry,
    place: usize,
    row: &Row,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<(), String> {
    let client = Client::with_versions(
        registry.address,
        &registry.pki,
        row.credential.as_ref(),
        Wire::Http1,
        versions,
    );
    let before = registry.handshakes().await;
    let spent = processor_time(registry);
    let statuses = statuses(&client, place).await;
    let outcome = registry.handshake_since(&before).await;
    let spent = processor_time(registry) - spent;
    match (&row.expected, statuses) {
        (Expected::Accepted(rule), Ok(statuses)) => {
            if statuses != [StatusCode::ACCEPTED, StatusCode::FORBIDDEN] {
                return Err(format!("{statuses:?}, so this does not hold: {rule}"));
            }
        }
        (Expected::Refused(class), Err(_)) if outcome == *class => {}
        (Expected::Accepted(_), Err(error)) => return Err(format!("refused as {outcome}: {error}")),
        (Expected::Refused(class), Err(_)) => {
            return Err(format!("refused as {outcome} and not as {class}"));
        }
        (Expected::Refused(class), Ok(_)) => return Err(format!("accepted, and not refused as {class}")),
    }
    if spent < SOON { Ok(()) } else { Err(format!("took {spent} hundredths of a second")) }
}

/// What the row's own repository answers, and one that no rule is about.
async fn statuses(client: &Client, place: usize) -> Result<[StatusCode; 2], String> {
    let mut connection = client.connect().await.map_err(|error| error.to_string())?;
    let mut statuses = [StatusCode::IM_A_TEAPOT; 2];
    for (status, repository) in statuses.iter_mut().zip([format!("row-{place}"), "nobodys".to_owned()]) {
        let request = client.request("POST", &format!("/v2/{repository}/blobs/uploads/"), &[], "");
        *status = connection(request).await.map_err(|error| error.to_string())?.status;
    }
    Ok(statuses)
}

#[tokio::test]
async fn dates() {
    validity::group().check().await;
}

#[tokio::test]
async fn who_may_issue() {
    paths::group().check().await;
}

#[tokio::test]
async fn what_a_key_may_do() {
    usage::group().check().await;
}

#[tokio::test]
async fn which_names_an_authority_may_give() {
    constraints::group().check().await;
}

#[tokio::test]
async fn keys_and_signatures() {
    algorithms::group().check().await;
}

#[tokio::test]
async fn what_certificates_say() {
    contents::group().check().await;
}

#[tokio::test]
async fn named_authorities() {
    authorities::group().check().await;
}

#[tokio::test]
async fn revoked_or_not() {
    revocation::strict().check().await;
}

#[tokio::test]
async fn revoked_or_not_when_doubt_is_allowed() {
    revocation::lenient().check().await;
}

#[tokio::test]
async fn revoked_or_not_as_far_as_leaves_go() {
    revocation::leaves().check().await;
}
