//! The weights of a file as those that a training begins with: found, checked, named as the network names them.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use backburn_models::parameters::{self, ImportError};
use backburn_models::state_dict::{self, StateDictError};
use backburn_models::{ModelConfig, NamedTensor, Network, torchvision};
use backburn_records::checksum::sha256;
use backburn_records::number::counted;

use crate::init_from::InitFrom;
use crate::recipe::Recipe;
use crate::run_folder::error::{RunError, how_to_finish};
use crate::run_folder::folder::RunFolder;
use crate::run_folder::names::WEIGHTS;

/// What to do without weights: nothing is brought along, and where to find them.
pub const PRETRAINED: &str = "no weights come with this program, and none are fetched: bring a \
    file. torchvision's are resnet18-f37072fd.pth, resnet34-b627a593.pth and resnet50-0676ba61.pth \
    (or, trained longer, resnet50-11ad3fa6.pth), to be had at \
    https://download.pytorch.org/models/ under its terms, for colour images; then `cargo xtask \
    train DATASET --model resnet18 --stem imagenet --normalization imagenet --init-from \
    resnet18-f37072fd.pth`. Any safetensors file, file of `torch.save(model.state_dict(), …)` or \
    run folder with the same layers will do";

/// Most names that a message lists.
const MOST_NAMES: usize = 8;

/// Why a training cannot begin with the weights of a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartingWeightsError {
    /// The file cannot be read.
    #[error(
        "cannot read {}: {source}; `--init-from` wants a file of weights or the folder of a run",
        path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder is no run that has come to its end, or its weights have changed since.
    #[error("`--init-from`: {0}")]
    Run(#[from] RunError),
    /// The folder is that of a run without weights.
    #[error(
        "`--init-from`: {} has no {WEIGHTS}: it is {status}; {}, or name a file",
        path.display(), how_to_finish(path, *status)
    )]
    Unfinished {
        /// Folder of the run.
        path: PathBuf,
        /// How far it has come.
        status: backburn_records::Status,
    },
    /// The file is another one than the recipe says.
    #[error(
        "{}: expected the weights that the recipe was made for, SHA-256 {expected}, found {found}; \
         restore the file, or begin a new run with what is there, `--init-from {}`",
        path.display(), path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Checksum that the recipe has.
        expected: String,
        /// Checksum of what is there.
        found: String,
    },
    /// There are no tensors in the file.
    #[error("{}: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: StateDictError,
    },
    /// A number that no training could go on from.
    #[error(
        "{}: `{name}`: expected finite numbers, found {found}; the training that it is of has \
         diverged", path.display()
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
        /// The number.
        found: f32,
    },
    /// The first layer is for images of another number of channels.
    #[error(
        "{}: `{name}` is for images of {found} channels, and these have {expected}; train on \
         images of {found}, or take weights for {expected}", path.display()
    )]
    Channels {
        /// The file.
        path: PathBuf,
        /// Weights of the first layer, as the file calls them.
        name: String,
        /// Channels of the data set's images.
        expected: usize,
        /// Channels in the file.
        found: usize,
    },
    /// Names or shapes differ from the network's.
    #[error(
        "{}: {matching} of the {expected} tensors of `{model}` are there as it has \
         them{differences}{cure}",
        path.display()
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The architecture.
        model: &'static str,
        /// Tensors that fit.
        matching: usize,
        /// Tensors that the network has.
        expected: usize,
        /// What is missing, left over or of another shape.
        differences: String,
        /// What to do about it.
        cure: String,
    },
    /// Two tensors of a file are one in the network.
    #[error("{}: `{name}` is there twice, by our name and by torchvision's; remove one of them",
        path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// Our name.
        name: String,
    },
    /// The network does not take what fits it.
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// The recipe with the file that its `init_from` names, and with the checksum of what is in it now.
///
/// # Errors
///
/// If there is no such file, or it is another one than the recipe says; if a run has no weights, or they are not what it
/// wrote.
pub fn pinned(recipe: &Recipe) -> Result<Recipe, StartingWeightsError> {
    let mut recipe = recipe.clone();
    if let Some(init_from) = &mut recipe.init_from {
        let path = weights_file(&init_from.file)?;
        let bytes = read(&path, init_from.sha256.as_deref())?;
        *init_from = InitFrom { file: path, sha256: Some(sha256(&bytes)) };
    }
    Ok(recipe)
}

/// The file itself; of a folder, the weights of the run that it is of.
fn weights_file(path: &Path) -> Result<PathBuf, StartingWeightsError> {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if !whole.is_dir() {
        return Ok(whole);
    }
    let run = RunFolder::open(&whole)?;
    let (manifest, status) = run.manifest_with_status()?;
    let file = whole.join(WEIGHTS);
    if manifest.files.is_empty() && !file.exists() {
        return Err(StartingWeightsError::Unfinished { path: whole, status });
    }
    run.read_as_written(WEIGHTS, &manifest)?;
    Ok(file)
}

/// The bytes of a file, if they are those of the checksum.
fn read(path: &Path, expected: Option<&str>) -> Result<Vec<u8>, StartingWeightsError> {
    let unreadable = |source| StartingWeightsError::Read { path: path.to_owned(), source };
    // A pipe may never end, and is empty when it is read again.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unreadable(io::Error::other("it is no file")));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    match expected {
        Some(expected) if !expected.eq_ignore_ascii_case(&sha256(&bytes)) => {
            let (path, expected) = (path.to_owned(), expected.to_owned());
            Err(StartingWeightsError::Changed { path, expected, found: sha256(&bytes) })
        }
        _ => Ok(bytes),
    }
}

/// The network with the weights of the file, and what there is to say of it. The head keeps its own if the file's is for
/// another number of classes, or the file has none.
///
/// # Errors
///
/// If the file cannot be had, as in [`pinned`], or anything but the head does not fit.
pub fn begin_with(
    network: Network,
    model: &ModelConfig,
    init_from: &InitFrom,
) -> Result<(Network, String), StartingWeightsError> {
    let path = weights_file(&init_from.file)?;
    let bytes = read(&path, init_from.sha256.as_deref())?;
    let state = state_dict::read(&bytes);
    let state =
        state.map_err(|source| StartingWeightsError::Content { path: path.clone(), source })?;
    drop(bytes);
    let file = File { path, model, tensors: state.tensors };
    let own = parameters::export(&network);
    let (tensors, said) = file.fitted(own)?;
    Ok((parameters::import(network, tensors)?, said))
}

/// Tensors of a file that are to become those of a network.
struct File<'a> {
    path: PathBuf,
    model: &'a ModelConfig,
    tensors: Vec<NamedTensor>,
}

/// How the tensors of a file stand to those of a network.
#[derive(Default)]
struct Comparison {
    matching: usize,
    missing: Vec<String>,
    left_over: Vec<String>,
    misshaped: Vec<String>,
}

impl File<'_> {
    /// The network's tensors with the file's values, and what there is to say of it. `own`: the network's tensors with
    /// the values that they have without it.
    fn fitted(
        self,
        own: Vec<NamedTensor>,
    ) -> Result<(Vec<NamedTensor>, String), StartingWeightsError> {
        let mut found = self.by_our_names()?;
        self.check_channels(&own, &found)?;
        let (all, head) = (own.len(), self.head(&own, &found));
        let mut comparison = Comparison::default();
        let mut fitted = Vec::with_capacity(all);
        for tensor in own {
            let is_anew = head.is_some() && self.is_of_head(&tensor.name);
            match found.remove(&tensor.name) {
                _ if is_anew => fitted.push(tensor),
                None => comparison.missing.push(format!("`{}`", tensor.name)),
                Some(theirs) if theirs.shape != tensor.shape => comparison.misshaped.push(format!(
                    "`{}` {:?} instead of {:?}",
                    tensor.name, theirs.shape, tensor.shape
                )),
                Some(theirs) => {
                    comparison.matching += 1;
                    fitted.push(NamedTensor { values: theirs.values, ..tensor });
                }
            }
        }
        comparison.left_over = found.into_values().map(|it| format!("`{}`", it.name)).collect();
        if fitted.len() < all || !comparison.left_over.is_empty() {
            return Err(self.mismatch(&comparison, all));
        }
        let path = self.path.display();
        let said = format!("the weights of {path}: {} of {all} tensors", comparison.matching);
        Ok((fitted, said + &head.unwrap_or_default()))
    }

    /// The file's tensors by the network's names; each keeps its own.
    fn by_our_names(&self) -> Result<BTreeMap<String, NamedTensor>, StartingWeightsError> {
        let mut found = BTreeMap::new();
        for tensor in &self.tensors {
            if let Some(number) = tensor.values.iter().find(|value| !value.is_finite()) {
                let (path, name) = (self.path.clone(), tensor.name.clone());
                return Err(StartingWeightsError::NotFinite { path, name, found: *number });
            }
            let ours = Some(&tensor.name).filter(|_| self.model.is_of_torchvision());
            let ours = ours.and_then(|name| torchvision::our_name(name));
            let ours = ours.unwrap_or_else(|| tensor.name.clone());
            if found.insert(ours.clone(), tensor.clone()).is_some() {
                return Err(StartingWeightsError::Twice { path: self.path.clone(), name: ours });
            }
        }
        Ok(found)
    }

    fn is_of_head(&self, name: &str) -> bool {
        name.rsplit_once('.').is_some_and(|(module, _)| module == self.model.head())
    }

    /// What there is to say of a head that begins anew; `None` if it does not.
    fn head(&self, own: &[NamedTensor], found: &BTreeMap<String, NamedTensor>) -> Option<String> {
        let heads: Vec<_> = own.iter().filter(|tensor| self.is_of_head(&tensor.name)).collect();
        let theirs: Vec<_> = heads.iter().filter_map(|it| found.get(&it.name)).collect();
        let head = self.model.head();
        if theirs.is_empty() {
            return Some(format!("; it has no `{head}`, which begins anew"));
        }
        // As many logits in each of its tensors, and the same features.
        let classes = |tensor: &NamedTensor| tensor.shape.first().copied();
        let (ours, others) = (classes(heads.first()?)?, classes(theirs.first()?)?);
        let is_same_but_for_classes = theirs.len() == heads.len()
            && heads.iter().zip(&theirs).all(|(own, other)| {
                classes(other) == Some(others) && own.shape.get(1..) == other.shape.get(1..)
            });
        (is_same_but_for_classes && ours != others).then(|| {
            let others = counted(others, "class");
            format!("; its `{head}` is for {others} and not {ours}, and begins anew")
        })
    }

    fn check_channels(
        &self,
        own: &[NamedTensor],
        found: &BTreeMap<String, NamedTensor>,
    ) -> Result<(), StartingWeightsError> {
        let first = format!("{}.weight", self.model.first_layer());
        let own = own.iter().find(|tensor| tensor.name == first);
        let (Some(own), Some(theirs)) = (own, found.get(&first)) else { return Ok(()) };
        match (own.shape.as_slice(), theirs.shape.as_slice()) {
            ([_, expected, _, _], [_, found, _, _]) if expected != found => {
                Err(StartingWeightsError::Channels {
                    path: self.path.clone(),
                    name: theirs.name.clone(),
                    expected: *expected,
                    found: *found,
                })
            }
            _ => Ok(()),
        }
    }

    fn mismatch(&self, comparison: &Comparison, expected: usize) -> StartingWeightsError {
        let Comparison { matching, missing, left_over, misshaped } = comparison;
        let parts =
            [("missing", missing), ("left over", left_over), ("of another shape", misshaped)];
        let differences = parts
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("; {what}: {}", listed(names)));
        StartingWeightsError::Mismatch {
            path: self.path.clone(),
            model: self.model.name(),
            matching: *matching,
            expected,
            differences: differences.collect(),
            cure: self.cure(),
        }
    }

    /// What may help: the stem is what is forgotten first.
    fn cure(&self) -> String {
        let stem = self
            .tensors
            .iter()
            .find(|it| matches!(it.name.as_str(), "conv1.weight" | "stem.weight"));
        let stem = stem.and_then(|tensor| match tensor.shape.as_slice() {
            [_, _, _, 7] => Some("imagenet"),
            [_, _, _, 3] => Some("small"),
            _ => None,
        });
        let model = self.model.clone().stem_mut().map(|stem| match stem {
            backburn_models::Stem::Small => "small",
            backburn_models::Stem::Imagenet => "imagenet",
        });
        match (stem, model) {
            (Some(stem), Some(model)) if stem != model => {
                format!("; the file's first layer is that of `--stem {stem}`")
            }
            _ => "; set `--model` and its settings to those that the weights are of".to_owned(),
        }
    }
}

/// The first few names.
fn listed(names: &[String]) -> String {
    let few = names.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST_NAMES) {
        0 => few,
        more => format!("{few} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use backburn_models::{ResNetConfig, Role, Stem};

    use super::*;

    fn tensor(name: &str, shape: &[usize], value: f32) -> NamedTensor {
        let values = vec![value; shape.iter().product()];
        NamedTensor { name: name.to_owned(), role: Role::Weight, shape: shape.to_vec(), values }
    }

    fn model(stem: Stem) -> ModelConfig {
        ModelConfig::Resnet18(ResNetConfig { stem, ..ResNetConfig::default() })
    }

    /// A network of three layers by ours or torchvision's names, all values alike.
    fn tensors([stem, block, head]: [&str; 3], classes: usize, value: f32) -> Vec<NamedTensor> {
        vec![
            tensor(&format!("{stem}.weight"), &[4, 3, 7, 7], value),
            tensor(&format!("{block}.weight"), &[4], value),
            tensor(&format!("{head}.weight"), &[classes, 4], value),
            tensor(&format!("{head}.bias"), &[classes], value),
        ]
    }

    const OURS: [&str; 3] = ["stem", "stages.0.1.norm2", "head"];
    const TORCHVISIONS: [&str; 3] = ["conv1", "layer1.1.bn2", "fc"];

    fn fitted(
        tensors: Vec<NamedTensor>,
        own: Vec<NamedTensor>,
    ) -> Result<(Vec<NamedTensor>, String), String> {
        let model = model(Stem::Imagenet);
        let file = File { path: "weights.pt".into(), model: &model, tensors };
        file.fitted(own).map_err(|error| error.to_string())
    }

    #[test]
    fn either_kind_of_names_gives_every_value() {
        for names in [OURS, TORCHVISIONS] {
            let own = tensors(OURS, 10, 0.0);
            let (found, said) = fitted(tensors(names, 10, 1.0), own).unwrap();
            assert_eq!(found, tensors(OURS, 10, 1.0));
            assert_eq!(said, "the weights of weights.pt: 4 of 4 tensors");
        }
    }

    #[test]
    fn a_head_for_other_classes_or_none_begins_anew_and_nothing_else_does() {
        let own = || tensors(OURS, 10, 0.0);
        let expected = [&tensors(OURS, 10, 1.0)[..2], &own()[2..]].concat();
        let (found, said) = fitted(tensors(TORCHVISIONS, 1000, 1.0), own()).unwrap();
        assert_eq!(found, expected);
        assert!(said.contains("2 of 4 tensors") && said.contains("1,000 classes"), "{said}");
        let (found, said) = fitted(tensors(TORCHVISIONS, 10, 1.0)[..2].to_vec(), own()).unwrap();
        assert_eq!(found, expected);
        assert!(said.contains("has no `head`"), "{said}");
        // A head of other features is none for other classes.
        let mut other = tensors(OURS, 1000, 1.0);
        other[2] = tensor("head.weight", &[1000, 5], 1.0);
        assert!(fitted(other, own()).is_err());
        let mut half = tensors(OURS, 10, 1.0);
        half.pop();
        assert!(fitted(half, own()).unwrap_err().contains("missing: `head.bias`"));
    }

    #[test]
    fn what_does_not_fit_is_listed_by_the_names_of_its_side() {
        let mut file = tensors(TORCHVISIONS, 10, 1.0);
        file[1].name = "layer1.1.bn1.weight".into();
        file.push(tensor("encoder.weight", &[1], 1.0));
        file[0].shape = vec![5, 3, 7, 7];
        let message = fitted(file, tensors(OURS, 10, 0.0)).unwrap_err();
        for part in [
            "weights.pt: 2 of the 4 tensors of `resnet18`",
            "missing: `stages.0.1.norm2.weight`",
            "left over: `encoder.weight`, `layer1.1.bn1.weight`",
            "of another shape: `stem.weight` [5, 3, 7, 7] instead of [4, 3, 7, 7]",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn the_other_stem_is_told_as_the_cure() {
        let model = model(Stem::Small);
        let mut own = tensors(OURS, 10, 0.0);
        own[0] = tensor("stem.weight", &[4, 3, 3, 3], 0.0);
        let tensors = tensors(TORCHVISIONS, 10, 1.0);
        let file = File { path: "weights.pt".into(), model: &model, tensors };
        let message = file.fitted(own).unwrap_err().to_string();
        assert!(message.contains("`--stem imagenet`"), "{message}");
    }

    #[test]
    fn images_of_other_channels_numbers_that_are_none_and_names_twice_are_refused() {
        let mut own = tensors(OURS, 10, 0.0);
        own[0] = tensor("stem.weight", &[4, 1, 7, 7], 0.0);
        let message = fitted(tensors(TORCHVISIONS, 10, 1.0), own).unwrap_err();
        for part in ["`conv1.weight`", "images of 3 channels, and these have 1"] {
            assert!(message.contains(part), "{message}");
        }
        let own = || tensors(OURS, 10, 0.0);
        let message = fitted(tensors(TORCHVISIONS, 10, f32::NAN), own()).unwrap_err();
        assert!(message.contains("finite numbers, found NaN"), "{message}");
        let twice = [tensors(TORCHVISIONS, 10, 1.0), tensors(OURS, 10, 1.0)].concat();
        assert!(fitted(twice, own()).unwrap_err().contains("twice"));
    }
}
