//! Arms as words on a command line: `none,dropout=0.3,l2,mixup+cutout,dropout=0:0.8:0.2`.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_data::augment;
use backburn_data::nearest::did_you_mean;
use backburn_training::picture_names;
use backburn_training::recipe::{Recipe, built_in};
use backburn_training::recipe_change::RecipeChange;
use backburn_training::recipe_settings::CATALOG;

use crate::arm_list::{ListedArm, regularizers};

/// The arm that changes nothing.
pub const NONE: &str = "none";

/// What `ablate` compares if nothing is named.
pub const USUAL: [&str; 8] = [
    "none",
    "dropout=0.3",
    "l2",
    "weight-decay",
    "label-smoothing",
    "disturb-label",
    "augmentation",
    "early-stopping",
];

/// What the data set's own recipe augments with.
const AUGMENTATION: &str = "augmentation";

/// The setting that takes augmentations, one after the other.
const AUGMENT: &str = "augment";

/// Joins techniques of one arm.
const AND: char = '+';

/// The most arms that a range may stand for; more is taken for a mistake.
const MOST_STEPS: usize = 100;

/// The arms that `words` name, in their order. `base`: the recipe that they change.
///
/// A word is techniques with `+` between them, each by its name in the list of regularizers, the name of an
/// augmentation, `augmentation` (what the data set's own recipe has), `none`, or a setting with its value:
/// `dropout=0.3`. A range `dropout=0:0.8:0.2`, from, to and step, is an arm a value.
///
/// # Errors
///
/// If a word is none of these, or two techniques of an arm set the same.
pub fn arms(words: &[String], base: &Recipe) -> Result<Vec<ListedArm>, String> {
    let mut arms = Vec::new();
    for word in words.iter().map(|word| word.trim()) {
        let parts: Vec<Vec<ListedArm>> = word
            .split(AND)
            .map(|part| alternatives(part.trim(), base))
            .collect::<Result<_, _>>()?;
        let mut joined = vec![ListedArm::default()];
        for alternatives in parts {
            let pairs = joined.iter().flat_map(|arm| alternatives.iter().map(move |it| (arm, it)));
            joined = pairs.map(|(arm, it)| join(arm, it, word)).collect::<Result<_, _>>()?;
        }
        arms.extend(joined);
    }
    Ok(arms)
}

/// The arms that `words` name, as [`arms`] gives them, but the one that changes nothing first, named or not; and without
/// members of ranges that are what `base` is already.
///
/// # Errors
///
/// As [`arms`].
pub fn against_none(words: &[String], base: &Recipe) -> Result<Vec<ListedArm>, String> {
    let mut listed = arms(words, base)?;
    let is_base = |arm: &ListedArm| {
        arm.name != NONE && arm.change.apply(base).is_ok_and(|recipe| recipe == *base)
    };
    let ranges = words.iter().filter(|word| word.matches(':').count() == 2);
    let of_ranges = arms(&ranges.cloned().collect::<Vec<_>>(), base)?;
    let is_of_range = |arm: &ListedArm| of_ranges.iter().any(|other| other.name == arm.name);
    listed.retain(|arm| !(is_of_range(arm) && is_base(arm)));
    if !listed.iter().any(|arm| arm.name == NONE) {
        let none = ListedArm { name: NONE.into(), ..ListedArm::default() };
        listed.insert(0, ListedArm { summary: "no regularizer".into(), ..none });
    }
    let none = listed.iter().position(|arm| arm.name == NONE).unwrap_or(0);
    if let Some(first) = listed.get_mut(..=none) {
        first.rotate_right(1);
    }
    Ok(listed)
}

/// What one technique stands for: an arm, or several if it is a range.
fn alternatives(part: &str, base: &Recipe) -> Result<Vec<ListedArm>, String> {
    let Some((setting, value)) = part.split_once('=') else {
        return named(part, base).map(|arm| vec![arm]);
    };
    let arm = |value: &str| -> Result<ListedArm, String> {
        let change = RecipeChange::default().with_text(&format!("{setting}={value}"));
        let change = change.map_err(|error| error.to_string())?;
        let (name, summary) = (format!("{setting}={value}"), format!("{setting} {value}"));
        Ok(ListedArm { name, summary, change, ..ListedArm::default() })
    };
    match range(part, value)? {
        Some(values) => values.iter().map(|value| arm(value)).collect(),
        None => Ok(vec![arm(value)?]),
    }
}

/// A technique by its name.
fn named(name: &str, base: &Recipe) -> Result<ListedArm, String> {
    let listed = regularizers();
    let is_named = |arm: &&ListedArm| arm.name == name || arm.alias.as_deref() == Some(name);
    if let Some(arm) = listed.iter().find(is_named) {
        return Ok(ListedArm { name: name.to_owned(), alias: None, ..arm.clone() });
    }
    let augmented = |pipeline: &str, summary: &str| ListedArm {
        name: name.to_owned(),
        summary: summary.to_owned(),
        change: RecipeChange::default().with(AUGMENT, pipeline),
        ..ListedArm::default()
    };
    if name == AUGMENTATION {
        let own = match picture_names::folder(&base.dataset) {
            Some(_) => built_in("pictures"),
            None => built_in(&base.dataset),
        };
        let own = own.map_err(|error| error.to_string())?.augment.to_string();
        return Ok(augmented(&own, &format!("images changed at random: {own}")));
    }
    if let Some(row) = augment::CATALOG.iter().find(|row| row.name == name) {
        return Ok(augmented(name, row.summary));
    }
    let mut known: Vec<&str> = listed.iter().map(|arm| arm.name.as_str()).collect();
    known.extend(listed.iter().filter_map(|arm| arm.alias.as_deref()));
    known.push(AUGMENTATION);
    known.extend(augment::CATALOG.iter().map(|row| row.name));
    let setting = CATALOG.iter().any(|row| row.name == name);
    let cure = if setting { format!("; a value is given as {name}=VALUE") } else { String::new() };
    let settings = CATALOG.iter().map(|row| row.name);
    let meant = did_you_mean(name, known.iter().copied().chain(settings));
    Err(format!(
        "`--arms`: unknown technique `{name}`{meant}{cure}; known: {}; or a setting of `train` with its \
         value, such as dropout=0.3 or dropout=0:0.8:0.2",
        known.join(", ")
    ))
}

/// The values of `FROM:TO:STEP` as texts without superfluous digits; `None` of what is no range.
fn range(part: &str, value: &str) -> Result<Option<Vec<String>>, String> {
    let numbers: Option<Vec<f64>> = value.split(':').map(|text| text.parse().ok()).collect();
    let Some([from, to, step]) = numbers.as_deref() else { return Ok(None) };
    let wrong = |what: &str| {
        Err(format!("`--arms`: `{part}`: expected FROM:TO:STEP as in dropout=0:0.8:0.2, {what}"))
    };
    let steps = (to - from) / step;
    if !(steps.is_finite() && steps >= 0.0) || *step == 0.0 {
        return wrong("found a range that is empty or does not come to its end");
    }
    // A step less than the last one, given that 0.8 is not 4 times 0.2 in binary.
    let last = (steps + 1e-9).floor();
    if last as usize >= MOST_STEPS {
        return wrong(&format!("of at most {MOST_STEPS} values, found {}", last + 1.0));
    }
    let digits = value.split(':').map(decimals).max().unwrap_or(0);
    let at = |place: usize| format!("{:.digits$}", from + place as f64 * step);
    let plain = |text: String| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    };
    Ok(Some((0..=last as usize).map(|place| plain(at(place))).collect()))
}

/// Digits behind the decimal point that a number is written with or, for one with an exponent, needs.
fn decimals(number: &str) -> usize {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let behind = mantissa.split_once('.').map_or(0, |(_, behind)| behind.len()) as i64;
    (behind - exponent.parse::<i64>().unwrap_or(0)).clamp(0, 12) as usize
}

/// Both techniques together.
fn join(first: &ListedArm, then: &ListedArm, word: &str) -> Result<ListedArm, String> {
    if first.name.is_empty() {
        return Ok(then.clone());
    }
    let mut change = first.change.clone();
    for (setting, value) in then.change.values() {
        let value = match (change.value(setting), value.as_str()) {
            (None, _) => value.clone(),
            // Augmentations follow one another.
            (Some(before), Some(after)) if setting == AUGMENT && before.as_str().is_some() => {
                format!("{},{after}", before.as_str().unwrap_or_default()).into()
            }
            (Some(_), _) => {
                return Err(format!(
                    "`--arms`: `{word}`: both {} and {} set `{setting}`; give one of them a value \
                     alone",
                    first.name, then.name
                ));
            }
        };
        change = change.with(setting, value);
    }
    Ok(ListedArm {
        name: format!("{}{AND}{}", first.name, then.name),
        summary: format!("{}; {}", first.summary, then.summary),
        change,
        ..ListedArm::default()
    })
}

/// For each of `arms` that changes anything, all the others of them together: what is missed where it is left out.
/// The first is all of them.
///
/// # Errors
///
/// If fewer than two change anything, or two of them set the same.
pub fn leave_one_out(arms: &[ListedArm]) -> Result<Vec<ListedArm>, String> {
    let changing: Vec<&ListedArm> = arms.iter().filter(|arm| !arm.change.is_empty()).collect();
    if changing.len() < 2 {
        return Err("`--leave-one-out`: expected at least 2 arms that change something".into());
    }
    let together = |left_out: Option<usize>| -> Result<ListedArm, String> {
        let mut others = changing.iter().enumerate().filter(|(place, _)| Some(*place) != left_out);
        others.try_fold(ListedArm::default(), |all, (_, arm)| join(&all, arm, "--leave-one-out"))
    };
    let named = |name: String, summary: String, arm: ListedArm| ListedArm { name, summary, ..arm };
    let all = together(None)?;
    let mut left = vec![named("all".into(), all.summary.clone(), all)];
    for (place, arm) in changing.iter().enumerate() {
        let (name, summary) = (format!("no-{}", arm.name), format!("all but {}", arm.name));
        left.push(named(name, summary, together(Some(place))?));
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Recipe {
        built_in("small").unwrap()
    }

    fn of(words: &str) -> Result<Vec<ListedArm>, String> {
        arms(&words.split(',').map(str::to_owned).collect::<Vec<_>>(), &base())
    }

    fn changes(words: &str) -> Vec<(String, String)> {
        let arm = |arm: ListedArm| (arm.name, arm.change.words().join(" "));
        of(words).unwrap().into_iter().map(arm).collect()
    }

    #[test]
    fn words_name_techniques_settings_and_both_together() {
        let expected = [
            ("none", ""),
            ("dropout=0.3", "--dropout 0.3"),
            ("l2", "--weight-decay 0.001 --decay-mode coupled"),
            ("label-smoothing", "--label-smoothing 0.1"),
            ("disturb-label", "--disturb-label 10"),
            ("early-stopping", "--early-stopping patience=5 --keep best"),
            ("mixup+cutout", "--augment cutout=8 --mixup 0.2"),
            ("shift+flip", "--augment crop=2,flip"),
        ];
        let words: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
        let found = changes(&words.join(","));
        for ((name, change), (expected_name, expected)) in found.iter().zip(expected) {
            assert_eq!(name, expected_name);
            let sorted = |text: &str| {
                let mut words: Vec<String> =
                    text.split(" --").map(|w| w.trim_start_matches('-').into()).collect();
                words.sort();
                words
            };
            assert_eq!(sorted(change), sorted(expected), "{name}");
        }
    }

    #[test]
    fn augmentation_is_that_of_the_data_sets_own_recipe() {
        let of = |dataset: &str| {
            let base = Recipe { dataset: dataset.into(), ..base() };
            named(AUGMENTATION, &base).unwrap().change.apply(&base).unwrap().augment
        };
        assert_eq!(of("cifar10"), built_in("cifar10").unwrap().augment);
        assert_eq!(of("mnist"), built_in("mnist").unwrap().augment);
        assert_eq!(of("folder:/somewhere"), built_in("pictures").unwrap().augment);
    }

    #[test]
    fn a_range_is_an_arm_a_value_without_rounding_errors() {
        let names = |words: &str| -> Vec<String> {
            of(words).unwrap().into_iter().map(|arm| arm.name).collect()
        };
        let expected = ["dropout=0", "dropout=0.2", "dropout=0.4", "dropout=0.6", "dropout=0.8"];
        assert_eq!(names("dropout=0:0.8:0.2"), expected);
        assert_eq!(names("epochs=10:20:5"), ["epochs=10", "epochs=15", "epochs=20"]);
        assert_eq!(names("l1=1e-4:3e-4:1e-4"), ["l1=0.0001", "l1=0.0002", "l1=0.0003"]);
        assert_eq!(names("dropout=0.1:0.2:0.1+flip"), ["dropout=0.1+flip", "dropout=0.2+flip"]);
        for (words, part) in [
            ("dropout=0.8:0:0.2", "empty"),
            ("dropout=0:1:0", "does not come to its end"),
            ("epochs=1:1000:1", "at most 100 values, found 1000"),
        ] {
            let error = of(words).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_first_arm_changes_nothing_and_no_member_of_a_range_is_the_same() {
        let names = |words: &str| -> Vec<String> {
            let words: Vec<String> = words.split(',').map(str::to_owned).collect();
            against_none(&words, &base()).unwrap().into_iter().map(|arm| arm.name).collect()
        };
        assert_eq!(names("l2,flip"), ["none", "l2", "flip"]);
        assert_eq!(names("l2,none,flip"), ["none", "l2", "flip"]);
        assert_eq!(names("dropout=0:0.4:0.2"), ["none", "dropout=0.2", "dropout=0.4"]);
        assert_eq!(names(&USUAL.join(",")), USUAL);
        // Asked for by itself it is kept, so that it can be refused by name.
        assert_eq!(names("dropout=0"), ["none", "dropout=0"]);
    }

    #[test]
    fn what_is_no_arm_is_refused_by_name() {
        for (words, part) in [
            ("dropuot", "unknown technique `dropuot` (did you mean `dropout`?); known"),
            ("epochs", "a value is given as epochs=VALUE"),
            ("l2+weight-decay", "both l2 and weight-decay set `decay-mode`"),
        ] {
            let error = of(words).unwrap_err();
            assert!(error.contains(part), "{words}: {error}");
        }
        // Which setting there is, its value and its range are the recipe's to say.
        let unknown = of("drop-out=0.3").unwrap();
        assert!(unknown[0].change.apply_as_arm(&base()).is_err());
    }

    #[test]
    fn one_left_out_at_a_time() {
        let left = leave_one_out(&of("none,dropout=0.3,l1,flip").unwrap()).unwrap();
        let names: Vec<&str> = left.iter().map(|arm| arm.name.as_str()).collect();
        assert_eq!(names, ["all", "no-dropout=0.3", "no-l1", "no-flip"]);
        assert_eq!(left[0].change.words().join(" "), "--augment flip --dropout 0.3 --l1 0.0001");
        assert!(!left[1].change.sets("dropout") && left[1].change.sets("l1"));
        assert!(leave_one_out(&of("none,dropout=0.3").unwrap()).is_err());
    }
}
