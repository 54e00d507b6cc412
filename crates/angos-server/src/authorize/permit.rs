//! The proof that a request is allowed. An operation takes it by value, so it cannot run without one, or twice with one.

use angos_access::Operation;
use angos_oci::{Algorithm, Digest, Name, Reference, Tag, UploadId};

/// Proof that the access policies allow the operation `O`, or that it is a probe, which no policy is about.
///
/// Only `authorize.rs` makes permits.
#[derive(Debug)]
pub(crate) struct Permit<O> {
    operation: O,
}

impl<O> Permit<O> {
    /// Called by `authorize.rs` alone.
    pub(super) fn new(operation: O) -> Self {
        Self { operation }
    }

    /// The allowed operation.
    pub(crate) fn operation(&self) -> &O {
        &self.operation
    }

    /// Uses the permit up.
    pub(crate) fn into_operation(self) -> O {
        self.operation
    }
}

/// An operation that access requests can be made of.
pub(crate) trait AsOperation {
    /// Calls `f` with the operation.
    fn with_operation<T>(&self, f: impl FnOnce(&Operation) -> T) -> T;
}

impl AsOperation for Operation {
    fn with_operation<T>(&self, f: impl FnOnce(&Operation) -> T) -> T {
        f(self)
    }
}

/// Makes a type of each operation, and sorts a permit by the kind of its operation.
macro_rules! operations {
    ($($operation:ident { $($field:ident: $type:ty),* },)*) => {
        $(
            #[doc = concat!("The fields of [`Operation::", stringify!($operation), "`].")]
            #[derive(Debug, Clone)]
            pub(crate) struct $operation {
                $(pub(crate) $field: $type,)*
            }

            impl From<$operation> for Operation {
                fn from(operation: $operation) -> Self {
                    let $operation { $($field),* } = operation;
                    Self::$operation { $($field),* }
                }
            }

            impl AsOperation for $operation {
                fn with_operation<T>(&self, f: impl FnOnce(&Operation) -> T) -> T {
                    f(&self.clone().into())
                }
            }
        )*

        /// A permit, by the kind of its operation.
        #[derive(Debug)]
        pub(crate) enum Permitted {
            $($operation(Permit<$operation>),)*
        }

        impl From<Permit<Operation>> for Permitted {
            fn from(permit: Permit<Operation>) -> Self {
                match permit.operation {
                    $(Operation::$operation { $($field),* } => {
                        Self::$operation(Permit { operation: $operation { $($field),* } })
                    })*
                }
            }
        }
    };
}

operations! {
    Version {},
    Healthz {},
    Readyz {},
    Metrics {},
    ListCatalog { n: Option<usize>, last: Option<String> },
    ListTags { name: Name, n: Option<usize>, last: Option<String> },
    GetManifest { name: Name, reference: Reference },
    PutManifest { name: Name, reference: Reference, tags: Vec<Tag> },
    DeleteManifest { name: Name, reference: Reference, tags: Vec<Tag> },
    GetBlob { name: Name, digest: Digest },
    DeleteBlob { name: Name, digest: Digest },
    StartUpload { name: Name, algorithm: Option<Algorithm> },
    PushBlob { name: Name, digest: Digest },
    MountBlob { name: Name, digest: Digest, from: Option<Name> },
    UpdateUpload { name: Name, id: UploadId },
    GetUpload { name: Name, id: UploadId },
    CompleteUpload { name: Name, id: UploadId, digest: Digest },
    CancelUpload { name: Name, id: UploadId },
    GetReferrers {
        name: Name,
        digest: Digest,
        artifact_types: Vec<String>,
        after: Option<String>,
        n: Option<usize>
    },
}
