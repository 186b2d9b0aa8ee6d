//! Going on until every arm is told apart from the base, without looking so often that chance alone suffices.
//!
//! Who tests after 4, 6, 8, … seeds and stops at the first p below 5 % calls one arm without effect in five different.
//! Here each look has a stricter level, chosen so that all looks together err in 5 of 100 studies. The usual boundaries
//! are for means whose spread is known; with four seeds they are crossed far too often. These are levels of the paired
//! t-test instead, whose constant is found by simulating the t statistics themselves (`calibration.rs`).
//!
//! - **The levels** rise with the number of seeds as those of Wang and Tsiatis with Δ = 0.4, nearer to Pocock's
//!   constant level (Δ = 0.5) than to those of O'Brien and Fleming (Δ = 0), by which four seeds would hardly ever be
//!   enough.
//! - **Several arms** share the 5 % by Holm's procedure: with m arms open each is tested at the levels of `0.05 / m`;
//!   one that is told apart leaves its share to the others. The chance that any arm without effect is called different
//!   stays below 5 %, however the arms depend on each other.
//! - **Settled without a difference** is an arm whose interval lies within ±`detect`, at levels of their own: an arm
//!   whose true difference is `detect` or more is called so in at most 5 of 100 studies, over all looks, each arm by
//!   itself. It takes no part in what is called different, and cannot make that more frequent.
//!
//! After stopping, p values and intervals of the usual kind are optimistic: [`Plan::caveat`] says so in words.
//!
//! Pocock, [Group sequential methods in the design and analysis of clinical
//! trials](https://doi.org/10.1093/biomet/64.2.191), 1977; O'Brien and Fleming, [A multiple testing procedure for
//! clinical trials](https://doi.org/10.2307/2530245), 1979; Wang and Tsiatis, [Approximately optimal one-parameter
//! boundaries for group sequential trials](https://doi.org/10.2307/2531959), 1987; Jennison and Turnbull, "Group
//! Sequential Methods with Applications to Clinical Trials", 2000 (nominal levels for t-tests); Tamhane and others,
//! [Group sequential Holm and Hochberg procedures](https://doi.org/10.1002/sim.9128), 2021; Schuirmann, [A comparison of
//! the two one-sided tests procedure](https://doi.org/10.1007/BF01068419), 1987.

mod calibration;
mod plan;
mod table;

pub use plan::{ArmState, LAST_LOOK, MOST_ARMS, Plan, PlanError, Resolved};
pub use table::{DEFAULT_LOOKS, FIRST_LOOK, default_looks};
