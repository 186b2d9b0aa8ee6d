//! Dropout: each number kept or not by a random number of its own.

use rayon::prelude::*;

use super::activation::NUMBERS_OF_A_TASK;
use super::buffer::Buffer;
use super::simd::{self, Simd, Task};

/// What decides which numbers are dropped: the same mask for the same value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DropoutMask {
    /// Share of numbers that are dropped, in `[0, 1)`.
    pub rate: f64,
    /// Names the stream of random numbers.
    pub key: [u32; 2],
}

/// `x / (1 − rate)` where the mask keeps it, else zero. Applied to the output's gradient, it gives
/// the input's.
pub fn dropout(mask: DropoutMask, x: &[f32]) -> Vec<f32> {
    let mut y = Buffer::new(x.len());
    let to = y.writer();
    let scale = (1.0 / (1.0 - mask.rate)) as f32;
    // Of 2³² random numbers that many are dropped.
    let threshold = (mask.rate * f64::from(u32::MAX) + 0.5) as u32;
    x.par_chunks(NUMBERS_OF_A_TASK).enumerate().for_each(|(number, x)| {
        let first = number * NUMBERS_OF_A_TASK;
        // SAFETY: this part of the output is written here alone, and not read.
        let y = unsafe { to.slice(first, x.len()) };
        simd::run(Drop { x, y, first: first as u32, threshold, scale, key: mask.key });
    });
    // SAFETY: the parts cover all of `x`.
    unsafe { y.assume_written() }
}

struct Drop<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    /// Place of the first number.
    first: u32,
    threshold: u32,
    scale: f32,
    key: [u32; 2],
}

impl Task for Drop<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { x, y, first, threshold, scale, key } = self;
        // Chosen in the loop's condition, so that the compiler makes vectors of it.
        for place in 0..x.len().min(y.len()) {
            let random = random(first.wrapping_add(place as u32), key);
            y[place] = if random >= threshold { x[place] * scale } else { 0.0 };
        }
    }
}

/// Random number `place` of the stream `key`: two rounds of a mixer whose output bits depend on all
/// input bits. There is no state to pass on, so any thread can draw any number.
///
/// The mixer is Chris Wellons' [lowbias32](https://nullprogram.com/blog/2018/07/31/).
#[inline(always)]
fn random(place: u32, key: [u32; 2]) -> u32 {
    mix(mix(place.wrapping_add(key[0])) ^ key[1])
}

#[inline(always)]
fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of `count` ones are kept.
    fn kept(count: usize, rate: f64, key: [u32; 2]) -> Vec<bool> {
        let y = dropout(DropoutMask { rate, key }, &vec![1.0; count]);
        y.iter().map(|&v| v > 0.0).collect()
    }

    #[test]
    fn pairs_of_neighbours_are_independent() {
        // Of bits that are independent and fair, each of the four pairs is a quarter of all; the same
        // for numbers further apart, and for the same place of two streams.
        let count = 100_000;
        let bits = kept(count + 64, 0.5, [1, 2]);
        let other = kept(count + 64, 0.5, [1, 3]);
        let shifted = |distance: usize| bits[distance..distance + count].to_vec();
        for second in [shifted(1), shifted(2), shifted(16), shifted(64), other[..count].to_vec()] {
            let mut pairs = [0.0_f64; 4];
            for (&a, &b) in bits.iter().zip(&second) {
                pairs[usize::from(a) * 2 + usize::from(b)] += 1.0;
            }
            let expected = count as f64 / 4.0;
            let chi_squared: f64 = pairs.iter().map(|p| (p - expected).powi(2) / expected).sum();
            // The 99.99 % quantile with three degrees of freedom.
            assert!(chi_squared < 21.1, "{chi_squared}");
        }
    }

    #[test]
    fn shares_in_blocks_vary_as_much_as_chance() {
        // 1,000 blocks of 100 at rate 0.3: variances of sums are 100 · 0.3 · 0.7 = 21.
        let kept = kept(100_000, 0.3, [7, 9]);
        let sums: Vec<f64> =
            kept.chunks(100).map(|c| c.iter().filter(|&&k| k).count() as f64).collect();
        let mean = sums.iter().sum::<f64>() / 1_000.0;
        let variance = sums.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / 999.0;
        assert!((mean - 70.0).abs() < 5.0 * (21.0_f64 / 1_000.0).sqrt(), "{mean}");
        // Five standard errors of a variance: 21 · √(2 / 999).
        assert!((variance - 21.0).abs() < 5.0 * 21.0 * (2.0_f64 / 999.0).sqrt(), "{variance}");
    }

    #[test]
    fn the_gradient_passes_where_the_output_did() {
        let mask = DropoutMask { rate: 0.4, key: [5, 6] };
        let y = dropout(mask, &[2.0; 1_000]);
        let gradient = dropout(mask, &[1.0; 1_000]);
        assert!(y.iter().zip(&gradient).all(|(&y, &g)| y == 2.0 * g));
    }
}
