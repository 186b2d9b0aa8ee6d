//! Sizes of a convolution, and which pixels meet which.

use std::sync::Arc;

use super::kept::Kept;

/// Sizes of a two-dimensional convolution of channels-last images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvShape {
    /// Images.
    pub batch: usize,
    /// Height and width of the input in pixels.
    pub input: [usize; 2],
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Pixels from one window to the next, down and right; at least 1.
    pub stride: [usize; 2],
    /// Zeros around the input, above and below, left and right.
    pub padding: [usize; 2],
}

impl ConvShape {
    /// A linear layer: a 1×1 convolution of one row of `batch` pixels.
    pub fn linear(batch: usize, inputs: usize, outputs: usize) -> Self {
        Self {
            batch: 1,
            input: [1, batch],
            inputs,
            outputs,
            kernel: [1, 1],
            stride: [1, 1],
            padding: [0, 0],
        }
    }

    /// Height and width of the output in pixels.
    ///
    /// # Panics
    ///
    /// If the kernel is larger than the padded input.
    pub fn output(&self) -> [usize; 2] {
        [0, 1].map(|d| {
            let padded = self.input[d] + 2 * self.padding[d];
            assert!(
                self.kernel[d] >= 1 && self.kernel[d] <= padded && self.stride[d] >= 1,
                "a kernel of {:?} with stride {:?} does not fit images of {:?} with padding {:?}",
                self.kernel,
                self.stride,
                self.input,
                self.padding
            );
            (padded - self.kernel[d]) / self.stride[d] + 1
        })
    }

    pub(crate) fn input_pixels(&self) -> usize {
        self.input[0] * self.input[1]
    }

    pub(crate) fn output_pixels(&self) -> usize {
        self.output().iter().product()
    }

    /// Positions of the kernel.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Pixels of the input that meet a kernel position, over all outputs of an image; padding meets none.
    pub(crate) fn meetings(&self) -> usize {
        let output = self.output();
        let met = |d: usize| -> usize {
            let of_output =
                |o| (0..self.kernel[d]).filter(|&tap| self.source(d, o, tap).is_some()).count();
            (0..output[d]).map(of_output).sum()
        };
        met(0) * met(1)
    }

    /// The input row (or column, for `d` = 1) that kernel position `tap` of output `o` reads, if it
    /// is not padding.
    fn source(&self, d: usize, o: usize, tap: usize) -> Option<usize> {
        let padded = o * self.stride[d] + tap;
        padded.checked_sub(self.padding[d]).filter(|&i| i < self.input[d])
    }
}

/// A kernel position as seen from a [`Region`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tap {
    /// Which of the kernel's positions, row by row.
    pub(crate) position: usize,
    /// Pixels from the source of the region's first tap to the source of this one.
    pub(crate) shift: isize,
}

/// Target pixels of an image that are computed from the same kernel positions.
///
/// Pixels at a border read fewer positions than those inside, and with a stride the gradient of the
/// input falls into phases that meet different positions. Within a region every pixel has the
/// same taps at the same distances, so that one loop without a condition serves all of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Region {
    /// Empty where nothing but zeros is read.
    pub(crate) taps: Vec<Tap>,
    /// Target pixel, and the source pixel of the first tap.
    pub(crate) pixels: Vec<(u32, u32)>,
}

/// One dimension of a region: taps with the source of the first one, by target.
struct Lines {
    /// Kernel row (or column) and how far its source is from the first's.
    taps: Vec<(usize, isize)>,
    /// Target and first source.
    lines: Vec<(usize, usize)>,
}

impl Lines {
    /// Groups targets by the taps they read. `sources` yields each target's taps with their source.
    fn group(targets: usize, sources: impl Fn(usize) -> Vec<(usize, usize)>) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for target in 0..targets {
            let sources = sources(target);
            let first = sources.first().map_or(0, |&(_, source)| source);
            let taps: Vec<(usize, isize)> = sources
                .iter()
                .map(|&(tap, source)| (tap, source as isize - first as isize))
                .collect();
            match groups.iter_mut().find(|group| group.taps == taps) {
                Some(group) => group.lines.push((target, first)),
                None => groups.push(Self { taps, lines: vec![(target, first)] }),
            }
        }
        groups
    }
}

/// The regions of the output, whose sources are pixels of the input.
pub(crate) fn output_regions(shape: &ConvShape) -> Arc<Vec<Region>> {
    static KEPT: Kept<ConvShape, Vec<Region>> = Kept::new();
    KEPT.get(without_channels(shape), || make_output_regions(shape))
}

/// The regions of the input's gradient, whose sources are pixels of the output's gradient.
pub(crate) fn input_regions(shape: &ConvShape) -> Arc<Vec<Region>> {
    static KEPT: Kept<ConvShape, Vec<Region>> = Kept::new();
    KEPT.get(without_channels(shape), || make_input_regions(shape))
}

/// All that matters to where pixels lie.
fn without_channels(shape: &ConvShape) -> ConvShape {
    ConvShape { batch: 1, inputs: 1, outputs: 1, ..*shape }
}

fn make_output_regions(shape: &ConvShape) -> Vec<Region> {
    let output = shape.output();
    let lines = |d: usize| {
        Lines::group(output[d], |o| {
            (0..shape.kernel[d]).filter_map(|tap| Some((tap, shape.source(d, o, tap)?))).collect()
        })
    };
    regions(&lines(0), &lines(1), shape.kernel[1], output[1], shape.input[1])
}

fn make_input_regions(shape: &ConvShape) -> Vec<Region> {
    let output = shape.output();
    let lines = |d: usize| {
        Lines::group(shape.input[d], |i| {
            (0..shape.kernel[d])
                .filter_map(|tap| {
                    let distance = (i + shape.padding[d]).checked_sub(tap)?;
                    let o = distance / shape.stride[d];
                    (distance % shape.stride[d] == 0 && o < output[d]).then_some((tap, o))
                })
                .collect()
        })
    };
    regions(&lines(0), &lines(1), shape.kernel[1], shape.input[1], output[1])
}

fn regions(
    rows: &[Lines],
    columns: &[Lines],
    kernel_width: usize,
    target_width: usize,
    source_width: usize,
) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    for row in rows {
        for column in columns {
            let taps: Vec<Tap> = row
                .taps
                .iter()
                .flat_map(|&(y, down)| {
                    column.taps.iter().map(move |&(x, right)| Tap {
                        position: y * kernel_width + x,
                        shift: down * source_width as isize + right,
                    })
                })
                .collect();
            let pixels = row.lines.iter().flat_map(|&(y, source_y)| {
                column.lines.iter().map(move |&(x, source_x)| {
                    let target = (y * target_width + x) as u32;
                    (target, (source_y * source_width + source_x) as u32)
                })
            });
            // All that read nothing are one region.
            match regions.iter_mut().find(|region| taps.is_empty() && region.taps.is_empty()) {
                Some(region) => region.pixels.extend(pixels.map(|(target, _)| (target, 0))),
                None => regions.push(Region { taps, pixels: pixels.collect() }),
            }
        }
    }
    regions
}

/// The pixels of input and output that meet at kernel position `position`, in the output's order.
pub(crate) fn meetings(shape: &ConvShape, position: usize) -> Vec<(u32, u32)> {
    let [height, width] = shape.output();
    let (tap_y, tap_x) = (position / shape.kernel[1], position % shape.kernel[1]);
    let mut meetings = Vec::with_capacity(height * width);
    for y in 0..height {
        let Some(source_y) = shape.source(0, y, tap_y) else { continue };
        for x in 0..width {
            let Some(source_x) = shape.source(1, x, tap_x) else { continue };
            let source = source_y * shape.input[1] + source_x;
            meetings.push((source as u32, (y * width + x) as u32));
        }
    }
    meetings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes() -> Vec<ConvShape> {
        let mut shapes = Vec::new();
        for input in [[1, 1], [4, 4], [5, 7], [8, 3]] {
            for kernel in [[1, 1], [3, 3], [2, 3], [5, 1]] {
                for stride in [[1, 1], [2, 2], [3, 1]] {
                    for padding in [[0, 0], [1, 1], [2, 0]] {
                        let fits = (0..2).all(|d| kernel[d] <= input[d] + 2 * padding[d]);
                        if fits {
                            shapes.push(ConvShape {
                                batch: 1,
                                input,
                                inputs: 1,
                                outputs: 1,
                                kernel,
                                stride,
                                padding,
                            });
                        }
                    }
                }
            }
        }
        shapes
    }

    /// Every meeting of an input pixel, an output pixel and a kernel position, by the definition.
    fn all_meetings(shape: &ConvShape) -> Vec<(usize, usize, usize)> {
        let [height, width] = shape.output();
        let mut all = Vec::new();
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            for (ky, kx) in
                (0..shape.kernel[0]).flat_map(|ky| (0..shape.kernel[1]).map(move |kx| (ky, kx)))
            {
                let sy = (y * shape.stride[0] + ky) as isize - shape.padding[0] as isize;
                let sx = (x * shape.stride[1] + kx) as isize - shape.padding[1] as isize;
                if (0..shape.input[0] as isize).contains(&sy)
                    && (0..shape.input[1] as isize).contains(&sx)
                {
                    let source = sy as usize * shape.input[1] + sx as usize;
                    all.push((source, y * width + x, ky * shape.kernel[1] + kx));
                }
            }
        }
        all.sort_unstable();
        all
    }

    /// The meetings that regions stand for, as `(source, target, position)`.
    fn of_regions(regions: &[Region]) -> Vec<(usize, usize, usize)> {
        let mut all = Vec::new();
        for region in regions {
            for &(target, first) in &region.pixels {
                for tap in &region.taps {
                    let source = (first as isize + tap.shift) as usize;
                    all.push((source, target as usize, tap.position));
                }
            }
        }
        all
    }

    #[test]
    fn regions_and_meetings_are_the_definition_in_other_orders() {
        for shape in shapes() {
            let expected = all_meetings(&shape);
            let mut forward = of_regions(&output_regions(&shape));
            forward.sort_unstable();
            assert_eq!(forward, expected, "{shape:?}");

            let mut backward: Vec<_> = of_regions(&input_regions(&shape))
                .into_iter()
                .map(|(output, input, position)| (input, output, position))
                .collect();
            backward.sort_unstable();
            assert_eq!(backward, expected, "{shape:?}");

            let mut by_tap: Vec<_> = (0..shape.taps())
                .flat_map(|tap| {
                    meetings(&shape, tap)
                        .into_iter()
                        .map(move |(input, output)| (input as usize, output as usize, tap))
                })
                .collect();
            by_tap.sort_unstable();
            assert_eq!(by_tap, expected, "{shape:?}");
            assert_eq!(shape.meetings(), expected.len(), "{shape:?}");
        }
    }

    #[test]
    fn regions_cover_every_target_once() {
        for shape in shapes() {
            for (regions, pixels) in [
                (output_regions(&shape), shape.output_pixels()),
                (input_regions(&shape), shape.input_pixels()),
            ] {
                let mut targets: Vec<u32> =
                    regions.iter().flat_map(|r| r.pixels.iter().map(|&(t, _)| t)).collect();
                targets.sort_unstable();
                assert_eq!(targets, (0..pixels as u32).collect::<Vec<_>>(), "{shape:?}");
            }
        }
    }
}
