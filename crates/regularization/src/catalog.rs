//! Every technique, one row each: what help texts list, contract tests walk, and those that act on labels
//! are composed by.

use crate::labelled_batch::{Changes, LabelRegularizer};
use crate::labels::LabelRegularizers;

/// A technique against overfitting, as the command line knows it.
#[derive(Clone, Copy, Debug)]
pub struct Technique {
    /// Flag of `train`, without the dashes.
    pub flag: &'static str,
    /// What it acts on, in a word, for help.
    pub acts_on: &'static str,
    /// One line for help.
    pub summary: &'static str,
    /// The value of the flag that switches it off and so changes nothing.
    pub off: &'static str,
    /// A value that is often used.
    pub usual: &'static str,
    /// How it acts on labels, if it does.
    pub on_labels: Option<OnLabels>,
}

/// How a technique acts on labels, together with the others that do.
#[derive(Clone, Copy, Debug)]
pub struct OnLabels {
    /// What it changes.
    pub changes: Changes,
    /// The generator that gives each batch one of the techniques that name it, of those that are on;
    /// without a name every batch gets the technique.
    pub one_of: Option<&'static str>,
    /// Setting of the technique in the table of a recipe.
    pub setting: fn(&mut LabelRegularizers) -> &mut dyn LabelRegularizer,
}

/// The choice between techniques that mix the images of a batch, as in
/// [timm](https://github.com/huggingface/pytorch-image-models/blob/main/timm/data/mixup.py): an image
/// that was blended and pasted into would hold four.
const MIXING: Option<&str> = Some("mixup-or-cutmix");

/// Every technique, one row each; those on labels are applied in this order.
pub static CATALOG: &[Technique] = &[
    Technique {
        flag: "disturb-label",
        acts_on: "labels",
        summary: "redraws a share of the labels, given in percent, anew in every batch",
        off: "0",
        usual: "10",
        on_labels: Some(OnLabels {
            changes: Changes::Labels,
            one_of: None,
            setting: |labels| &mut labels.disturb_label,
        }),
    },
    Technique {
        flag: "disturb-value",
        acts_on: "labels",
        summary: "adds noise to a share of the targets of --loss squared-error",
        off: "none",
        usual: "share=0.1,noise=0.5",
        on_labels: Some(OnLabels {
            changes: Changes::Values,
            one_of: None,
            setting: |labels| &mut labels.disturb_value,
        }),
    },
    Technique {
        flag: "label-smoothing",
        acts_on: "labels",
        summary: "spreads a share of the label's probability over the classes",
        off: "0",
        usual: "0.1",
        on_labels: Some(OnLabels {
            changes: Changes::Labels,
            one_of: None,
            setting: |labels| &mut labels.label_smoothing,
        }),
    },
    Technique {
        flag: "mixup",
        acts_on: "labels",
        summary: "blends pairs of images and their targets",
        off: "0",
        usual: "0.2",
        on_labels: Some(OnLabels {
            changes: Changes::LabelsAndImages,
            one_of: MIXING,
            setting: |labels| &mut labels.mixup,
        }),
    },
    Technique {
        flag: "cutmix",
        acts_on: "labels",
        summary: "pastes a box of another image, and blends the targets by its area",
        off: "0",
        usual: "1",
        on_labels: Some(OnLabels {
            changes: Changes::LabelsAndImages,
            one_of: MIXING,
            setting: |labels| &mut labels.cutmix,
        }),
    },
    Technique {
        flag: "augment",
        acts_on: "images",
        summary: "random changes of the images: see Augmentations",
        off: "none",
        usual: "crop=2",
        on_labels: None,
    },
    Technique {
        flag: "dropout",
        acts_on: "activations",
        summary: "silences random units",
        off: "0",
        usual: "0.5",
        on_labels: None,
    },
    Technique {
        flag: "spatial-dropout",
        acts_on: "activations",
        summary: "silences random channels (cnn)",
        off: "0",
        usual: "0.2",
        on_labels: None,
    },
    Technique {
        flag: "stochastic-depth",
        acts_on: "activations",
        summary: "skips random residual blocks (resnets)",
        off: "0",
        usual: "0.2",
        on_labels: None,
    },
    Technique {
        flag: "batch-norm",
        acts_on: "activations",
        summary: "normalizes activations over the batch (not lenet-bn, which always has it)",
        off: "off",
        usual: "on",
        on_labels: None,
    },
    Technique {
        flag: "weight-decay",
        acts_on: "weights",
        summary: "L2: shrinks weights, through the gradient or beside it (--decay-mode)",
        off: "0",
        usual: "5e-4",
        on_labels: None,
    },
    Technique {
        flag: "l1",
        acts_on: "weights",
        summary: "pulls all weights to zero alike",
        off: "0",
        usual: "1e-4",
        on_labels: None,
    },
    Technique {
        flag: "max-norm",
        acts_on: "weights",
        summary: "keeps the weights into each unit inside a ball",
        off: "0",
        usual: "3",
        on_labels: None,
    },
    Technique {
        flag: "ema",
        acts_on: "weights",
        summary: "evaluates and keeps a moving average of the weights",
        off: "0",
        usual: "0.999",
        on_labels: None,
    },
    Technique {
        flag: "swa",
        acts_on: "weights",
        summary: "evaluates and keeps the mean of the weights at the ends of epochs",
        off: "0",
        usual: "10",
        on_labels: None,
    },
    Technique {
        flag: "lookahead",
        acts_on: "weights",
        summary: "lets slow weights follow the optimizer's",
        off: "none",
        usual: "k=5,alpha=0.5",
        on_labels: None,
    },
    Technique {
        flag: "sam",
        acts_on: "gradients",
        summary: "sharpness-aware minimization: the gradient of the worst place nearby",
        off: "0",
        usual: "0.05",
        on_labels: None,
    },
    Technique {
        flag: "early-stopping",
        acts_on: "length",
        summary: "ends training by a rule of the validation scores",
        off: "none",
        usual: "patience=5",
        on_labels: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_technique_has_a_row_of_its_own() {
        for (i, row) in CATALOG.iter().enumerate() {
            assert!(CATALOG[..i].iter().all(|other| other.flag != row.flag), "{}", row.flag);
            assert_ne!(row.off, row.usual, "{}", row.flag);
            assert_eq!(row.on_labels.is_some(), row.acts_on == "labels", "{}", row.flag);
        }
    }
}
