//! Deliberate defects of this kernel, for tests that ask whether the comparison with Linux would notice.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// One deliberate defect. A test says it in words: `forgets-the-queue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Defect {
    /// What is pending does not live through exec.
    ForgetsWhatIsPendingAtExec,
    /// The child of a fork has pending what its parent has.
    PassesOnWhatIsPending,
    /// The last close of a listening socket leaves those alone who wait in its queue.
    ForgetsTheQueue,
    /// A handler that ran before epoll_wait(2) ends the wait.
    WakesForAnOldHandler,
    /// The children of a dead process stay his.
    AdoptsNobody,
}
