//! What a recipe makes of images, and what it is refused or told.

use std::collections::HashSet;

use backburn_models::{MlpConfig, ModelConfig, parameters};
use backburn_regularization::Lookahead;

use super::*;
use crate::recipe::built_in;

fn digits(change: impl FnOnce(&mut Recipe)) -> Result<Prepared, PrepareError> {
    let mut recipe = built_in("digits").unwrap();
    change(&mut recipe);
    Prepared::load(&recipe, &mut |_| {})
}

#[test]
fn validation_takes_its_share_and_training_the_rest() {
    let prepared = digits(|r| r.valid_size = SplitSize::Share(0.1)).unwrap();
    assert_eq!(prepared.train.len(), 9000);
    assert_eq!(prepared.valid.unwrap().len(), 1000);
}

#[test]
fn no_image_is_in_both_splits() {
    let prepared = digits(|r| r.valid_size = SplitSize::Count(3000)).unwrap();
    let valid = prepared.valid.unwrap();
    let kept: HashSet<&[u8]> = (0..valid.len()).map(|i| valid.image(i)).collect();
    assert_eq!(kept.len(), 3000);
    assert!((0..prepared.train.len()).all(|i| !kept.contains(prepared.train.image(i))));
}

#[test]
fn folds_validate_every_image_once_and_train_on_the_others() {
    let fold = |number| digits(|r| r.fold = backburn_data::Fold::new(number, 4)).unwrap();
    let folds: Vec<Prepared> = (1..=4).map(fold).collect();
    let all = folds[0].data.train.len();
    let mut validated: Vec<&[u8]> = Vec::new();
    for prepared in &folds {
        let valid = prepared.valid.as_ref().unwrap();
        assert_eq!((prepared.train.len(), valid.len()), (all - all / 4, all / 4));
        assert!(valid.class_counts().iter().all(|&count| count == all / 40));
        validated.extend(valid.images());
    }
    let count = |images: Vec<&[u8]>| {
        let mut images = images;
        images.sort_unstable();
        images.iter().map(|image| image.to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(count(validated), count(folds[0].data.train.images().collect()));
    let few =
        digits(|r| (r.fold, r.train_size) = ("1/4".parse().ok(), Some(SplitSize::Count(100))));
    let few = few.unwrap();
    assert_eq!((few.train.len(), few.valid), (100, folds[0].valid.clone()));
}

/// Digits of which every three in a row of a class are near copies of each other, as somebody says.
fn in_threes(change: impl Fn(&mut Recipe)) -> (Prepared, Vec<Vec<Vec<u8>>>) {
    let mut recipe = built_in("digits").unwrap();
    change(&mut recipe);
    let plain = digits(|_| {}).unwrap().data;
    let mut seen = [0; 10];
    let group = |&label: &u16| {
        seen[usize::from(label)] += 1;
        usize::from(label) + 10 * ((seen[usize::from(label)] - 1) / 3)
    };
    let groups: Vec<usize> = plain.train.labels().iter().map(group).collect();
    let mut images = vec![Vec::new(); groups.iter().max().unwrap() + 1];
    for (place, &group) in groups.iter().enumerate() {
        images[group].push(plain.train.image(place).to_vec());
    }
    let data = DataSet { groups: Some(groups), ..plain };
    (Prepared::of(data, &recipe).unwrap(), images)
}

#[test]
fn near_copies_are_on_one_side_of_every_split_that_is_drawn() {
    type Change = fn(&mut Recipe);
    let changes: [Change; 4] = [
        |r| r.valid_size = SplitSize::Count(1000),
        |r| (r.valid_size, r.train_size) = (SplitSize::Share(0.1), Some(SplitSize::Count(500))),
        |r| r.fold = "2/7".parse().ok(),
        |r| (r.fold, r.train_size) = ("1/2".parse().ok(), Some(SplitSize::Share(0.5))),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let (prepared, groups) = in_threes(change);
        let valid = prepared.valid.clone().unwrap();
        let (valid, train): (HashSet<&[u8]>, HashSet<&[u8]>) =
            (valid.images().collect(), prepared.train.images().collect());
        for group in groups {
            let is_in =
                |split: &HashSet<&[u8]>| group.iter().any(|image| split.contains(image.as_slice()));
            assert!(!(is_in(&valid) && is_in(&train)), "split {number}");
        }
        // A tenth or less of each class, to within a group.
        let counts = prepared.valid.as_ref().unwrap().class_counts();
        let share = prepared.valid.as_ref().unwrap().len() / 10;
        assert!(counts.iter().all(|count| count.abs_diff(share) <= 3), "{counts:?}");
    }
}

#[test]
fn a_size_that_groups_miss_is_told() {
    let change = |r: &mut Recipe| r.valid_size = SplitSize::Count(1001);
    let (prepared, _) = in_threes(change);
    let mut recipe = built_in("digits").unwrap();
    change(&mut recipe);
    let found = prepared.valid.as_ref().unwrap().len();
    let notes = prepared.notes(&recipe);
    assert_eq!(notes.len(), usize::from(found != 1001), "{notes:?}");
    recipe.valid_size = SplitSize::Count(found + 7);
    let notes = prepared.notes(&recipe);
    assert!(notes[0].contains(&format!("asks for {}", found + 7)), "{notes:?}");
}

#[test]
fn label_noise_changes_training_labels_and_nothing_else() {
    let clean = digits(|r| r.train_size = Some(SplitSize::Count(1000))).unwrap();
    assert_eq!(clean.wrong_labels, None);
    for noise in ["20", "20:pairs", "100"] {
        let noisy = digits(|r| {
            r.train_size = Some(SplitSize::Count(1000));
            r.label_noise = noise.parse().ok();
            r.class_weights = Some(ClassWeights::Balanced);
        });
        let noisy = noisy.unwrap();
        let wrong = noisy.wrong_labels.as_ref().unwrap();
        assert_eq!(wrong.replaced, if noise == "100" { 1000 } else { 200 });
        let differs = |&i: &usize| noisy.train.label(i) != clean.train.label(i);
        let differing: Vec<usize> = (0..1000).filter(differs).collect();
        assert_eq!(wrong.places, differing, "{noise}");
        assert!(noisy.train.images().eq(clean.train.images()));
        assert_eq!((&noisy.valid, &noisy.data.train), (&clean.valid, &clean.data.train));
        assert_eq!(noisy.normalization, clean.normalization);
        // An image's weight is that of the label that it is trained on.
        let weigh = |count: usize| 1000.0 / (10.0 * count as f64);
        let weights = noisy.train.class_counts().into_iter().map(weigh).collect::<Vec<_>>();
        assert_eq!(noisy.class_weights.as_ref(), Some(&weights));
    }
}

#[test]
fn one_data_seed_gives_several_seeds_the_same_images_and_labels() {
    let drawn = |change: fn(&mut Recipe)| {
        let prepared = digits(|r| {
            r.train_size = Some(SplitSize::Count(500));
            r.label_noise = "30".parse().ok();
            change(r);
        });
        let Prepared { train, valid, wrong_labels, .. } = prepared.unwrap();
        (train, valid, wrong_labels)
    };
    let plain = drawn(|_| {});
    assert_eq!(drawn(|r| r.data_seed = Some(1)), plain);
    assert_eq!(drawn(|r| (r.seed, r.data_seed) = (2, Some(1))), plain);
    assert_eq!(drawn(|r| r.replicate = 5), plain);
    assert_eq!(drawn(|r| r.data_seed = Some(2)), drawn(|r| r.seed = 2));
    let (other, valid, wrong) = drawn(|r| r.seed = 2);
    assert!(other != plain.0 && valid != plain.1 && wrong != plain.2);
    // Noise is drawn over all 10,000 images, whatever fold they are in; those that a fold validates with are clean.
    let fold = |noise: &str| {
        let change = |r: &mut Recipe| {
            (r.fold, r.label_noise) = ("2/4".parse().ok(), noise.parse().ok());
        };
        digits(change).unwrap()
    };
    let replaced = fold("20").wrong_labels.unwrap().replaced;
    assert!((1400..1600).contains(&replaced), "{replaced}");
    assert_eq!(fold("20").valid, fold("none").valid);
}

#[test]
fn noise_that_makes_no_label_wrong_is_told() {
    let notes = |noise: &str| {
        let mut recipe = built_in("digits").unwrap();
        recipe.train_size = Some(SplitSize::Count(200));
        recipe.label_noise = noise.parse().ok();
        Prepared::load(&recipe, &mut |_| {}).unwrap().notes(&recipe)
    };
    assert_eq!(notes("5:pairs"), [""; 0]);
    let told = notes("0.1");
    assert!(told[0].contains("`--label-noise 0.1` makes none of the 200"), "{told:?}");
}

#[test]
fn class_weights_are_those_of_the_images_that_are_trained_on() {
    let prepared = digits(|r| r.class_weights = Some(ClassWeights::Balanced)).unwrap();
    assert_eq!(prepared.class_weights, Some(vec![1.0; 10]));
    let table = [("cat".to_owned(), 1.0)].into();
    let error = digits(|r| r.class_weights = Some(ClassWeights::Given(table))).unwrap_err();
    assert!(error.to_string().contains("not among them: `cat`"), "{error}");
}

#[test]
fn validation_stays_the_same_for_any_training_size() {
    let valid = |train_size| digits(|r| r.train_size = train_size).unwrap().valid.unwrap();
    assert_eq!(valid(None), valid(Some(SplitSize::Count(100))));
}

fn length_of(change: impl Fn(&mut Recipe)) -> Result<Vec<String>, RecipeError> {
    let mut recipe = built_in("digits").unwrap();
    change(&mut recipe);
    Prepared::load(&recipe, &mut |_| {}).unwrap().check_length(&recipe)
}

#[test]
fn batch_normalization_over_one_value_is_refused() {
    let mlp = |r: &mut Recipe| {
        let hidden = vec![8];
        r.model = ModelConfig::Mlp(MlpConfig { hidden, dropout: 0.0, batch_norm: true });
        r.train_size = Some(SplitSize::Count(129));
    };
    let of = |last_batch, batch_size| {
        length_of(|r| {
            mlp(r);
            (r.last_batch, r.batch_size) = (last_batch, batch_size);
        })
    };
    let message = of(LastBatch::Keep, 128).unwrap_err().to_string();
    for part in ["last batch of one image, of 129", "--last-batch merge` or `drop"] {
        assert!(message.contains(part), "{message}");
    }
    for last_batch in [LastBatch::Drop, LastBatch::Merge] {
        of(last_batch, 128).unwrap();
        let message = of(last_batch, 1).unwrap_err().to_string();
        assert!(message.contains("--batch-norm off"), "{message}");
    }
    of(LastBatch::Keep, 127).unwrap();
    // Convolutions have pixels enough.
    length_of(|r| r.batch_size = 1).unwrap();
}

#[test]
fn classes_without_an_image_are_named() {
    let notes = |train, valid| {
        let change = |r: &mut Recipe| {
            r.train_size = Some(SplitSize::Count(train));
            r.valid_size = SplitSize::Count(valid);
            r.batch_size = 1;
        };
        let prepared = digits(change).unwrap();
        let mut recipe = built_in("digits").unwrap();
        change(&mut recipe);
        prepared.notes(&recipe)
    };
    assert!(notes(10, 10).is_empty());
    let few = notes(8, 3);
    assert!(few[0].starts_with("the 8 training images have none of "), "{few:?}");
    assert_eq!(few[0].matches(", ").count(), 1, "{few:?}");
    assert!(few[1].starts_with("the 3 validation images") && few[1].contains("--valid-size"));
    let least = notes(1, 1);
    assert!(least[0].starts_with("the 1 training image has none of "), "{least:?}");
    assert!(least[1].starts_with("the 1 validation image has none of "), "{least:?}");
}

#[test]
fn pairs_within_batches_of_one_image_are_noted_to_do_nothing() {
    let mut recipe = built_in("digits").unwrap();
    recipe.labels.mixup.alpha = 0.2;
    let prepared = Prepared::load(&recipe, &mut |_| {}).unwrap();
    assert!(prepared.notes(&recipe).is_empty());
    recipe.batch_size = 1;
    let notes = prepared.notes(&recipe);
    assert!(notes[0].contains("--mixup") && notes.len() == 1, "{notes:?}");
}

#[test]
fn a_first_layer_that_whitens_is_made_of_training_images_and_all_else_is_drawn() {
    let device = Device::flex();
    let begin = |change: fn(&mut Recipe)| {
        let mut recipe = built_in("digits").unwrap();
        (recipe.train_size, recipe.batch_size) = (Some(SplitSize::Count(60)), 10);
        change(&mut recipe);
        let prepared = Prepared::load(&recipe, &mut |_| {}).unwrap();
        let (network, said) = prepared.begin(&recipe, &device).unwrap();
        assert_eq!(said, None);
        (parameters::export(&network), prepared)
    };
    let whitening: fn(&mut Recipe) =
        |r| r.initialization.first_layer = FirstLayerInitialization::Whitening;
    let (drawn, _) = begin(|_| {});
    let (whitened, prepared) = begin(whitening);
    assert_eq!(whitened[1..], drawn[1..]);
    assert_ne!(whitened[0], drawn[0]);
    assert_eq!(begin(whitening).0, whitened);
    // Of the same weights, whatever the seed draws, but not of another scale of the pixels.
    let of = |change: fn(&mut Recipe)| begin(change).0[0].values.clone();
    let seeded = of(|r| {
        r.initialization.first_layer = FirstLayerInitialization::Whitening;
        (r.seed, r.data_seed) = (2, Some(1));
    });
    assert_eq!(seeded, whitened[0].values);
    let scaled = of(|r| {
        r.initialization.first_layer = FirstLayerInitialization::Whitening;
        r.normalization = backburn_data::normalization::Normalization::None;
    });
    assert_ne!(scaled, whitened[0].values);
    // As training sees them.
    let images: Vec<Vec<f32>> = prepared.images_to_whiten_by().collect();
    assert_eq!(images.len(), 60);
    for (number, image) in images.iter().enumerate() {
        let expected = prepared.train.image(number);
        let expected = expected.iter().map(|pixel| prepared.normalization.apply(0, *pixel));
        assert!(image.iter().copied().eq(expected));
    }
}

#[test]
fn many_images_are_whitened_by_a_part_that_is_spread_over_all() {
    let mut prepared = digits(|_| {}).unwrap();
    let taken = |prepared: &Prepared| prepared.images_to_whiten_by().collect::<Vec<_>>();
    let all = prepared.train.len();
    let places: Vec<usize> = (0..5000).map(|number| number * all / 5000).collect();
    assert_eq!((all, places[4999] + 1), (9000, 8999));
    let found = taken(&prepared);
    prepared.train = Arc::new(prepared.train.select(&places));
    assert_eq!(taken(&prepared), found);
}

#[test]
fn lookahead_that_never_looks_is_refused() {
    let steps = |steps| {
        length_of(|r| {
            r.lookahead = Some(Lookahead { steps, alpha: 0.5 });
            // Ten batches make four steps an epoch.
            (r.train_size, r.batch_size) = (Some(SplitSize::Count(95)), 10);
            (r.accumulate, r.epochs) = (3, 2);
        })
    };
    steps(8).unwrap();
    let message = steps(9).unwrap_err().to_string();
    assert!(message.contains("at most the 8 steps of the run, found 9"), "{message}");
}

#[test]
fn what_does_nothing_in_so_short_a_run_is_told_and_what_trains_nothing_refused() {
    let notes = |change: fn(&mut Recipe)| {
        let mut recipe = built_in("digits").unwrap();
        (recipe.batch_size, recipe.train_size) = (100, Some(SplitSize::Count(200)));
        change(&mut recipe);
        Prepared::load(&recipe, &mut |_| {}).unwrap().check_length(&recipe)
    };
    assert_eq!(notes(|_| {}), Ok(Vec::new()));
    // Two batches an epoch make one step.
    let one_step = notes(|r| (r.epochs, r.accumulate) = (1, 2)).unwrap_err().to_string();
    assert!(
        one_step.contains("`one-cycle` trains every step of this run, 1 in all, at"),
        "{one_step}"
    );
    let told = notes(|r| {
        r.schedule = "step=6".parse().unwrap();
        r.early_stopping = "patience=5".parse().ok();
    });
    let told = told.unwrap();
    assert!(told[0].contains("`step=6:0.1` does the same as `constant`"), "{told:?}");
    assert!(told[1].contains("`patience=5` does nothing in a run of 6 epochs"), "{told:?}");
    let told = notes(|r| {
        r.schedule = "step=5".parse().unwrap();
        r.early_stopping = "patience=4".parse().ok();
    });
    assert_eq!(told, Ok(Vec::new()));
}

#[test]
fn more_images_than_there_are_and_batches_larger_than_the_set_are_refused() {
    assert!(digits(|r| r.train_size = Some(SplitSize::Count(20_000))).is_err());
    let message = digits(|r| r.tta = "shift=28".parse().ok()).unwrap_err().to_string();
    assert!(message.contains("`tta`: `shift=28`") && message.contains("28×28"), "{message}");
    let message = digits(|r| r.batch_size = 10_001).unwrap_err().to_string();
    assert!(message.contains("10001") && message.contains("--batch-size"), "{message}");
}
