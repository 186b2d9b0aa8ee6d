//! 003 §6.4: 300 images, with and without weight decay.

use backburn_records::number::counted;
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
use super::text::Text;

const TEXT: Text = Text(include_str!("weight_decay.md"));

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
        lab.say(&format!("{}: {}", arm.name, counted(courses.len(), "network")));
        trained.push((arm, courses));
    }
    let arms = trained;
    let (without, with) = (&arms[0].1, &arms[1].1);
    let train = |courses| Spread::of(&values(courses, |end| end.train)).mean;
    let verdict = if train(with) < 1.0 { "stays below" } else { "reaches" };
    let values = [
        ("strength", STRENGTH.to_string()),
        ("verdict", TEXT.paragraph(verdict, &[])),
        ("train", percent(train(with))),
        ("train_without", percent(train(without))),
        ("effect", effect(without, with, lab.data().test.len())),
        ("caveat", caveat(lab)),
    ];
    let sentence = TEXT.paragraph("sentence", &values);
    let mut setup = setup(lab);
    setup.push(TEXT.paragraph("set-up", &[("strength", STRENGTH.to_string())]));
    Ok(Findings {
        sentence,
        setup,
        comparisons: vec![comparison(lab, &arms)],
        figures: vec![
            figure(lab, &arms[0].0, without, TEXT.paragraph("figure without", &[])),
            figure(lab, &arms[1].0, with, TEXT.paragraph("figure with", &[])),
            gap_figure(lab, &arms),
        ],
        data: vec![data(lab, &arms)],
        differences: TEXT.list("differences", &[]),
        ..Findings::default()
    })
}
