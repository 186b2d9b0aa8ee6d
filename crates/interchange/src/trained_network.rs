//! A trained network as data: layers, weights, and what stands between pixels and probabilities.

use std::collections::BTreeMap;

use backburn_data::normalization::FittedNormalization;
use backburn_models::parameters::{self, NamedTensor};
use backburn_models::{Classifier, Description};
use serde_json::json;

use crate::error::ExportError;

/// A trained network as data.
#[derive(Clone, Debug)]
pub struct TrainedNetwork {
    description: Description,
    tensors: Vec<NamedTensor>,
    places: BTreeMap<String, usize>,
    class_names: Vec<String>,
    normalization: FittedNormalization,
    temperature: Option<f64>,
    facts: BTreeMap<String, String>,
}

impl TrainedNetwork {
    /// Reads layers and weights of `network`, which must not be in training (see [`parameters::export`]).
    ///
    /// `image`: channels, height, width. `class_names`: in label order.
    ///
    /// # Errors
    ///
    /// If the network cannot be described, or classes and normalization are not those of it.
    pub fn new<N: Classifier>(
        network: &N,
        image: [usize; 3],
        class_names: Vec<String>,
        normalization: FittedNormalization,
    ) -> Result<Self, ExportError> {
        let description = Description::of(network, image)?;
        let [channels, ..] = image;
        let counts = [
            ("classes", description.classes(), class_names.len()),
            ("scales", channels, normalization.scale.len()),
            ("shifts", channels, normalization.shift.len()),
        ];
        for (what, expected, found) in counts {
            if expected != found {
                return Err(ExportError::Count { what, expected, found });
            }
        }
        let tensors = parameters::export(network);
        let places = tensors.iter().zip(0..).map(|(it, place)| (it.name.clone(), place)).collect();
        let (temperature, facts) = (None, BTreeMap::new());
        Ok(Self { description, tensors, places, class_names, normalization, temperature, facts })
    }

    /// The network with a temperature, which logits are divided by for calibrated probabilities.
    #[must_use]
    pub fn with_temperature(self, temperature: Option<f64>) -> Self {
        Self { temperature, ..self }
    }

    /// The network with something that readers of an exported file should know.
    #[must_use]
    pub fn with_fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.insert(name.into(), value.into());
        self
    }

    /// The layers.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// All weights and statistics, in the order of the network's modules.
    pub fn tensors(&self) -> &[NamedTensor] {
        &self.tensors
    }

    /// The values of a tensor; none if there is no such tensor, which a description does not let happen.
    pub fn values(&self, name: &str) -> &[f32] {
        let tensor = self.places.get(name).and_then(|&place| self.tensors.get(place));
        tensor.map_or(&[], |tensor| tensor.values.as_slice())
    }

    /// Bytes of all weights and statistics.
    pub fn weight_bytes(&self) -> usize {
        self.tensors.iter().map(|tensor| size_of_val(tensor.values.as_slice())).sum()
    }

    /// Name of each class, in label order.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// Scale and shift of each channel's bytes.
    pub fn normalization(&self) -> &FittedNormalization {
        &self.normalization
    }

    /// What logits are divided by for calibrated probabilities; `None` if nothing was fitted.
    pub fn temperature(&self) -> Option<f64> {
        self.temperature
    }

    /// What readers of a file should know, by name: classes, image, normalization, temperature, and the facts.
    pub fn metadata(&self) -> BTreeMap<String, String> {
        let [channels, height, width] = self.description.image();
        let FittedNormalization { scale, shift } = &self.normalization;
        let mut metadata = self.facts.clone();
        metadata.insert("classes".to_owned(), json!(self.class_names).to_string());
        metadata.insert("image".to_owned(), format!("{channels}x{height}x{width}"));
        let normalization = json!({ "scale": scale, "shift": shift }).to_string();
        metadata.insert("normalization".to_owned(), normalization);
        if let Some(temperature) = self.temperature {
            metadata.insert("temperature".to_owned(), temperature.to_string());
        }
        metadata
    }
}
