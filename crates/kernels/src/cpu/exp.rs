//! The exponential function of vectors.

use std::f32::consts::LOG2_E;

use super::simd::Simd;

/// What lies beyond has the result 0 or ∞, and is taken as if it lay here.
const LOWEST: f32 = -87.4;
const HIGHEST: f32 = 89.0;

/// Added to this, a number is rounded to a whole one, `n`, and `n + 126` stands in the lowest bits of the sum.
const SHIFT: f32 = 1.5 * (1 << 23) as f32 + 126.0;

/// ln 2 in two parts: 16 bits, whose products with whole numbers of 8 bits are exact, and the rest.
const LN_2: [f32; 2] = [45_426.0 / 65_536.0, 1.428_606_8e-6];

/// Coefficients of r⁶, …, r⁰. Of the polynomials that begin with 1 + r, it has the smallest relative error to eʳ for
/// |r| ≤ ln 2 / 2, by Remez' algorithm: 3·10⁻⁹, also after its coefficients were rounded to these, one after the other.
const POLYNOMIAL: [f32; 7] =
    [0.001_383_890_2, 0.008_369_192_5, 0.041_668_102, 0.166_665_17, 0.499_999_94, 1.0, 1.0];

/// eˣ, to within 1.25 units in the last place, and with fused multiply-add to within one.
///
/// Below −86.99, where the result comes near the smallest normal number, it is 0; above 88.72, ∞. NaN of NaN.
///
/// eˣ = 2ⁿ · eʳ with the whole number n next to x / ln 2, and r = x − n · ln 2.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    // In this order of arguments NaN remains.
    let x = simd.max(simd.splat(LOWEST), simd.min(simd.splat(HIGHEST), x));
    let shift = simd.splat(SHIFT);
    let shifted = simd.mul_add(x, simd.splat(LOG2_E), shift);
    let n = simd.sub(shifted, shift);
    let r = simd.mul_add(n, simd.splat(-LN_2[0]), x);
    let r = simd.mul_add(n, simd.splat(-LN_2[1]), r);
    // 2 · eʳ and 2ⁿ⁻¹, since n may be 128, and single precision has no 2¹²⁸.
    let mut double = simd.splat(2.0 * POLYNOMIAL[0]);
    for &coefficient in &POLYNOMIAL[1..] {
        double = simd.mul_add(double, r, simd.splat(2.0 * coefficient));
    }
    simd.mul(double, simd.low_bits_as_exponent(shifted))
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Task, load_some, run_with_each, store_some};
    use super::*;

    #[derive(Clone, Copy)]
    struct OfAll<'a>(&'a [f32]);

    impl Task for OfAll<'_> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Vec<f32> {
            let mut y = vec![0.0; self.0.len()];
            for (x, y) in self.0.chunks(S::LANES).zip(y.chunks_mut(S::LANES)) {
                // SAFETY: as many numbers as there are.
                unsafe {
                    let power = exp(simd, load_some(simd, x.as_ptr(), x.len()));
                    store_some(simd, y.as_mut_ptr(), power, x.len());
                }
            }
            y
        }
    }

    /// Numbers between `smallest` and `largest`, positive ones, as close to each other as numbers lie there.
    fn between(smallest: f32, largest: f32) -> impl Iterator<Item = f32> {
        (smallest.to_bits()..=largest.to_bits()).step_by(1009).map(f32::from_bits)
    }

    #[test]
    fn it_is_near_double_precision_wherever_it_is_a_normal_number() {
        let positive = between(1e-12, 88.72);
        let negative = between(1e-12, 86.98).map(|x| -x);
        let x: Vec<f32> = positive.chain(negative).collect();
        assert!(x.len() > 700_000);
        for (name, y) in run_with_each(OfAll(&x)) {
            let mut most = (0.0, 0.0);
            for (&x, &y) in x.iter().zip(&y) {
                let expected = f64::from(x).exp();
                let unit = 2.0_f64.powi(expected.log2().floor() as i32 - 23);
                let error = (f64::from(y) - expected).abs() / unit;
                if error > most.0 || error.is_nan() {
                    most = (error, x);
                }
            }
            let (error, x) = most;
            println!("{name}: at most {error:.3} units in the last place, at {x}");
            let bound = if name == "portable" { 1.25 } else { 1.0 };
            assert!(error <= bound, "{name}: {error} units in the last place at {x}");
        }
    }

    #[test]
    fn beyond_the_range_of_numbers_it_is_zero_or_infinite_and_nan_stays_nan() {
        let cases = [
            (0.0, 1.0),
            (-0.0, 1.0),
            (1e-40, 1.0),
            (-1e-40, 1.0),
            (88.73, f32::INFINITY),
            (89.5, f32::INFINITY),
            (1e30, f32::INFINITY),
            (f32::MAX, f32::INFINITY),
            (f32::INFINITY, f32::INFINITY),
            (-87.0, 0.0),
            (-88.0, 0.0),
            (-1000.0, 0.0),
            (f32::MIN, 0.0),
            (f32::NEG_INFINITY, 0.0),
        ];
        let mut x: Vec<f32> = cases.iter().map(|case| case.0).collect();
        x.push(f32::NAN);
        for (name, y) in run_with_each(OfAll(&x)) {
            for (&(x, expected), &y) in cases.iter().zip(&y) {
                assert_eq!(y, expected, "{name}: of {x}");
            }
            assert!(y[cases.len()].is_nan(), "{name}");
        }
    }
}
