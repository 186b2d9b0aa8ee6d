//! Whether there is memory enough for a training, and what to blame where there is not.

pub mod allocator;
pub mod blame;
pub mod limits;
pub mod need;
