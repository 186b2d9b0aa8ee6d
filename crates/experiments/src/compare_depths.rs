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
use super::text::Text;

const TEXT: Text = Text(include_str!("compare_depths.md"));

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
    setup.push(TEXT.paragraph("set-up", &[]));
    let arms = train_or_diverge(lab, arms)?;

    let mut figures = accuracy_figures(&arms);
    let y = Axis::linear("training loss (nats)").within(0.0, f64::INFINITY);
    figures.push(figure(
        "training_loss",
        by_epoch("Training loss", y, &arms, |e| Some(e.train_objective)).draw(),
        TEXT.paragraph("figure of training losses", &[]),
    ));
    figures.extend(score_figures(&arms));
    let mut differences = differences();
    differences.push(TEXT.paragraph("differences", &[]));
    Ok(Findings {
        sentence: sentence(lab, &arms),
        setup,
        reduced: reduced(lab),
        comparisons: vec![printed_accuracy(lab, &arms[0])],
        tables: vec![score_table(&arms), sizes(&arms)],
        figures,
        data: vec![epochs(&arms)],
        mistakes: TEXT.list("mistakes", &[]),
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
    TEXT.list("reduced", &[])
}

fn sentence(lab: &Lab, arms: &[ArmRuns]) -> String {
    let [shallow, shallow_bare, deep, deep_bare, small] = arms else {
        unreachable!("there are five arms")
    };
    let mut text = Vec::new();
    for (with, without) in [(shallow, shallow_bare), (deep, deep_bare)] {
        let values = [
            ("name", with.name.into()),
            ("scores", test_scores(lab, with)),
            ("scores_without", test_scores(lab, without)),
            ("change", change(lab, with, without)),
            ("lowest_without", lowest(without)),
            ("lowest", lowest(with)),
        ];
        text.push(TEXT.paragraph("depth", &values));
    }
    let values = [
        ("shallow", shallow.name.into()),
        ("deep", deep.name.into()),
        ("change", change(lab, shallow, deep)),
    ];
    text.push(TEXT.paragraph("from shallow to deep", &values));
    let values = [
        ("small", small.name.into()),
        ("scores", test_scores(lab, small)),
        ("shallow", shallow.name.into()),
        ("change", change(lab, shallow, small)),
    ];
    text.push(TEXT.paragraph("small CNN", &values));
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
        note: TEXT.paragraph("table of sizes", &[]),
        head: ["arm", "parameters", "images a second"].map(String::from).into(),
        rows: arms.iter().map(row).collect(),
    }
}
