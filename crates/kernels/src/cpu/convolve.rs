//! Convolution, forward and the gradient of its input, as sums over pixels and kernel positions.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::buffer::{Buffer, Writer};
use super::finish::Finish;
use super::panels::{PackedPanels, Panel, Panels, WeightLayout};
use super::product::{TapOffset, tile};
use super::shape::{ConvShape, Region, Tap, input_regions, output_regions};
use super::simd::{self, Simd, Task, store_some};
use super::winograd::{self, TransformedKernels};

/// Sums of the largest tile: 12 rows of two vectors of 16.
const MOST_SUMS: usize = 12 * 2 * 16;

/// Weights that stay in the second-level cache while pixels pass by, in numbers.
const WEIGHTS_AT_A_TIME: usize = 96 * 1024;
/// Pixels of a task: enough to be worth starting, few enough for a fair share.
const PIXELS_OF_A_TASK: usize = 192;
/// Tasks to aim for where there are few pixels: enough for a fair share among some threads.
const FEWEST_TASKS: usize = 16;

/// What follows `weights ∗ input` is said by `finish`.
///
/// # Shapes
///
/// - `input`: `[batch, height, width, inputs]`
/// - `weights`: as `layout` says
/// - returns: `[batch, height, width, outputs]` of the output
pub fn convolve(
    shape: &ConvShape,
    input: &[f32],
    weights: &[f32],
    layout: WeightLayout,
    finish: Finish<'_>,
) -> Vec<f32> {
    let panels = panels(shape, weights, layout);
    if winograd::filters(shape) {
        return winograd::convolve(shape, input, panels, None, finish);
    }
    forward(shape, input, panels, None, finish)
}

/// The weights of a layer, in the form in which any number of batches reads them.
#[derive(Debug)]
pub struct PackedWeights {
    form: Form,
    /// Output channels, input channels, kernel positions.
    sizes: [usize; 3],
}

/// All panels of the weights.
#[derive(Debug)]
enum Form {
    /// As they are.
    Plain(PackedPanels),
    /// Transformed for minimal filtering.
    Filtering(TransformedKernels),
}

impl PackedWeights {
    /// Whether these are weights of a layer of these sizes, in the form that images of this size are read by.
    pub fn suit(&self, shape: &ConvShape) -> bool {
        self.sizes == sizes(shape)
            && matches!(self.form, Form::Filtering(_)) == winograd::filters(shape)
    }
}

/// [`convolve`] with weights that [`pack`] has put in order for it.
///
/// # Panics
///
/// If they were packed for other sizes.
pub fn convolve_packed(
    shape: &ConvShape,
    input: &[f32],
    weights: &PackedWeights,
    finish: Finish<'_>,
) -> Vec<f32> {
    let unread = WeightLayout { output: 0, input: 0, tap: 0 };
    let panels = panels(shape, &[], unread);
    assert!(weights.suit(shape), "weights packed for another layer, or for images of another size");
    match &weights.form {
        Form::Plain(weights) => forward(shape, input, panels, Some(weights), finish),
        Form::Filtering(kernels) => winograd::convolve(shape, input, panels, Some(kernels), finish),
    }
}

/// The weights of a layer for images of a size.
pub fn pack(shape: &ConvShape, weights: &[f32], layout: WeightLayout) -> PackedWeights {
    let panels = panels(shape, weights, layout);
    let form = match winograd::filters(shape) {
        true => Form::Filtering(winograd::transform(&panels)),
        false => Form::Plain(panels.pack(0..panels.count())),
    };
    PackedWeights { form, sizes: sizes(shape) }
}

fn sizes(shape: &ConvShape) -> [usize; 3] {
    [shape.outputs, shape.inputs, shape.taps()]
}

fn panels<'a>(shape: &ConvShape, weights: &'a [f32], layout: WeightLayout) -> Panels<'a> {
    Panels::new(weights, layout, sizes(shape))
}

fn forward(
    shape: &ConvShape,
    input: &[f32],
    panels: Panels<'_>,
    packed: Option<&PackedPanels>,
    finish: Finish<'_>,
) -> Vec<f32> {
    Gather {
        batch: shape.batch,
        source: input,
        source_pixels: shape.input_pixels(),
        target_pixels: shape.output_pixels(),
        regions: &output_regions(shape),
        panels,
        packed,
        finish,
    }
    .run()
}

/// The gradient of [`convolve`] (without activation) with respect to its input.
///
/// # Shapes
///
/// - `gradient`: `[batch, height, width, outputs]` of the output
/// - returns: `[batch, height, width, inputs]`
pub fn input_gradient(
    shape: &ConvShape,
    gradient: &[f32],
    weights: &[f32],
    layout: WeightLayout,
) -> Vec<f32> {
    let sizes = [shape.inputs, shape.outputs, shape.taps()];
    let panels = Panels::new(weights, layout.exchanged(), sizes);
    if winograd::filters(shape) {
        return winograd::input_gradient(shape, gradient, panels);
    }
    Gather {
        batch: shape.batch,
        source: gradient,
        source_pixels: shape.output_pixels(),
        target_pixels: shape.input_pixels(),
        regions: &input_regions(shape),
        panels,
        packed: None,
        finish: Finish::default(),
    }
    .run()
}

/// Every target pixel gathers what its source pixels send through the weights.
#[derive(Clone, Copy)]
struct Gather<'a> {
    batch: usize,
    source: &'a [f32],
    source_pixels: usize,
    target_pixels: usize,
    regions: &'a [Region],
    panels: Panels<'a>,
    /// All of `panels`, if they are packed already.
    packed: Option<&'a PackedPanels>,
    finish: Finish<'a>,
}

impl Gather<'_> {
    fn run(self) -> Vec<f32> {
        let Self { batch, panels, .. } = self;
        assert_eq!(self.source.len(), batch * self.source_pixels * panels.inputs);
        let numbers = batch * self.target_pixels * panels.outputs;
        self.finish.check(panels.outputs, numbers);
        let mut target = Buffer::new(numbers);
        let to = target.writer();

        let shares: Vec<_> = self
            .regions
            .iter()
            .flat_map(|region| {
                let pixels = batch * region.pixels.len();
                let part =
                    move |first: usize| (region, first..(first + PIXELS_OF_A_TASK).min(pixels));
                (0..pixels).step_by(PIXELS_OF_A_TASK).map(part)
            })
            .collect();
        let in_cache = WEIGHTS_AT_A_TIME / panels.panel_size().max(1);
        let enough_tasks = (panels.count() * shares.len()).div_ceil(FEWEST_TASKS);
        let at_a_time = in_cache.min(enough_tasks).clamp(1, panels.count());
        let mut tasks = Vec::new();
        for first_panel in (0..panels.count()).step_by(at_a_time) {
            let panel_numbers = first_panel..(first_panel + at_a_time).min(panels.count());
            for (region, pixels) in &shares {
                tasks.push((panel_numbers.clone(), *region, pixels.clone()));
            }
        }
        // Panels that a single task reads are packed by that task, and read while they are in its
        // core's cache.
        let own =
            (self.packed.is_none() && shares.len() > 1).then(|| panels.pack(0..panels.count()));
        let packed = self.packed.or(own.as_ref());
        tasks.into_par_iter().for_each(|(panel_numbers, region, pixels)| {
            let tap = |tap: &Tap| TapOffset {
                shift: tap.shift * panels.inputs as isize,
                row: tap.position * panels.inputs,
            };
            let taps = region.taps.iter().map(tap).collect();
            let own;
            let packed = match packed {
                Some(all) => all,
                None => {
                    own = panels.pack(panel_numbers.clone());
                    &own
                }
            };
            simd::run(Share { gather: self, packed, region, taps, pixels, panel_numbers, to });
        });
        // SAFETY: the tasks cover every pixel of every region and every panel.
        unsafe { target.assume_written() }
    }
}

/// A task: some pixels of a region, some panels.
struct Share<'a> {
    gather: Gather<'a>,
    packed: &'a PackedPanels,
    region: &'a Region,
    taps: Vec<TapOffset>,
    pixels: std::ops::Range<usize>,
    panel_numbers: std::ops::Range<usize>,
    to: Writer<'a>,
}

impl Task for Share<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let mut first = self.pixels.start;
        while first < self.pixels.end {
            let rest = self.pixels.end - first;
            let rows = if S::ROWS >= 12 && rest >= 12 {
                self.rows::<S, 12>(simd, first)
            } else if S::ROWS >= 8 && rest >= 8 {
                self.rows::<S, 8>(simd, first)
            } else if rest >= 6 {
                self.rows::<S, 6>(simd, first)
            } else if rest >= 4 {
                self.rows::<S, 4>(simd, first)
            } else if rest >= 2 {
                self.rows::<S, 2>(simd, first)
            } else {
                self.rows::<S, 1>(simd, first)
            };
            first += rows;
        }
    }
}

impl Share<'_> {
    /// `M` pixels from `first` on, with all panels of the task. Returns `M`.
    #[inline(always)]
    fn rows<S: Simd, const M: usize>(&self, simd: S, first: usize) -> usize {
        let Gather { source, source_pixels, target_pixels, panels, .. } = self.gather;
        let (inputs, outputs) = (panels.inputs, panels.outputs);
        let of_image = self.region.pixels.len();
        let mut sources = [source.as_ptr(); M];
        let mut targets = [0; M];
        let (mut image, mut place) = (first / of_image, first % of_image);
        for m in 0..M {
            let (target, source_pixel) = self.region.pixels[place];
            let source_pixel = image * source_pixels + source_pixel as usize;
            for tap in &self.taps {
                let from = (source_pixel * inputs) as isize + tap.shift;
                debug_assert!(from >= 0 && from as usize + inputs <= source.len());
            }
            sources[m] = source.as_ptr().wrapping_add(source_pixel * inputs);
            targets[m] = (image * target_pixels + target as usize) * outputs;
            place += 1;
            if place == of_image {
                (image, place) = (image + 1, 0);
            }
        }
        for number in self.panel_numbers.clone() {
            let panel = panels.panel(self.packed, number);
            if panel.vectors == 2 {
                self.panel::<S, M, 2>(simd, &sources, &targets, panel);
            } else {
                self.panel::<S, M, 1>(simd, &sources, &targets, panel);
            }
        }
        M
    }

    #[inline(always)]
    fn panel<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        sources: &[*const f32; M],
        targets: &[usize; M],
        panel: Panel<'_>,
    ) {
        let depth = self.gather.panels.inputs;
        let finish = self.gather.finish;
        let mut start = [simd.splat(0.0); N];
        let mut counts = [0; N];
        for (n, (start, count)) in start.iter_mut().zip(&mut counts).enumerate() {
            *count = panel.outputs.saturating_sub(n * S::LANES).min(S::LANES);
            if finish.scale.is_none() {
                // A bias; a scale would scale it.
                *start = finish.shifts(simd, panel.first + n * S::LANES, *count);
            }
        }
        for tap in &self.taps {
            debug_assert!((tap.row + depth) * N * S::LANES <= panel.values.len());
        }
        let mut sums = [const { MaybeUninit::<f32>::uninit() }; MOST_SUMS];
        let sums: *mut f32 = sums.as_mut_ptr().cast();
        let weights = panel.values.as_ptr();
        // SAFETY: regions hold pixels of the images only, and a panel has weights for all taps.
        unsafe { tile::<S, M, N>(simd, sources, &self.taps, depth, weights, start, sums) };
        for (m, target) in targets.iter().enumerate() {
            for (n, &count) in counts.iter().enumerate() {
                let first = panel.first + n * S::LANES;
                let to = self.to.at(target + first, count);
                // SAFETY: `tile` wrote the sums; the numbers of this pixel belong to this task.
                unsafe {
                    let mut value = simd.load(sums.add((m * N + n) * S::LANES));
                    if finish.scale.is_some() {
                        let scale = finish.scales(simd, first, count);
                        value = simd.mul_add(value, scale, finish.shifts(simd, first, count));
                    }
                    let value = finish.end(simd, value, target + first, count);
                    store_some(simd, to, value, count);
                }
            }
        }
    }
}
