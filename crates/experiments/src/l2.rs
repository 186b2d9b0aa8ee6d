//! 004 ③: Adam with weight decay in its gradient.

use backburn_records::number;
use backburn_records::statistics::Spread;
use backburn_regularization::{DecayMode, DecayedParameters, WeightDecay};
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

const TEXT: Text = Text(include_str!("l2.md"));

/// Weight decay of every parameter, as `optim.Adam(model.parameters(), weight_decay=1e-3)` has it.
const WEIGHT_DECAY: WeightDecay =
    WeightDecay { strength: 1e-3, mode: DecayMode::Coupled, parameters: DecayedParameters::All };

fn arms(lab: &Lab) -> Vec<Arm> {
    let recipe = plain(lab);
    let decayed = Recipe { weight_decay: WEIGHT_DECAY, ..recipe.clone() };
    vec![Arm { name: "no decay", recipe }, Arm { name: "L2 0.001", recipe: decayed }]
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
    let test_loss =
        |arm: &ArmRuns| number::loss(Spread::of(&arm.values(|run| run.summary.test_loss)).mean);
    let [plain, decayed] = arms else { unreachable!("there are two arms") };
    let values = [
        ("scores_without", scores(plain)),
        ("scores", scores(decayed)),
        ("change", change(lab, plain, decayed)),
        ("loss_without", test_loss(plain)),
        ("loss", test_loss(decayed)),
        ("trust", trust(lab)),
    ];
    TEXT.paragraph("sentence", &values)
}
