//! Every operation over every engine, each refusal, races between requests, and what growth costs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this is test code, also what no #[test] stands beside"
)]

mod approval;
mod blobs;
mod collection;
mod crashes;
mod damage;
mod expiry;
mod growth;
mod harness;
mod hostile;
mod interleavings;
mod listing;
mod manifests;
mod overwrite;
mod races;
mod references;
mod referrers;
mod uploads;
