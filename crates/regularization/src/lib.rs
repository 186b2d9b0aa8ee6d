//! What keeps a network from memorizing: one technique, one file, one row in [`CATALOG`].
//!
//! | technique | acts on | file |
//! | --- | --- | --- |
//! | dropout | activations | `dropout.rs` |
//! | spatial dropout | channels | `spatial_dropout.rs` |
//! | stochastic depth | residual blocks | `stochastic_depth.rs` |
//! | a training batch, and what a label regularizer does to one | | `labelled_batch.rs` |
//! | label regularizers: the table of a recipe; how they are composed | targets, images | `labels.rs`; `label_pipeline.rs` |
//! | DisturbLabel | labels | `disturb_label.rs` |
//! | label smoothing | labels | `label_smoothing.rs` |
//! | mixup | images and labels | `mixup.rs` |
//! | CutMix | images and labels | `cutmix.rs`; what it shares with mixup: `mixing.rs` |
//! | DisturbValue | values to predict, in regression | `disturb_value.rs` |
//! | target distributions, on which label regularizers act | labels | `targets.rs` |
//! | early stopping | the length of training | `early_stopping.rs`, `prechelt.rs`; the score it follows: `monitor.rs` |
//! | the best epoch's weights | what training ends with | `keep.rs` |
//! | weight decay (L2) | weights | `weight_decay.rs` |
//! | L1 | weights | `l1.rs` |
//! | max-norm | weights | `max_norm.rs` |
//! | averages of the weights: what they have in common | | `weight_average.rs` |
//! | exponential moving average | weights | `ema.rs` |
//! | Lookahead | weights | `lookahead.rs` |
//! | stochastic weight averaging | weights | `swa.rs` |
//! | sharpness-aware minimization | gradients | `sam.rs` |

pub mod catalog;
pub mod cutmix;
pub mod disturb_label;
pub mod disturb_value;
pub mod dropout;
pub mod early_stopping;
pub mod ema;
pub mod keep;
pub mod l1;
mod label_pipeline;
pub mod label_smoothing;
pub mod labelled_batch;
pub mod labels;
pub mod lookahead;
pub mod max_norm;
mod mixing;
pub mod mixup;
pub mod monitor;
mod prechelt;
pub mod sam;
pub mod spatial_dropout;
pub mod stochastic_depth;
pub mod strength;
pub mod swa;
pub mod targets;
pub mod weight_average;
pub mod weight_decay;

pub use catalog::{CATALOG, OnLabels, Technique};
pub use cutmix::CutMix;
pub use disturb_label::DisturbLabel;
pub use disturb_value::DisturbValue;
pub use dropout::Dropout;
pub use early_stopping::{EarlyStopping, EarlyStoppingConfig, Verdict};
pub use ema::Ema;
pub use keep::Keep;
pub use l1::L1;
pub use label_smoothing::{LabelSmoothing, SmoothingConvention};
pub use labelled_batch::{BatchImages, Changes, LabelRegularizer, LabelledBatch};
pub use labels::LabelRegularizers;
pub use lookahead::Lookahead;
pub use max_norm::MaxNorm;
pub use mixing::{Mix, MixWay};
pub use mixup::Mixup;
pub use monitor::{Monitor, Validation};
pub use sam::Sam;
pub use spatial_dropout::SpatialDropout;
pub use stochastic_depth::StochasticDepth;
pub use strength::StrengthError;
pub use swa::Swa;
pub use targets::Targets;
pub use weight_average::WeightAverage;
pub use weight_decay::{DecayMode, DecayedParameters, ParameterKind, WeightDecay};
