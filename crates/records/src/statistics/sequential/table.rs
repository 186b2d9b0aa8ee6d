//! The default looks, with their constants, so that nothing is simulated for them.

use super::calibration::Constants;

/// The fewest seeds at which anything is said.
pub const FIRST_LOOK: usize = 3;

/// Where one looks if nothing else is said.
pub const DEFAULT_LOOKS: [usize; 12] = [4, 6, 8, 10, 15, 20, 30, 40, 60, 80, 100, 150];

/// The default looks up to `most` seeds, `most` being the last; empty below [`FIRST_LOOK`].
pub fn default_looks(most: usize) -> Vec<usize> {
    let before = DEFAULT_LOOKS.into_iter().filter(|look| *look < most);
    before.chain((most >= FIRST_LOOK).then_some(most)).collect()
}

/// Arms that the table goes up to.
const ARMS: usize = 8;

/// Constants of the first so many default looks.
struct Row {
    settled: f64,
    /// By the number of arms that are open, from one.
    different: [f64; ARMS],
}

/// From two looks on, by `tests/pytorch/small_samples.py looks`: of 8 million studies each, so that they know a chance of
/// 5 % within 0.015 points (two standard errors).
const ROWS: [Row; DEFAULT_LOOKS.len() - 1] = [
    Row {
        settled: 1.8340,
        different: [2.1375, 2.4069, 2.5539, 2.6530, 2.7280, 2.7879, 2.8381, 2.8804],
    },
    Row {
        settled: 1.9261,
        different: [2.2227, 2.4869, 2.6309, 2.7280, 2.8015, 2.8608, 2.9102, 2.9510],
    },
    Row {
        settled: 1.9822,
        different: [2.2749, 2.5363, 2.6768, 2.7717, 2.8435, 2.9019, 2.9506, 2.9911],
    },
    Row {
        settled: 2.0215,
        different: [2.3022, 2.5541, 2.6900, 2.7830, 2.8529, 2.9086, 2.9549, 2.9949],
    },
    Row {
        settled: 2.0509,
        different: [2.3272, 2.5742, 2.7085, 2.8005, 2.8698, 2.9251, 2.9710, 3.0107],
    },
    Row {
        settled: 2.0647,
        different: [2.3328, 2.5748, 2.7068, 2.7966, 2.8651, 2.9194, 2.9651, 3.0037],
    },
    Row {
        settled: 2.0814,
        different: [2.3459, 2.5853, 2.7153, 2.8036, 2.8708, 2.9251, 2.9696, 3.0086],
    },
    Row {
        settled: 2.0820,
        different: [2.3413, 2.5763, 2.7062, 2.7948, 2.8625, 2.9154, 2.9597, 2.9988],
    },
    Row {
        settled: 2.0902,
        different: [2.3483, 2.5820, 2.7109, 2.7993, 2.8662, 2.9193, 2.9637, 3.0034],
    },
    Row {
        settled: 2.1013,
        different: [2.3580, 2.5925, 2.7216, 2.8106, 2.8786, 2.9321, 2.9762, 3.0150],
    },
    Row {
        settled: 2.0942,
        different: [2.3466, 2.5777, 2.7058, 2.7929, 2.8593, 2.9134, 2.9574, 2.9954],
    },
];

/// Constants of these looks with so many arms, if they are here.
pub(super) fn constants(looks: &[usize], arms: usize) -> Option<Constants> {
    let row = ROWS.get(looks.len().checked_sub(2)?)?;
    let different = row.different.get(..arms)?.to_vec();
    DEFAULT_LOOKS.starts_with(looks).then_some(Constants { different, settled: row.settled })
}

#[cfg(test)]
mod tests {
    use super::super::calibration::{Calibration, Sides};
    use super::*;

    #[test]
    fn the_constants_stop_as_many_studies_as_they_should() {
        for (row, end) in ROWS.iter().zip(2..) {
            // Few where they are long.
            let (looks, studies) = (&DEFAULT_LOOKS[..end], if end < 8 { 40_000 } else { 5_000 });
            let calibration = Calibration::drawn(looks, studies, end as u64);
            let is_near = |constant: f64, sides: Sides, chance: f64| {
                let found = calibration.stopped(constant, sides);
                let error = (chance / studies as f64).sqrt();
                assert!(
                    (found - chance).abs() < 4.0 * error,
                    "{looks:?} {sides:?} {chance}: {found}"
                );
            };
            is_near(row.settled, Sides::Above, 0.05);
            for (constant, arms) in row.different.into_iter().zip(1..) {
                is_near(constant, Sides::Both, 0.05 / f64::from(arms));
            }
        }
    }

    #[test]
    fn simulated_constants_are_those_of_the_table() {
        let looks = &DEFAULT_LOOKS[..4];
        let calibration = Calibration::drawn(looks, 100_000, 1);
        let row = &ROWS[2];
        for (open, constant) in [(1.0, row.different[0]), (8.0, row.different[7])] {
            let found = calibration.constant(0.05 / open, Sides::Both);
            assert!((found - constant).abs() < 0.03, "{open}: {found} instead of {constant}");
        }
        let settled = calibration.constant(0.05, Sides::Above);
        assert!((settled - row.settled).abs() < 0.02, "{settled}");
    }

    #[test]
    fn other_looks_and_more_arms_are_not_in_the_table() {
        assert!(constants(&[4, 6, 8], ARMS).is_some());
        assert_eq!(constants(&[4, 6, 8], ARMS + 1), None);
        assert_eq!(constants(&[4, 6, 9], 1), None);
        assert_eq!(constants(&[4], 1), None);
    }
}
