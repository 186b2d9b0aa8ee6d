//! Flags of `train` that switch regularizers on and off; 0 or `none` turns one off.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_models::ModelConfig;
use backburn_regularization::{LabelRegularizer, LabelRegularizers, LabelSmoothing};
use backburn_training::failure::{Failure, unknown, usage};
use backburn_training::loss::Loss;
use backburn_training::recipe::Recipe;
use clap::Args;

/// Flags that change the regularizers of a recipe.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub(crate) struct RegularizerFlags {
    /// Percent of the labels redrawn over all classes in every batch (DisturbLabel).
    #[arg(
        long,
        value_name = "ALPHA",
        help_heading = "Regularizers",
        allow_negative_numbers = true
    )]
    pub(crate) disturb_label: Option<f64>,
    /// Noise on the targets of `--loss squared-error`: share=0.1,noise=0.5; none to turn it off.
    #[arg(long, value_name = "RULE", help_heading = "Regularizers")]
    pub(crate) disturb_value: Option<String>,
    /// Probability taken from the label and spread over all classes; over the others with 0.1:others.
    #[arg(
        long,
        value_name = "SHARE",
        help_heading = "Regularizers",
        allow_negative_numbers = true
    )]
    pub(crate) label_smoothing: Option<String>,
    /// Blend pairs of images and targets, the share drawn from Beta(X, X); 0 for none.
    #[arg(long, value_name = "X", help_heading = "Regularizers", allow_negative_numbers = true)]
    pub(crate) mixup: Option<f64>,
    /// Paste boxes of other images, the share drawn from Beta(X, X); 0 for none.
    #[arg(long, value_name = "X", help_heading = "Regularizers", allow_negative_numbers = true)]
    pub(crate) cutmix: Option<f64>,
    /// Share of activations dropped in training, in [0, 1).
    #[arg(long, value_name = "RATE", help_heading = "Regularizers", allow_negative_numbers = true)]
    pub(crate) dropout: Option<f64>,
    /// Share of channels dropped after each pooling in training, in [0, 1) (cnn).
    #[arg(long, value_name = "RATE", help_heading = "Regularizers", allow_negative_numbers = true)]
    pub(crate) spatial_dropout: Option<f64>,
    /// Probability that the last residual block is skipped in training, in [0, 1) (resnets).
    #[arg(long, value_name = "RATE", help_heading = "Regularizers", allow_negative_numbers = true)]
    pub(crate) stochastic_depth: Option<f64>,
    /// Strength λ of the L1 penalty; 0 for none. What it acts on, `--decay` says.
    #[arg(long, value_name = "X", help_heading = "Regularizers", allow_negative_numbers = true)]
    pub(crate) l1: Option<f64>,
    /// Greatest norm of the weights into a unit; 0 for no limit.
    #[arg(long, value_name = "X", help_heading = "Regularizers", allow_negative_numbers = true)]
    pub(crate) max_norm: Option<f64>,
    /// Evaluate and keep a moving average of the weights with this decay, such as 0.999; 0 for none.
    #[arg(
        long,
        value_name = "DECAY",
        help_heading = "Regularizers",
        allow_negative_numbers = true
    )]
    pub(crate) ema: Option<f64>,
    /// Slow weights that follow the optimizer's: k=5,alpha=0.5; none to turn them off.
    #[arg(long, value_name = "RULE", help_heading = "Regularizers")]
    pub(crate) lookahead: Option<String>,
    /// Sharpness-aware minimization with this ρ, such as 0.05: two passes a step; 0 for none.
    #[arg(long, value_name = "RHO", help_heading = "Regularizers", allow_negative_numbers = true)]
    pub(crate) sam: Option<f64>,
    /// What is minimized: cross-entropy, or squared-error (regression of the class indicators; with
    /// `--keep last` or `best-accuracy`).
    #[arg(long, value_name = "NAME", help_heading = "Regularizers")]
    pub(crate) loss: Option<String>,
}

impl RegularizerFlags {
    /// Changes what the flags name.
    ///
    /// # Errors
    ///
    /// The first flag whose value cannot be, or that does not apply to the model, by name.
    pub(crate) fn apply(&self, recipe: &mut Recipe) -> Result<(), Failure> {
        self.apply_to_model(&mut recipe.model)?;
        self.apply_to_labels(&mut recipe.labels)?;
        // Of a penalty or a limit, 0 means none; what else is wrong, `Recipe::check` refuses.
        let some = |value: f64| (value != 0.0).then_some(value);
        if let Some(strength) = self.l1 {
            recipe.l1.strength = strength;
        }
        if let Some(limit) = self.max_norm {
            recipe.max_norm = some(limit);
        }
        if let Some(decay) = self.ema {
            recipe.ema = some(decay);
        }
        if let Some(rho) = self.sam {
            recipe.sam = some(rho);
        }
        if let Some(rule) = &self.lookahead {
            recipe.lookahead = match rule.as_str() {
                "none" => None,
                rule => Some(rule.parse().map_err(|e| usage(format!("`--lookahead`: {e}")))?),
            };
        }
        if let Some(name) = &self.loss {
            recipe.loss = Loss::named(name).ok_or_else(|| unknown("loss", name, &Loss::NAMES))?;
        }
        Ok(())
    }

    fn apply_to_labels(&self, labels: &mut LabelRegularizers) -> Result<(), Failure> {
        let text = |strength: Option<f64>| strength.map(|strength| strength.to_string());
        let strengths = [
            ("disturb-label", text(self.disturb_label)),
            ("disturb-value", self.disturb_value.clone()),
            ("label-smoothing", self.label_smoothing.clone()),
            ("mixup", text(self.mixup)),
            ("cutmix", text(self.cutmix)),
        ];
        for (flag, strength) in strengths {
            if let Some(text) = strength {
                labels.set(flag, &text).map_err(|error| usage(format!("`--{flag}`: {error}")))?;
            }
        }
        // Of what is off, config.toml says nothing, so that no setting of it is left to differ.
        if labels.label_smoothing.is_off() {
            labels.label_smoothing = LabelSmoothing::default();
        }
        Ok(())
    }

    fn apply_to_model(&self, model: &mut ModelConfig) -> Result<(), Failure> {
        let name = model.name();
        if let Some(rate) = self.dropout {
            *model.dropout_mut() = in_range("--dropout", rate)?;
        }
        if let Some(rate) = self.spatial_dropout {
            let rate = in_range("--spatial-dropout", rate)?;
            *model.spatial_dropout_mut().ok_or_else(|| {
                usage(format!(
                    "`--spatial-dropout` does not apply to the model `{name}`, but to `cnn`"
                ))
            })? = rate;
        }
        if let Some(rate) = self.stochastic_depth {
            let rate = in_range("--stochastic-depth", rate)?;
            *model.stochastic_depth_mut().ok_or_else(|| {
                usage(format!(
                    "`--stochastic-depth` skips residual blocks, and the model `{name}` has none; \
                     it applies to the resnets"
                ))
            })? = rate;
        }
        Ok(())
    }
}

fn in_range(flag: &str, rate: f64) -> Result<f64, Failure> {
    if (0.0..1.0).contains(&rate) {
        return Ok(rate);
    }
    Err(Failure::Usage(format!("`{flag}`: expected a rate in [0, 1), found {rate}")))
}
