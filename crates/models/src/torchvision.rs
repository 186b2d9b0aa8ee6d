//! Names of a residual network's parameters in torchvision, and ours: `layer2.0.bn1.weight` is
//! `stages.1.0.norm1.weight`.
//!
//! torchvision, [resnet.py](https://github.com/pytorch/vision/blob/main/torchvision/models/resnet.py), whose names timm
//! has too.

/// Modules of a network, ours first.
const OF_NETWORK: [(&str, &str); 3] = [("stem", "conv1"), ("stem_norm", "bn1"), ("head", "fc")];

/// Modules of a block, ours first.
const OF_BLOCK: [(&str, &str); 8] = [
    ("conv1", "conv1"),
    ("norm1", "bn1"),
    ("conv2", "conv2"),
    ("norm2", "bn2"),
    ("conv3", "conv3"),
    ("norm3", "bn3"),
    ("downsample", "downsample.0"),
    ("downsample_norm", "downsample.1"),
];

/// Our name of what is called `name` in torchvision; `None` if nothing of a residual network is called so.
pub fn our_name(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("layer") {
        let (layer, rest) = split(rest);
        let (block, rest) = split(rest?);
        let stage = number(layer)?.checked_sub(1)?;
        let rest = renamed(rest?, OF_BLOCK.map(|(ours, theirs)| (theirs, ours)))?;
        return Some(format!("stages.{stage}.{}.{rest}", number(block)?));
    }
    renamed(name, OF_NETWORK.map(|(ours, theirs)| (theirs, ours)))
}

/// torchvision's name of what is called `name` here; `None` if nothing of a residual network is called so.
pub fn torchvision_name(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("stages.") {
        let (stage, rest) = split(rest);
        let (block, rest) = split(rest?);
        let layer = number(stage)?.checked_add(1)?;
        return Some(format!("layer{layer}.{}.{}", number(block)?, renamed(rest?, OF_BLOCK)?));
    }
    renamed(name, OF_NETWORK)
}

/// Our names of the modules that are `path` in torchvision, of which one may be two here; none if nothing of a residual
/// network is called so.
pub fn our_modules(path: &str) -> Vec<String> {
    // A module's name is whatever a parameter of it would be called, without that parameter.
    let whole = |path: &str| our_name(&format!("{path}.*"));
    let exact = whole(path).and_then(|name| Some(name.strip_suffix(".*")?.to_owned()));
    if let Some(path) = exact.or_else(|| our_name(path)) {
        return vec![path];
    }
    let Some((layer, rest)) = path.strip_prefix("layer").map(split) else { return Vec::new() };
    let Some(stage) = number(layer).and_then(|layer| layer.checked_sub(1)) else {
        return Vec::new();
    };
    match rest.map(split) {
        None => vec![format!("stages.{stage}")],
        Some((block, None)) if number(block).is_some() => vec![format!("stages.{stage}.{block}")],
        Some((_, Some("downsample"))) => {
            let parts = ["downsample.0", "downsample.1"].map(|part| {
                our_modules(&format!("{}{part}", path.strip_suffix("downsample").unwrap_or(path)))
            });
            parts.concat()
        }
        _ => Vec::new(),
    }
}

/// What stands before the first dot, and what behind it.
fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)))
}

/// A number as it stands in names: without sign or leading zeros.
fn number(text: &str) -> Option<usize> {
    text.parse().ok().filter(|number: &usize| number.to_string() == text)
}

/// The name with its module's other name.
fn renamed<const N: usize>(name: &str, modules: [(&str, &str); N]) -> Option<String> {
    modules.into_iter().find_map(|(from, to)| {
        let rest = name.strip_prefix(from)?;
        (rest.starts_with('.') && rest.len() > 1).then(|| format!("{to}{rest}"))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use burn::tensor::Device;

    use super::*;
    use crate::{architecture, parameters};

    /// Written by tests/pytorch/torchvision_names.py.
    fn published() -> BTreeMap<String, BTreeMap<String, Vec<usize>>> {
        let text = include_str!("../../../tests/reference/torchvision.json");
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn every_name_and_shape_of_torchvisions_networks_is_one_of_ours_and_back() {
        for (model, expected) in published() {
            let mut config = (architecture(&model).unwrap().config)();
            *config.stem_mut().unwrap() = crate::Stem::Imagenet;
            let network = config.init([3, 64, 64], 1000, &Device::flex()).unwrap();
            let ours: Vec<_> = parameters::export(&network);
            let named: BTreeMap<String, Vec<usize>> = ours
                .iter()
                .map(|it| (torchvision_name(&it.name).unwrap(), it.shape.clone()))
                .collect();
            assert_eq!(named, expected, "{model}");
            let back: BTreeSet<String> = expected.keys().map(|it| our_name(it).unwrap()).collect();
            assert_eq!(back, ours.into_iter().map(|it| it.name).collect(), "{model}");
        }
    }

    #[test]
    fn what_is_no_name_of_the_network_has_none_of_the_other_kind() {
        for theirs in ["conv1", "conv2.weight", "layer1.0.bn4.weight", "layer0.0.conv1.weight"] {
            assert_eq!(our_name(theirs), None, "{theirs}");
        }
        for theirs in ["layer01.0.conv1.weight", "layer1.x.conv1.weight", "fc.", "stem.weight"] {
            assert_eq!(our_name(theirs), None, "{theirs}");
        }
        for ours in ["stages.0", "stages.0.0.bn1.weight", "stages.-1.0.conv1.weight", "fc.weight"] {
            assert_eq!(torchvision_name(ours), None, "{ours}");
        }
    }

    #[test]
    fn modules_of_torchvision_choose_what_they_hold_there() {
        assert_eq!(our_modules("conv1"), ["stem"]);
        assert_eq!(our_modules("fc.bias"), ["head.bias"]);
        assert_eq!(our_modules("layer1"), ["stages.0"]);
        assert_eq!(our_modules("layer4.2"), ["stages.3.2"]);
        assert_eq!(our_modules("layer4.2.bn1"), ["stages.3.2.norm1"]);
        let downsample = ["stages.1.0.downsample", "stages.1.0.downsample_norm"];
        assert_eq!(our_modules("layer2.0.downsample"), downsample);
        assert_eq!(our_modules("layer2.0.downsample.1"), downsample[1..]);
        for none in ["stages.0", "layer", "layer0", "layer1.x", "layers.1", "downsample"] {
            assert_eq!(our_modules(none), Vec::<String>::new(), "{none}");
        }
    }
}
