//! A network learns wrong labels by heart if it is given the time.

use backburn_data::SplitSize;
use backburn_models::{MlpConfig, ModelConfig};
use backburn_records::{Memorized, Summary};
use backburn_regularization::{Keep, WeightDecay};
use backburn_training::optimize::optimizer::OptimizerConfig;
use backburn_training::optimize::schedule::Schedule;
use backburn_training::recipe::{Recipe, built_in};
use backburn_training::run_options::RunOptions;
use backburn_training::session::{self, Outcome};
use backburn_training::watch::Silent;

/// A network with 50,000 weights on 200 digits, and nothing that keeps it from learning them by heart.
fn recipe(noise: &str, epochs: usize) -> Recipe {
    Recipe {
        label_noise: noise.parse().ok(),
        epochs,
        train_size: Some(SplitSize::Count(200)),
        valid_size: SplitSize::Count(0),
        keep: Keep::Last,
        batch_size: 20,
        learning_rate: 0.003,
        schedule: Schedule::Constant,
        augment: Default::default(),
        model: ModelConfig::Mlp(MlpConfig { hidden: vec![64], dropout: 0.0, batch_norm: false }),
        optimizer: OptimizerConfig::named("adam").unwrap(),
        weight_decay: WeightDecay::default(),
        ..built_in("digits").unwrap()
    }
}

fn trained(noise: &str, epochs: usize) -> Summary {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let options = RunOptions::new(1, Vec::new());
    let run =
        session::start(&recipe(noise, epochs), Some(&out), "test", &options, &mut Silent).unwrap();
    let Outcome::Done(summary) = run.outcome else { panic!("interrupted") };
    *summary
}

#[test]
fn wrong_labels_are_learnt_by_heart_in_many_epochs_and_not_in_few() {
    let (few, many) = (trained("20", 1), trained("20", 80));
    let [early, late] = [&few, &many].map(|summary| summary.memorized.unwrap());
    println!("{early:?}, test {}; {late:?}, test {}", few.test_accuracy, many.test_accuracy);
    assert_eq!(early.wrong_labels, late.wrong_labels);
    // 40 are drawn, a tenth of which stay what they are.
    assert!((31..=40).contains(&late.wrong_labels), "{late:?}");
    // So small a set is half learnt by heart after four epochs already; after one, what is right is ahead.
    assert!(early.learnt_by_heart < 0.5 * late.learnt_by_heart, "{early:?}");
    assert!(early.clean_accuracy > early.learnt_by_heart + 0.1, "{early:?}");
    assert!(late.learnt_by_heart > 0.97 && late.clean_accuracy > 0.97, "{late:?}");
    // The accuracy against the labels that are trained on, wrong or not, has both parts.
    for (summary, memorized) in [(&few, early), (&many, late)] {
        let Memorized { wrong_labels, learnt_by_heart, clean_accuracy } = memorized;
        let wrong = wrong_labels as f64 / 200.0;
        let both = wrong * learnt_by_heart + (1.0 - wrong) * clean_accuracy;
        assert!((summary.train_accuracy - both).abs() < 1e-12);
    }
    assert_eq!(trained("none", 1).memorized, None);
}

/// Zhang et al., [Understanding Deep Learning Requires Rethinking
/// Generalization](https://arxiv.org/abs/1611.03530), ICLR 2017, in small.
#[test]
fn random_labels_are_learnt_to_the_last_one_and_say_nothing_of_other_images() {
    let summary = trained("100", 120);
    let memorized = summary.memorized.unwrap();
    println!("{memorized:?}, test {}", summary.test_accuracy);
    assert_eq!(summary.train_accuracy, 1.0);
    assert_eq!((memorized.learnt_by_heart, memorized.clean_accuracy), (1.0, 1.0));
    // A tenth of 200 labels stay what they are, within four standard deviations.
    assert!((163..=197).contains(&memorized.wrong_labels), "{memorized:?}");
    assert!((0.05..0.2).contains(&summary.test_accuracy), "{}", summary.test_accuracy);
}
