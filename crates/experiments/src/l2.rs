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
    setup.push(
        "L2: Adam adds 0.001·w to the gradient of every parameter w, also of biases and batch \
         normalization."
            .into(),
    );
    let arms = train(lab, arms)?;
    let mut figures = accuracy_figures(&arms);
    figures.extend(loss_figures(&arms, &[]));
    figures.extend(score_figures(&arms));
    let mut differences = differences();
    differences.push(
        "The source shows the optimizer's line only; network and training are those of its § 1. It \
         calls the optimum within a circle that the weights may not leave; what Adam is given \
         pulls them to zero instead, divided by its running mean of squared gradients like the \
         rest of the gradient, so that weights with large gradients are pulled less."
            .into(),
    );
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
    format!(
        "Test accuracy {} without weight decay, {} with L2 0.001 in Adam: {}. The test loss is {} \
         without, {} with. {}",
        scores(plain),
        scores(decayed),
        change(lab, plain, decayed),
        test_loss(plain),
        test_loss(decayed),
        trust(lab)
    )
}
