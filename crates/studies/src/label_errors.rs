//! Likely label errors: the images of a cross-validation, each by how little the network of the fold that held it out
//! believes its label.
//!
//! Northcutt et al., [Confident Learning: Estimating Uncertainty in Dataset Labels](https://arxiv.org/abs/1911.00068),
//! Journal of Artificial Intelligence Research 2021.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use backburn_data::{DataSet, ImageSet};
use backburn_records::label_errors::{FoundByNoise, LabelErrorsRecord, Suspect, SuspectPicture};
use backburn_records::number::counted;
use backburn_records::{Manifest, Origin};
use backburn_training::backend::Backend;
use backburn_training::failure::Failure;
use backburn_training::held_out::HeldOut;
use backburn_training::image_source::load_named;
use backburn_training::picture_names::short_name;
use backburn_training::predict::Predictor;
use backburn_training::prepare::{PrepareError, Prepared};
use backburn_training::recipe::Recipe;
use backburn_training::run_folder::folder::RunFolder;
use backburn_training::run_folder::names::CONFIG;
use backburn_training::session::check_same_data;
use backburn_training::session_error::SessionError;
use backburn_training::watch::{Event, Watch};

use crate::folds::fold_folder;
use crate::trial::read;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct LabelErrorsOf {
    /// The folder of a cross-validation, with a run folder for each fold.
    pub folder: PathBuf,
    /// Where the data are; the runs' own place if not given.
    pub data_dir: Option<PathBuf>,
    /// What computes; the runs' own backend if not given.
    pub backend: Option<Backend>,
    /// Images at the head of the ranking whose pictures are given.
    pub pictures: usize,
    /// The command line, program first.
    pub command: Vec<String>,
}

/// Asks each fold's network about the images that it has not trained on, and ranks all of them.
///
/// # Errors
///
/// If the folder is not that of a cross-validation, a fold is missing, unfinished or by another recipe than the others,
/// or the data are not there or not those that were trained on.
pub fn label_errors(
    of: &LabelErrorsOf,
    watch: &mut dyn Watch,
) -> Result<LabelErrorsRecord, Failure> {
    let folds = folds(of)?;
    let Some(Fold { recipe, .. }) = folds.first() else { return Err(no_folds(&of.folder)) };
    let loaded = load_named(recipe, &mut |it| watch.event(Event::Data(it)));
    let loaded = loaded.map_err(PrepareError::from);
    let (data, names) = loaded.map_err(SessionError::from)?;
    let mut ranked = Vec::with_capacity(data.train.len());
    let (mut replaced, mut class_names) = (0, Vec::new());
    for fold in &folds {
        let prepared = Prepared::of(data.clone(), &fold.recipe).map_err(SessionError::from)?;
        check_same_data(&prepared, &fold.manifest)?;
        let held_out = held_out(&data, fold)?;
        let status = fold.manifest.status_in(fold.folder.path());
        let network = Predictor::of(&fold.folder, &fold.manifest, status, of.backend)?;
        ranked.extend(suspects(fold.number, &network, &held_out, &names)?);
        replaced += held_out.replaced;
        class_names = network.class_names().to_vec();
        let images = counted(held_out.images.len(), "image");
        let line = format!("fold {}/{}: {images}", fold.number, folds.len());
        watch.event(Event::Note(&line));
    }
    LabelErrorsRecord::rank(&mut ranked);
    for suspect in ranked.iter_mut().take(of.pictures) {
        suspect.picture = Some(picture(&data.train, suspect.index));
    }
    let runs = folds.iter().map(|fold| read(fold.folder.path())).collect::<Result<Vec<_>, _>>()?;
    let origin = Origin::of_runs(&runs, of.folder.display().to_string());
    let noise = recipe.label_noise.map(|noise| FoundByNoise {
        setting: noise.to_string(),
        wrong: wrong(&ranked),
        looked_at: replaced,
        found: wrong(ranked.get(..replaced).unwrap_or(&ranked)),
    });
    Ok(LabelErrorsRecord {
        dataset: short_name(&recipe.dataset),
        class_names,
        networks: folds.len(),
        ranked,
        noise,
        origin: Origin { command: of.command.clone(), ..origin },
    })
}

/// The run of a fold.
struct Fold {
    number: usize,
    folder: RunFolder,
    manifest: Manifest,
    recipe: Recipe,
}

/// The runs of all folds, in order.
fn folds(of: &LabelErrorsOf) -> Result<Vec<Fold>, Failure> {
    let first = fold_folder(&of.folder, 1);
    if !first.join(CONFIG).exists() {
        return Err(no_folds(&of.folder));
    }
    let first = fold(of, 1)?;
    let Some(all) = first.recipe.fold.map(|fold| fold.of()) else {
        return Err(no_folds(&of.folder));
    };
    let mut folds = vec![first];
    for number in 2..=all {
        let path = fold_folder(&of.folder, number);
        if !path.join(CONFIG).exists() {
            return Err(Failure::Error(format!(
                "{}: expected the run of fold {number} of {all}, found none; carry on with the \
                 command that trained the others",
                path.display()
            )));
        }
        folds.push(fold(of, number)?);
    }
    for fold in &folds {
        let expected = backburn_data::Fold::new(fold.number, all);
        let like_first = folds.first().map(|first| Recipe {
            fold: fold.recipe.fold,
            place: fold.recipe.place.clone(),
            ..first.recipe.clone()
        });
        if fold.recipe.fold != expected || like_first.as_ref() != Some(&fold.recipe) {
            return Err(Failure::Error(format!(
                "{}: expected fold {}/{all} by the recipe of the first fold, found another one; \
                 train all folds in a folder of their own, with `train … --folds {all} --out`",
                fold.folder.path().display(),
                fold.number
            )));
        }
    }
    Ok(folds)
}

fn fold(of: &LabelErrorsOf, number: usize) -> Result<Fold, Failure> {
    let folder = RunFolder::open(&fold_folder(&of.folder, number)).map_err(SessionError::from)?;
    let (manifest, _) = folder.manifest_with_status().map_err(SessionError::from)?;
    let mut recipe = folder.recipe_as_written(&manifest).map_err(SessionError::from)?;
    if of.data_dir.is_some() {
        recipe.place.data_dir.clone_from(&of.data_dir);
    }
    Ok(Fold { number, folder, manifest, recipe })
}

fn no_folds(folder: &Path) -> Failure {
    let what = match folder.join(CONFIG).exists() {
        true => {
            "the folder of a single run, which has trained on the images that it could be asked about"
        }
        false => "no folder `fold-1` in it",
    };
    Failure::Usage(format!(
        "{}: expected the folder of a cross-validation, found {what}; train one with `cargo xtask \
         train … --folds 5 --out DIR`",
        folder.display()
    ))
}

fn held_out(data: &DataSet, fold: &Fold) -> Result<HeldOut, Failure> {
    let held_out = HeldOut::of(data, &fold.recipe).map_err(PrepareError::from);
    held_out.map_err(SessionError::from)?.ok_or_else(|| no_folds(fold.folder.path()))
}

/// What the network of a fold says of the images that it has not trained on.
fn suspects(
    number: usize,
    network: &Predictor,
    held_out: &HeldOut,
    names: &[String],
) -> Result<Vec<Suspect>, Failure> {
    let answers = network.score(&held_out.images).map_err(SessionError::from)?;
    let suspect = |(at, &index): (usize, &usize)| {
        let (predicted, probability) = answers.answer(at);
        Suspect {
            index,
            file: names.get(index).cloned(),
            network: number,
            label: usize::from(held_out.images.label(at)),
            predicted,
            self_confidence: (-answers.loss(at)).exp(),
            probability,
            is_wrong: held_out.wrong.as_ref().and_then(|wrong| wrong.get(at).copied()),
            picture: None,
        }
    };
    Ok(held_out.places.iter().enumerate().map(suspect).collect())
}

fn picture(images: &ImageSet, index: usize) -> SuspectPicture {
    let shape = images.shape();
    SuspectPicture {
        shape: [shape.channels, shape.height, shape.width],
        pixels: images.image(index).to_vec(),
    }
}

/// How many labels label noise has made wrong.
fn wrong(suspects: &[Suspect]) -> usize {
    suspects.iter().filter(|it| it.is_wrong == Some(true)).count()
}

#[cfg(test)]
mod tests {
    use backburn_training::recipe::built_in;
    use backburn_training::run_options::RunOptions;
    use backburn_training::watch::Silent;

    use super::*;
    use crate::folds::{train, trials};

    fn asked(folder: &Path) -> LabelErrorsOf {
        let (folder, command) = (folder.to_owned(), vec!["backburn".to_owned()]);
        LabelErrorsOf { folder, data_dir: None, backend: None, pictures: 3, command }
    }

    #[test]
    fn labels_that_were_made_wrong_are_found_by_networks_that_have_not_seen_them() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = Recipe {
            epochs: 2,
            train_size: Some(backburn_data::SplitSize::Count(1000)),
            label_noise: "2".parse().ok(),
            ..built_in("digits").unwrap()
        };
        let trials = trials(&recipe, 2, folder.path()).unwrap();
        train(&trials, &RunOptions::new(1, Vec::new()), &[], &mut Silent).unwrap();
        let found = label_errors(&asked(folder.path()), &mut Silent).unwrap();
        assert_eq!((found.networks, found.ranked.len()), (2, 10_000));
        let mut places: Vec<usize> = found.ranked.iter().map(|it| it.index).collect();
        places.sort_unstable();
        assert_eq!(places, (0..10_000).collect::<Vec<_>>());
        let is_sorted = found.ranked.is_sorted_by(|a, b| a.self_confidence <= b.self_confidence);
        assert!(is_sorted);
        let noise = found.noise.as_ref().unwrap();
        assert_eq!((noise.looked_at, noise.setting.as_str()), (200, "2"));
        // By chance it would be one in fifty.
        assert!(noise.precision() > 0.3 && noise.recall() > 0.3, "{noise:?}");
        assert_eq!(found.ranked.iter().filter(|it| it.picture.is_some()).count(), 3);
        assert_eq!(found.class_names.len(), 10);
        // In the wrong place, a fold would be asked about images that it has trained on.
        let rename = |from: &str, to: &str| {
            std::fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
        };
        let refused = || match label_errors(&asked(folder.path()), &mut Silent).unwrap_err() {
            Failure::Error(message) => message,
            other => panic!("{other:?}"),
        };
        rename("fold-2", "other");
        let message = refused();
        assert!(message.contains("expected the run of fold 2 of 2, found none"), "{message}");
        rename("fold-1", "fold-2");
        rename("other", "fold-1");
        let message = refused();
        assert!(message.contains("fold-1: expected fold 1/2 by the recipe"), "{message}");
    }

    #[test]
    fn a_folder_without_folds_is_refused_with_the_cure() {
        let folder = tempfile::tempdir().unwrap();
        let refused = || match label_errors(&asked(folder.path()), &mut Silent).unwrap_err() {
            Failure::Usage(message) => message,
            other => panic!("{other:?}"),
        };
        let message = refused();
        assert!(
            message.contains("no folder `fold-1`") && message.contains("--folds 5"),
            "{message}"
        );
        std::fs::write(folder.path().join(CONFIG), "").unwrap();
        assert!(refused().contains("a single run"));
    }
}
