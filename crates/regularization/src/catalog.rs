//! Every technique, one row each: what help texts list and contract tests walk.

/// A technique against overfitting, as the command line knows it.
#[derive(Clone, Copy, Debug)]
pub struct Technique {
    /// Its flag of `train`, without the dashes.
    pub flag: &'static str,
    /// What it acts on, in a word, for help.
    pub acts_on: &'static str,
    /// One line for help.
    pub summary: &'static str,
    /// The value of the flag that switches it off and so changes nothing.
    pub off: &'static str,
    /// A value that is often used.
    pub usual: &'static str,
}

/// Every technique, one row each.
pub static CATALOG: &[Technique] = &[
    Technique {
        flag: "disturb-label",
        acts_on: "labels",
        summary: "redraws a share of the labels, given in percent, anew in every batch",
        off: "0",
        usual: "10",
    },
    Technique {
        flag: "disturb-value",
        acts_on: "labels",
        summary: "adds noise to a share of the targets of --loss squared-error",
        off: "none",
        usual: "share=0.1,noise=0.5",
    },
    Technique {
        flag: "label-smoothing",
        acts_on: "labels",
        summary: "spreads a share of the label's probability over the classes",
        off: "0",
        usual: "0.1",
    },
    Technique {
        flag: "mixup",
        acts_on: "labels",
        summary: "blends pairs of images and their targets",
        off: "0",
        usual: "0.2",
    },
    Technique {
        flag: "cutmix",
        acts_on: "labels",
        summary: "pastes a box of another image, and blends the targets by its area",
        off: "0",
        usual: "1",
    },
    Technique {
        flag: "augment",
        acts_on: "images",
        summary: "random changes of the images: see Augmentations",
        off: "none",
        usual: "crop=2",
    },
    Technique {
        flag: "dropout",
        acts_on: "activations",
        summary: "silences random units",
        off: "0",
        usual: "0.5",
    },
    Technique {
        flag: "spatial-dropout",
        acts_on: "activations",
        summary: "silences random channels (cnn)",
        off: "0",
        usual: "0.2",
    },
    Technique {
        flag: "stochastic-depth",
        acts_on: "activations",
        summary: "skips random residual blocks (resnets)",
        off: "0",
        usual: "0.2",
    },
    Technique {
        flag: "batch-norm",
        acts_on: "activations",
        summary: "normalizes activations over the batch (not lenet-bn, which always has it)",
        off: "off",
        usual: "on",
    },
    Technique {
        flag: "weight-decay",
        acts_on: "weights",
        summary: "L2: shrinks weights, through the gradient or beside it (--decay-mode)",
        off: "0",
        usual: "5e-4",
    },
    Technique {
        flag: "l1",
        acts_on: "weights",
        summary: "pulls all weights to zero alike",
        off: "0",
        usual: "1e-4",
    },
    Technique {
        flag: "max-norm",
        acts_on: "weights",
        summary: "keeps the weights into each unit inside a ball",
        off: "0",
        usual: "3",
    },
    Technique {
        flag: "ema",
        acts_on: "weights",
        summary: "evaluates and keeps a moving average of the weights",
        off: "0",
        usual: "0.999",
    },
    Technique {
        flag: "lookahead",
        acts_on: "weights",
        summary: "lets slow weights follow the optimizer's",
        off: "none",
        usual: "k=5,alpha=0.5",
    },
    Technique {
        flag: "sam",
        acts_on: "gradients",
        summary: "sharpness-aware minimization: the gradient of the worst place nearby",
        off: "0",
        usual: "0.05",
    },
    Technique {
        flag: "early-stopping",
        acts_on: "length",
        summary: "ends training by a rule of the validation scores",
        off: "none",
        usual: "patience=5",
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
        }
    }
}
