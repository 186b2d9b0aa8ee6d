//! What keeps a network from memorizing: one technique, one file.
//!
//! | technique | acts on | file |
//! | --- | --- | --- |
//! | dropout | activations | `dropout.rs` |
//! | target distributions, on which label regularizers act | labels | `targets.rs` |
//! | early stopping | the length of training | `early_stopping.rs` |
//! | weight decay (L2) | weights | `weight_decay.rs` |

pub mod dropout;
pub mod early_stopping;
pub mod targets;
pub mod weight_decay;

pub use dropout::Dropout;
pub use early_stopping::{EarlyStopping, EarlyStoppingConfig, Verdict};
pub use targets::Targets;
pub use weight_decay::{DecayMode, DecayedParameters, ParameterKind, WeightDecay};
