//! 004 ①: the same network with and without augmented training images.

use backburn_report::Findings;
use backburn_training::failure::Failure;
use backburn_training::recipe::Recipe;

use super::lab::Lab;
use super::resnet_runs::{
    accuracy_figures, change, differences, loss_figures, plain, printed_accuracy, reduced,
    score_figures, score_table, scores, setup, trust,
};
use super::runs::{self, Arm, ArmRuns, epochs, train};
use super::settings::Settings;
use super::text::Text;

const TEXT: Text = Text(include_str!("augmentation.md"));

const AUGMENTATION: &str = "crop=4,flip";

fn arms(lab: &Lab) -> Vec<Arm> {
    let recipe = plain(lab);
    let augmented = Recipe {
        augment: AUGMENTATION.parse().expect("both augmentations exist"),
        ..recipe.clone()
    };
    vec![Arm { name: "unchanged images", recipe }, Arm { name: "crop and flip", recipe: augmented }]
}

pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    Ok(runs::settings(&arms(lab)))
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let arms = arms(lab);
    let mut setup = setup(lab, &arms[0].recipe);
    setup.push(TEXT.paragraph("set-up", &[]));
    let arms = train(lab, arms)?;
    let mut figures = accuracy_figures(&arms);
    figures.extend(loss_figures(&arms, &[]));
    figures.extend(score_figures(&arms));
    let mut differences = differences();
    differences.push(TEXT.paragraph("differences", &[]));
    Ok(Findings {
        sentence: sentence(lab, &arms),
        setup,
        reduced: reduced(lab),
        comparisons: vec![printed_accuracy(lab, &arms[0])],
        tables: vec![score_table(&arms)],
        figures,
        data: vec![epochs(&arms)],
        differences,
        ..Findings::default()
    })
}

fn sentence(lab: &Lab, arms: &[ArmRuns]) -> String {
    let [plain, augmented] = arms else { unreachable!("there are two arms") };
    let values = [
        ("scores_without", scores(plain)),
        ("scores", scores(augmented)),
        ("change", change(lab, plain, augmented)),
        ("trust", trust(lab)),
    ];
    TEXT.paragraph("sentence", &values)
}
