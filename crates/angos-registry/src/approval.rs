//! Whether a change may still happen, asked right before it becomes visible.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use angos_oci::Tag;

/// Decides at the moment of a commit whether a change may still happen.
///
/// An operation may take hours, as long as its body. Whoever started it may have lost the right to finish it. A registry
/// made by [`Registry::approved_by`](crate::Registry::approved_by) asks before each change becomes visible; a no is
/// [`Error::NotApproved`](crate::Error::NotApproved), and nothing changes.
///
/// Between the answer and the end of the commit lie only the write to the metadata and its sync.
pub trait Approval: fmt::Debug + Send + Sync {
    /// Whether the change may happen now.
    ///
    /// `tags` are those that it changes or removes although the operation was not asked for them: the tags of a digest
    /// that is deleted, or that is pushed again with another media type. At most
    /// [`TAGS_PER_BATCH`](crate::limits::TAGS_PER_BATCH) at once. A tag that appears after the answer makes the change
    /// start again, and this is asked again.
    fn approve<'a>(&'a self, tags: &'a [Tag]) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>;
}
