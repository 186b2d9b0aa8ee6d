//! Bend the image like a sheet of rubber.

use std::array;

use rand_chacha::rand_core::Rng;

use super::border::Border;
use super::draw::Draw;
use super::image::Image;
use super::options;
use super::step::Augment;
use super::warp::UNITS;
use crate::image_set::ImageShape;

/// The Gaussian is cut off at this many standard deviations.
const REACH: f64 = 3.0;

/// Moves every pixel by a random field that varies smoothly:
///
/// ```text
/// new(x, y) = old(x + α·(G_σ ∗ u)(x, y), y + α·(G_σ ∗ v)(x, y)),   u, v ~ U(−1, 1) per pixel
/// ```
///
/// where `G_σ` is a Gaussian of sum 1 and standard deviation `sigma` pixels, beyond the edges `u`
/// and `v` are 0, and `alpha` is in pixels. A pixel moves by about `0.16 · alpha / sigma` pixels
/// each way, in standard deviations: 1.4 for the default, which is for handwriting of 28×28.
///
/// Simard et al., [Best Practices for Convolutional Neural Networks Applied to Visual Document
/// Analysis](https://doi.org/10.1109/ICDAR.2003.1227801), ICDAR 2003.
#[derive(Clone, Debug, PartialEq)]
pub struct Elastic {
    alpha: f64,
    sigma: f64,
    border: Border,
    /// Right half of the Gaussian: of distance 0, 1, 2, …
    kernel: Vec<f32>,
}

impl Elastic {
    /// Reads `34:4` or `34:4:reflect`.
    pub(super) fn from_options(options: &str) -> Option<Self> {
        let (numbers, border) = Border::split_from(options);
        let (alpha, sigma) = numbers.split_once(':')?;
        let alpha = options::number(alpha, 0.0..=1000.0)?;
        let sigma = options::number(sigma, 0.5..=100.0)?;
        Some(Self { alpha, sigma, border, kernel: gaussian(sigma) })
    }

    /// A smooth random field in pixels, row by row; `spare` is of the same length.
    fn fill(&self, field: &mut [f32], spare: &mut [f32], width: usize, rng: &mut impl Rng) {
        for pair in field.chunks_mut(2) {
            let bits = rng.next_u32();
            let uniform = |bits: u32| (f32::from(bits as u16 as i16) + 0.5) / 32_768.0;
            let drawn: [f32; 2] = array::from_fn(|half| uniform(bits >> (16 * half)));
            pair.copy_from_slice(&drawn[..pair.len()]);
        }
        // Along the rows, then along the columns.
        for (old, new) in field.chunks_exact(width).zip(spare.chunks_exact_mut(width)) {
            self.smooth(old, new, 1);
        }
        self.smooth(spare, field, width);
        let alpha = self.alpha as f32;
        field.iter_mut().for_each(|value| *value *= alpha);
    }

    /// Convolves with the Gaussian across neighbours that lie `step` apart; beyond the ends is 0.
    fn smooth(&self, old: &[f32], new: &mut [f32], step: usize) {
        for (new, old) in new.iter_mut().zip(old) {
            *new = self.kernel[0] * old;
        }
        for (distance, &weight) in self.kernel.iter().enumerate().skip(1) {
            let Some(overlap) = old.len().checked_sub(distance * step) else { return };
            for (new, old) in new[..overlap].iter_mut().zip(&old[distance * step..]) {
                *new += weight * old;
            }
            for (new, old) in new[distance * step..].iter_mut().zip(&old[..overlap]) {
                *new += weight * old;
            }
        }
    }
}

/// Weights of distance 0, 1, 2, …; on both sides together they sum to 1.
fn gaussian(sigma: f64) -> Vec<f32> {
    let reach = (REACH * sigma).ceil() as u32;
    let weight = |distance: u32| (-0.5 * (f64::from(distance) / sigma).powi(2)).exp();
    let sum = 1.0 + 2.0 * (1..=reach).map(weight).sum::<f64>();
    (0..=reach).map(|distance| (weight(distance) / sum) as f32).collect()
}

impl Augment for Elastic {
    fn name(&self) -> &'static str {
        "elastic"
    }

    fn spec(&self) -> String {
        format!("elastic={}:{}{}", self.alpha, self.sigma, self.border.suffix())
    }

    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        let ImageShape { height, width, .. } = image.shape();
        let area = height * width;
        image.with_scratch(|image, scratch| {
            scratch.resize(3 * area, 0.0);
            let (right, rest) = scratch.split_at_mut(area);
            let (down, spare) = rest.split_at_mut(area);
            self.fill(right, spare, width, &mut draw.rng);
            self.fill(down, spare, width, &mut draw.rng);
            let units = |pixels: f32| (pixels * UNITS as f32).round() as i32;
            image.resample(self.border, |row, column| {
                let place = row * width + column;
                let (y, x) = (units(down[place]), units(right[place]));
                (row as i32 * UNITS + y, column as i32 * UNITS + x)
            });
        });
    }

    fn is_off(&self) -> bool {
        self.alpha == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::rng;
    use super::*;

    const WIDTH: usize = 60;

    fn field(alpha: f64, sigma: f64, seed: u64) -> Vec<f32> {
        let elastic = Elastic { alpha, sigma, border: Border::Zero, kernel: gaussian(sigma) };
        let (mut field, mut spare) = (vec![0.0; 80 * WIDTH], vec![0.0; 80 * WIDTH]);
        elastic.fill(&mut field, &mut spare, WIDTH, &mut rng(seed));
        field
    }

    /// The field far from the edges, where the Gaussian is whole.
    fn inner(field: &[f32]) -> impl Iterator<Item = f32> {
        (20..60).flat_map(move |row| field[row * WIDTH + 15..][..30].iter().copied())
    }

    #[test]
    fn the_field_is_as_wide_as_the_formula_says() {
        // A Gaussian of sum 1 leaves of white noise of variance ⅓ the share 1 / (4πσ²).
        let (alpha, sigma) = (34.0, 4.0);
        let fields: Vec<_> = (0..40).map(|seed| field(alpha, sigma, seed)).collect();
        let squares: Vec<f32> =
            fields.iter().flat_map(|field| inner(field)).map(|v| v * v).collect();
        let found = f64::from(squares.iter().sum::<f32>() / squares.len() as f32);
        let expected = alpha * alpha / 3.0 / (4.0 * std::f64::consts::PI * sigma * sigma);
        assert!((found / expected - 1.0).abs() < 0.15, "{found}, expected {expected}");
    }

    #[test]
    fn neighbours_move_alike_and_distant_pixels_do_not() {
        let (mut near, mut far, mut all) = (0.0, 0.0, 0.0);
        for seed in 0..40 {
            let field = field(1.0, 4.0, seed);
            for row in 20..60 {
                let at = |column: usize| field[row * WIDTH + column];
                near += at(20) * at(21);
                far += at(20) * at(44);
                all += at(20) * at(20);
            }
        }
        // exp(−d² / 4σ²) is 0.98 at distance 1 and 0.0001 at 24.
        assert!(near / all > 0.95, "{}", near / all);
        assert!((far / all).abs() < 0.25, "{}", far / all);
    }

    #[test]
    fn the_gaussian_sums_to_one() {
        for sigma in [0.5, 1.0, 4.0, 30.0] {
            let kernel = gaussian(sigma);
            let sum = 2.0 * kernel.iter().sum::<f32>() - kernel[0];
            assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        }
    }
}
