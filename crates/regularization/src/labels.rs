//! The label regularizers of a training: the table `[labels]` of a recipe, a setting each.

use serde::{Deserialize, Serialize};

use crate::cutmix::CutMix;
use crate::disturb_label::DisturbLabel;
use crate::disturb_value::DisturbValue;
use crate::label_smoothing::LabelSmoothing;
use crate::mixup::Mixup;

/// The strength of every label regularizer. The default changes nothing.
///
/// `label_pipeline.rs` applies them, as their rows in [`CATALOG`](crate::CATALOG) say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelRegularizers {
    /// Labels that are redrawn.
    pub disturb_label: DisturbLabel,
    /// Probability taken from the label.
    pub label_smoothing: LabelSmoothing,
    /// Images blended in pairs.
    pub mixup: Mixup,
    /// Boxes of other images pasted.
    pub cutmix: CutMix,
    /// Noise on the values to predict; only in regression, and there instead of all others.
    pub disturb_value: DisturbValue,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_survives_toml_and_may_name_only_what_is_on() {
        let table = LabelRegularizers {
            disturb_label: DisturbLabel { alpha: 30.0 },
            label_smoothing: "0.2:others".parse().unwrap(),
            mixup: Mixup { alpha: 0.2 },
            cutmix: CutMix { alpha: 1.0 },
            disturb_value: DisturbValue { share: 0.1, noise: 0.5 },
        };
        let text = toml::to_string(&table).unwrap();
        assert_eq!(toml::from_str::<LabelRegularizers>(&text).unwrap(), table, "{text}");
        let short: LabelRegularizers =
            toml::from_str("label_smoothing = { strength = 0.1 }").unwrap();
        let smoothing = LabelSmoothing { strength: 0.1, ..LabelSmoothing::default() };
        assert_eq!(short, LabelRegularizers { label_smoothing: smoothing, ..Default::default() });
        assert!(toml::from_str::<LabelRegularizers>("mix_up = 0.2").is_err());
    }

    #[test]
    fn a_strength_that_is_one_number_is_written_as_one() {
        let table = LabelRegularizers { mixup: Mixup { alpha: 0.2 }, ..Default::default() };
        let text = toml::to_string(&table).unwrap();
        assert!(text.contains("mixup = 0.2\n") && text.contains("cutmix = 0.0\n"), "{text}");
    }
}
