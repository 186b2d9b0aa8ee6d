//! 003 §6.4: 300 images, with and without weight decay.

use backburn_records::statistics::Spread;
use backburn_report::Findings;
use backburn_training::failure::Failure;

use super::few_images::{SmallMlp, percent};
use super::lab::Lab;
use super::overfitting::{
    self, Arm, IMAGES, LAYERS, caveat, comparison, data, effect, figure, gap_figure, setup,
    unguarded, values,
};
use super::settings::Settings;

const STRENGTH: f64 = 0.1;

fn arms() -> [Arm; 2] {
    let decayed = Arm {
        name: "λ 0.1",
        title: "300 images, weight decay with λ = 0.1",
        file: "weight_decay",
        network: SmallMlp { weight_decay: STRENGTH, ..SmallMlp::new(LAYERS) },
        reference: [(0.881, 0.021), (0.708, 0.014), (0.173, 0.021)],
    };
    [unguarded(), decayed]
}

pub(super) fn settings(lab: &Lab) -> Result<Settings, Failure> {
    let arm = |settings, arm: &Arm| overfitting::settings(lab, settings, arm.name, &arm.network);
    Ok(arms().iter().fold(Settings::default(), arm))
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Failure> {
    let images = lab.first(IMAGES);
    let diagnostic = lab.diagnostic(&images, "curves of test accuracy");
    let test = lab.test(&images, "test accuracy after training", "last update, all networks");
    let mut trained = Vec::new();
    for arm in arms() {
        let courses = overfitting::train(lab, &arm.network, &images, &test, Some(&diagnostic))?;
        lab.say(&format!("{}: {} networks", arm.name, courses.len()));
        trained.push((arm, courses));
    }
    let arms = trained;
    let (without, with) = (&arms[0].1, &arms[1].1);
    let train = |courses| Spread::of(&values(courses, |end| end.train)).mean;
    let verdict = if train(with) < 1.0 {
        "stays below 100 %, as the source says"
    } else {
        "reaches 100 %, unlike in the source"
    };
    let sentence = format!(
        "With λ = {STRENGTH} the training accuracy {verdict} ({} instead of {}). Weight decay \
         {}.{}",
        percent(train(with)),
        percent(train(without)),
        effect(without, with, lab.data().test.len()),
        caveat(lab)
    );
    let mut setup = setup(lab);
    setup.push(format!(
        "Weight decay adds the penalty ½λ‖W‖² of weights, not of biases: λW joins the gradient. λ \
         is 0 or {STRENGTH}."
    ));
    Ok(Findings {
        sentence,
        setup,
        comparisons: vec![comparison(lab, &arms)],
        figures: vec![
            figure(
                lab,
                &arms[0].0,
                without,
                "Without weight decay. Test accuracy is diagnostic: nothing is selected by it.",
            ),
            figure(lab, &arms[1].0, with, "With λ = 0.1, on the same axes."),
            gap_figure(lab, &arms),
        ],
        data: vec![data(lab, &arms)],
        differences: vec![
            "The source gives each network initial weights and batches of its own; here both have \
             the same ones."
                .into(),
        ],
        ..Findings::default()
    })
}
