//! The crate as its users see it: real handshakes over in-memory streams, real files. One binary, so that it is
//! linked once.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this is tests, and whatever goes wrong must stop them"
)]

mod agreement; // protocol versions, ALPN, key exchange
mod client_cas; // which of several vouches
mod clients; // every kind of client certificate × mode × TLS version
mod connector; // the client side
mod deadline; // clients that do not finish
mod embedding; // the example, run
mod events; // what the log says about a refused client
mod material; // files that do not load, and those that do
mod names; // several server certificates
mod probe; // what the other end sees
mod recheck; // connections that outlive the trust they were built on
mod reload; // generations
mod resumption; // sessions that are continued, and those that are not
mod revocation; // revocation lists

mod client; // test side: a client that does as told
mod site; // test side: authorities and files of one server
