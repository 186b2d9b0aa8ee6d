//! 004: two depths of ResNet, each with and without batch normalization, and the small CNN of 004 ④.

use backburn_data::SplitSize;
use backburn_models::{LenetBnConfig, ModelConfig, ResNetConfig};
use backburn_records::ExperimentTable;
use backburn_records::number::{self, count};
use backburn_records::statistics::finite;
use backburn_regularization::Keep;
use backburn_report::Findings;
use backburn_report::figure::Axis;
use backburn_training::failure::Failure;
use backburn_training::recipe::Recipe;

use super::lab::Lab;
use super::resnet_runs::{
    accuracy_figures, by_epoch, change, differences, figure, lowest_objective, paper,
    printed_accuracy, score_figures, score_table, scores, setup, trust,
};
use super::runs::{self, Arm, ArmRuns, Run, epochs, train_or_diverge, unless_smoke};
use super::settings::Settings;

/// Two depths of one design.
struct Depths {
    /// Shallow and deep, each with and without batch normalization.
    names: [[&'static str; 2]; 2],
    models: [fn(ResNetConfig) -> ModelConfig; 2],
}

/// The source's depths.
const LARGE: Depths = Depths {
    names: [["ResNet-18", "ResNet-18, no BN"], ["ResNet-34", "ResNet-34, no BN"]],
    models: [ModelConfig::Resnet18, ModelConfig::Resnet34],
};

/// He et al.'s for small images, with a fortieth of the weights.
const SMALL: Depths = Depths {
    names: [["ResNet-20", "ResNet-20, no BN"], ["ResNet-32", "ResNet-32, no BN"]],
    models: [ModelConfig::Resnet20, ModelConfig::Resnet32],
};

fn arms(lab: &Lab) -> Vec<Arm> {
    let (recipe, depths) = if lab.is_paper() { (paper(lab), LARGE) } else { (quick(lab), SMALL) };
    let mut arms = Vec::new();
    for (names, model) in depths.names.iter().zip(depths.models) {
        for (name, batch_norm) in names.iter().zip([true, false]) {
            let model = model(ResNetConfig { batch_norm, ..Default::default() });
            arms.push(Arm { name, recipe: Recipe { model, ..recipe.clone() } });
        }
    }
    let small = ModelConfig::LenetBn(LenetBnConfig::default());
    arms.push(Arm { name: "small CNN", recipe: Recipe { model: small, ..recipe.clone() } });
    arms
}

pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    Ok(runs::settings(&arms(lab)))
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let arms = arms(lab);
    let mut setup = setup(lab, &arms[0].recipe);
    setup[0] = setup[0].replacen("resnet", "All arms as for resnet", 1);
    setup.push(
        "Small CNN: conv 6 5×5, batch normalization, ReLU, pooling; conv 16 5×5, the same; 120 \
         units, dropout 0.5, 64 units, the classifier. Without batch normalization (“no BN”) a \
         ResNet's convolutions have no bias either."
            .into(),
    );
    let arms = train_or_diverge(lab, arms)?;

    let mut figures = accuracy_figures(&arms);
    let y = Axis::linear("training loss (nats)").within(0.0, f64::INFINITY);
    figures.push(figure(
        "training_loss",
        by_epoch("Training loss", y, &arms, |e| Some(e.train_objective)).draw(),
        "Mean over the batches of each epoch, measured before the step that learns them.",
    ));
    figures.extend(score_figures(&arms));
    let mut differences = differences();
    differences.push(
        "The source defines both depths and trains ResNet-18; it has no arm without batch \
         normalization, and no training of the small CNN."
            .into(),
    );
    Ok(Findings {
        sentence: sentence(lab, &arms),
        setup,
        reduced: reduced(lab),
        comparisons: vec![printed_accuracy(lab, &arms[0])],
        tables: vec![score_table(&arms), sizes(&arms)],
        figures,
        data: vec![epochs(&arms)],
        mistakes: vec![
            "The small CNN's first linear layer says 512 inputs. Images of 32×32 pixels leave 16 \
             channels of 5×5 pixels, 400 inputs; with 512 the source's network stops with an error \
             at its first batch."
                .into(),
        ],
        differences,
    })
}

fn quick(lab: &Lab) -> Recipe {
    let recipe = Recipe {
        epochs: 8,
        keep: Keep::Best,
        train_size: Some(SplitSize::Count(1000)),
        valid_size: SplitSize::Count(250),
        ..paper(lab)
    };
    unless_smoke(lab, recipe)
}

fn reduced(lab: &Lab) -> Vec<String> {
    if lab.is_paper() {
        return Vec::new();
    }
    [
        "ResNet-20 and ResNet-32 with 0.27 and 0.46 million weights instead of ResNet-18 and \
         ResNet-34 with 11 and 21 million.",
        "1,000 training and 250 validation images instead of 30,000 and 20,000; 8 epochs instead \
         of 51.",
        "The weights with the lowest validation loss are scored instead of the last: after so few \
         steps of Adam, what batch normalization remembers of the images is at times far off.",
    ]
    .map(String::from)
    .into()
}

fn sentence(lab: &Lab, arms: &[ArmRuns]) -> String {
    let [shallow, shallow_bare, deep, deep_bare, small] = arms else {
        unreachable!("there are five arms")
    };
    let mut text = Vec::new();
    for (with, without) in [(shallow, shallow_bare), (deep, deep_bare)] {
        text.push(format!(
            "{}: {}; without batch normalization {}, {}, and the training loss of an epoch falls \
             to {} instead of {}.",
            with.name,
            test_scores(lab, with),
            test_scores(lab, without),
            change(lab, with, without),
            lowest(without),
            lowest(with),
        ));
    }
    text.push(format!("From {} to {} {}.", shallow.name, deep.name, change(lab, shallow, deep)));
    text.push(format!(
        "The {}: {}; from {} to it {}.",
        small.name,
        test_scores(lab, small),
        shallow.name,
        change(lab, shallow, small)
    ));
    text.push(trust(lab));
    text.join(" ")
}

/// How low the training loss of an epoch comes.
fn lowest(arm: &ArmRuns) -> String {
    match lowest_objective(arm) {
        loss if loss.is_finite() => number::loss(loss),
        _ => "no number (it overflows in the first epoch)".into(),
    }
}

/// The scores, and whether they are more than guessing.
fn test_scores(lab: &Lab, arm: &ArmRuns) -> String {
    let chance = 1.0 / lab.data().train.classes() as f64;
    let learnt = finite(&arm.values(|run| run.summary.test_accuracy));
    let guessing = !learnt.is_empty() && learnt.iter().all(|accuracy| *accuracy < 1.5 * chance);
    let note = if guessing { ", hardly more than guessing" } else { "" };
    format!("{}{note}", scores(arm))
}

/// Size and time of each arm.
fn sizes(arms: &[ArmRuns]) -> ExperimentTable {
    let row = |arm: &ArmRuns| {
        // A run that diverged has no summary to say it.
        match arm.runs.iter().find(|run| run.summary.parameters > 0) {
            Some(Run { summary, .. }) => {
                let rate = number::rate(summary.images_per_second);
                vec![arm.name.to_owned(), count(summary.parameters), rate]
            }
            None => vec![arm.name.to_owned(), number::ABSENT.into(), number::ABSENT.into()],
        }
    };
    ExperimentTable {
        title: "Size and speed".into(),
        note: "Of the first seed that did not diverge. The speed depends on the machine and on \
            what else it does."
            .into(),
        head: ["arm", "parameters", "images a second"].map(String::from).into(),
        rows: arms.iter().map(row).collect(),
    }
}
