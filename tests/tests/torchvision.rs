//! torchvision's weights give torchvision's logits.
//!
//! `tests/pytorch/torchvision_weights.py FOLDER` writes the files, which are large: without `$BACKBURN_TORCHVISION`,
//! the folder, nothing is compared here. What holds without them is tested beside the code: each way of saving
//! (`crates/models/src/state_dict/`), every name (`torchvision.rs` there), the layers (`first_step.rs`).

use std::path::PathBuf;

use backburn_models::{Classifier, Stem, architecture};
use backburn_tests::{images, values};
use backburn_training::init_from::InitFrom;
use backburn_training::starting_weights::begin_with;
use burn::tensor::Device;
use serde::Deserialize;

/// Furthest that a logit may be from torchvision's, as a share of the largest.
const TOLERANCE: f32 = 1e-4;

#[derive(Deserialize)]
struct Reference {
    /// Images, channels, height, width.
    shape: [usize; 4],
    classes: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    file: String,
    model: String,
    logits: Vec<Vec<f32>>,
}

#[test]
fn weights_of_torchvision_give_its_logits() {
    let Some(folder) = std::env::var_os("BACKBURN_TORCHVISION").map(PathBuf::from) else { return };
    let text = std::fs::read(folder.join("logits.json")).unwrap();
    let Reference { shape: [batch, image @ ..], classes, cases } =
        serde_json::from_slice(&text).unwrap();
    assert!(!cases.is_empty());
    let device = Device::flex();
    for Case { file, model, logits } in cases {
        let mut config = (architecture(&model).unwrap().config)();
        *config.stem_mut().unwrap() = Stem::Imagenet;
        let network = config.init(image, classes, &device).unwrap();
        let from = InitFrom::file(&folder.join(&file));
        let (network, said) = begin_with(network, &config, &from).unwrap();
        let found = values(network.forward(images(batch, image, &device)));
        let expected: Vec<f32> = logits.concat();
        assert_eq!(found.len(), expected.len(), "{file}");
        let apart = found.iter().zip(&expected).map(|(found, expected)| (found - expected).abs());
        let largest = expected.iter().map(|logit| logit.abs()).fold(0.0, f32::max);
        let furthest = apart.fold(0.0, f32::max) / largest;
        println!("{said}: logits within {furthest:.1e} of the largest, {largest:.2}");
        assert!(furthest <= TOLERANCE, "{file}: {furthest:e}");
    }
}
