//! Convolutions agree with Burn's own and with their definition, whatever the sizes.

#![cfg(feature = "flex")]

mod common;

use std::panic::catch_unwind;

use backburn_kernels::cpu::{self, Activation, ConvShape, Finish, WeightLayout};
use backburn_kernels::{ConvOptions, conv2d};
use burn::tensor::{Tensor, module};
use common::{
    ACTIVATIONS, Errors, activate, cases, constant, eighths, error, generator, gradients, leaf,
    numbers, of, pick, sixty_fourths, tensor, values,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

const IMAGES: [[usize; 2]; 8] = [[1, 1], [2, 1], [1, 6], [3, 3], [4, 4], [5, 7], [9, 4], [11, 13]];
const KERNELS: [[usize; 2]; 7] = [[1, 1], [2, 3], [3, 3], [3, 1], [4, 2], [5, 5], [7, 7]];
const STRIDES: [[usize; 2]; 6] = [[1, 1], [1, 1], [2, 2], [3, 3], [1, 2], [3, 1]];
const PADDINGS: [[usize; 2]; 6] = [[0, 0], [1, 1], [2, 2], [3, 3], [0, 1], [3, 2]];
const CHANNELS: [usize; 15] = [1, 2, 3, 5, 6, 8, 12, 16, 17, 31, 32, 33, 48, 64, 65];

/// Sizes for which the kernels take other ways.
const LARGE: [(&str, ConvShape); 7] = [
    ("more weights than are summed in parts", square(2, 4, [256, 256], 3, 1, 1)),
    ("as many, with a stride", square(3, 7, [130, 96], 5, 2, 2)),
    ("more images than parts", square(17, 5, [6, 33], 3, 1, 1)),
    ("parts of different sizes", square(37, 3, [17, 16], 2, 1, 0)),
    ("images of more pixels than are taken at a time", square(2, 15, [5, 12], 3, 1, 1)),
    ("thousands of pixels in all", square(9, 30, [3, 16], 5, 1, 2)),
    ("many pixels of many weights", square(1, 25, [128, 96], 3, 1, 0)),
];

const fn square(
    batch: usize,
    size: usize,
    [inputs, outputs]: [usize; 2],
    kernel: usize,
    stride: usize,
    padding: usize,
) -> ConvShape {
    ConvShape {
        batch,
        input: [size, size],
        inputs,
        outputs,
        kernel: [kernel, kernel],
        stride: [stride, stride],
        padding: [padding, padding],
    }
}

/// A shape whose kernel fits its images.
fn random_shape(rng: &mut ChaCha8Rng) -> ConvShape {
    loop {
        let shape = ConvShape {
            batch: rng.random_range(1..=5),
            input: pick(rng, &IMAGES),
            inputs: pick(rng, &CHANNELS),
            outputs: pick(rng, &CHANNELS),
            kernel: pick(rng, &KERNELS),
            stride: pick(rng, &STRIDES),
            padding: pick(rng, &PADDINGS),
        };
        if (0..2).all(|d| shape.kernel[d] <= shape.input[d] + 2 * shape.padding[d]) {
            return shape;
        }
    }
}

#[test]
fn random_shapes_agree_with_burn() {
    let rng = &mut generator(1);
    let mut errors = Errors::default();
    for _ in 0..cases(240) {
        let case = Case {
            shape: random_shape(rng),
            bias: rng.random(),
            activation: pick(rng, &ACTIVATIONS),
            memory: pick(rng, &[Memory::ChannelsLast, Memory::Permuted, Memory::Sliced]),
        };
        compare_with_burn(rng, case, &mut errors);
    }
}

#[test]
fn large_shapes_agree_with_burn() {
    let rng = &mut generator(2);
    let mut errors = Errors::default();
    for (_, shape) in LARGE.into_iter().take(cases(LARGE.len())) {
        for activation in ACTIVATIONS {
            let case = Case { shape, bias: true, activation, memory: Memory::ChannelsLast };
            compare_with_burn(rng, case, &mut errors);
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Case {
    shape: ConvShape,
    bias: bool,
    activation: Activation,
    memory: Memory,
}

/// How images and weights lie in memory.
#[derive(Clone, Copy, Debug)]
enum Memory {
    ChannelsLast,
    /// Images are channels-first, weights have inputs and outputs exchanged.
    Permuted,
    /// The second half of a larger tensor.
    Sliced,
}

fn compare_with_burn(rng: &mut ChaCha8Rng, case: Case, errors: &mut Errors) {
    let ConvShape { batch, input: [height, width], inputs, outputs, kernel, stride, padding } =
        case.shape;
    let [kernel_height, kernel_width] = kernel;
    // Each leaf with the axes that make images channels-last and weights PyTorch's.
    let ((x, x_axes), (weight, weight_axes)) = match case.memory {
        Memory::ChannelsLast => (
            (leaf(rng, [batch, height, width, inputs]), [0, 1, 2, 3]),
            (leaf(rng, [outputs, inputs, kernel_height, kernel_width]), [0, 1, 2, 3]),
        ),
        Memory::Permuted => (
            (leaf(rng, [batch, inputs, height, width]), [0, 2, 3, 1]),
            (leaf(rng, [inputs, outputs, kernel_height, kernel_width]), [1, 0, 2, 3]),
        ),
        Memory::Sliced => (
            (leaf(rng, [2 * batch, height, width, inputs]), [0, 1, 2, 3]),
            (leaf(rng, [2 * outputs, inputs, kernel_height, kernel_width]), [0, 1, 2, 3]),
        ),
    };
    let bias = leaf(rng, [2 * outputs]);
    let seen_x = || second_half(x.clone().permute(x_axes), batch);
    let seen_weight = || second_half(weight.clone().permute(weight_axes), outputs);
    let seen_bias = || case.bias.then(|| second_half(bias.clone(), outputs));

    let options = ConvOptions { stride, padding };
    let ours = conv2d(seen_x(), seen_weight(), seen_bias(), options, case.activation);
    // Without gradients, every activation is part of the convolution.
    let bias_alone = seen_bias().map(Tensor::without_autodiff);
    let [x_alone, weight_alone] = [seen_x(), seen_weight()].map(Tensor::without_autodiff);
    let alone = conv2d(x_alone, weight_alone, bias_alone, options, case.activation);
    assert!(values(alone) == values(ours.clone()), "other bits without gradients: {case:?}");
    let options = burn::tensor::ops::ConvOptions::new(stride, padding, [1, 1], 1);
    let images = seen_x().permute([0, 3, 1, 2]);
    let burns = module::conv2d(images, seen_weight(), seen_bias(), options).permute([0, 2, 3, 1]);
    let burns = activate(burns, case.activation, &ours);
    errors.check("output", &case, &values(ours.clone()), &burns.output);

    let coefficients = constant(rng, ours.dims());
    let ours = gradients(ours, &coefficients);
    let burns = gradients(burns.for_gradients, &coefficients);
    errors.check("gradient of the images", &case, &of(&x, &ours), &of(&x, &burns));
    errors.check("gradient of the weights", &case, &of(&weight, &ours), &of(&weight, &burns));
    if case.bias {
        errors.check("gradient of the bias", &case, &of(&bias, &ours), &of(&bias, &burns));
    }
}

/// The last `count` rows.
fn second_half<const D: usize>(x: Tensor<D>, count: usize) -> Tensor<D> {
    let rows = x.dims()[0];
    x.narrow(0, rows - count, count)
}

/// Most that minimal filtering may be off, in the Euclidean norm, as a multiple of the exact result's. A plain sum of as
/// many products is off by some 3e-7, filtering by some 7e-7.
const FILTERING: f64 = 3e-6;

/// Images whose sides are multiples of four and are not, channels that fill vectors and do not; more tiles than the
/// gradient of kernels takes at a time.
const FILTERED: [ConvShape; 8] = [
    square(2, 8, [64, 64], 3, 1, 1),
    square(3, 17, [48, 33], 3, 1, 0),
    square(1, 10, [65, 96], 3, 1, 2),
    square(40, 4, [64, 80], 3, 1, 1),
    square(2, 16, [32, 48], 3, 1, 1),
    square(6, 52, [32, 32], 3, 1, 1),
    square(2, 4, [256, 128], 3, 1, 1),
    ConvShape { input: [9, 14], padding: [0, 2], ..square(3, 0, [40, 64], 3, 1, 1) },
];

#[test]
fn minimal_filtering_is_near_double_precision() {
    let rng = &mut generator(6);
    let distance = |found: &[f32], expected: &[f64]| {
        assert_eq!(found.len(), expected.len());
        let off = |(&x, &y): (&f32, &f64)| (f64::from(x) - y).powi(2);
        let all: f64 = expected.iter().map(|y| y * y).sum();
        (found.iter().zip(expected).map(off).sum::<f64>() / all).sqrt()
    };
    for shape in FILTERED.into_iter().take(cases(FILTERED.len())) {
        assert!(cpu::filters(&shape) && cpu::filters_weight_gradient(&shape), "{shape:?}");
        let layout = WeightLayout::convolution(shape.inputs, shape.taps());
        let [height, width] = shape.output();
        // The plain sum of these would be exact.
        let input = eighths(rng, shape.batch * shape.input[0] * shape.input[1] * shape.inputs);
        let weights = eighths(rng, shape.outputs * shape.inputs * shape.taps());
        let gradient = eighths(rng, shape.batch * height * width * shape.outputs);
        let expected = by_definition(&shape, &input, &weights, &gradient);
        let found = [
            (cpu::convolve(&shape, &input, &weights, layout, Finish::default()), &expected.output),
            (cpu::input_gradient(&shape, &gradient, &weights, layout), &expected.input),
            (cpu::weight_gradient(&shape, &input, &gradient, layout), &expected.weights),
        ];
        for (pass, (found, expected)) in found.iter().enumerate() {
            let distance = distance(found, expected);
            assert!(distance < FILTERING, "pass {pass} of {shape:?}: {distance:e}");
            assert!(distance > 0.0, "pass {pass} of {shape:?} was not filtered");
        }
    }
}

#[test]
fn where_weights_lie_changes_no_bit() {
    let rng = &mut generator(8);
    for shape in [FILTERED[1], FILTERED[2], square(2, 5, [20, 36], 3, 2, 1)] {
        let ConvShape { batch, inputs, outputs, .. } = shape;
        let taps = shape.taps();
        let usual = WeightLayout::convolution(inputs, taps);
        let other = WeightLayout { output: 1, input: outputs, tap: inputs * outputs };
        let moved = |weights: &[f32]| {
            let mut moved = vec![0.0; weights.len()];
            for (output, input, tap) in (0..outputs).flat_map(|output| {
                (0..inputs).flat_map(move |input| (0..taps).map(move |tap| (output, input, tap)))
            }) {
                let place = |layout: WeightLayout| {
                    output * layout.output + input * layout.input + tap * layout.tap
                };
                moved[place(other)] = weights[place(usual)];
            }
            moved
        };
        let [height, width] = shape.output();
        let input = eighths(rng, batch * shape.input[0] * shape.input[1] * inputs);
        let gradient = eighths(rng, batch * height * width * outputs);
        let weights = eighths(rng, outputs * inputs * taps);
        let forward = |weights: &[f32], layout| {
            cpu::convolve(&shape, &input, weights, layout, Finish::default())
        };
        assert!(forward(&weights, usual) == forward(&moved(&weights), other), "{shape:?}");
        let back =
            |weights: &[f32], layout| cpu::input_gradient(&shape, &gradient, weights, layout);
        assert!(back(&weights, usual) == back(&moved(&weights), other), "{shape:?}");
        let of_weights = |layout| cpu::weight_gradient(&shape, &input, &gradient, layout);
        assert!(moved(&of_weights(usual)) == of_weights(other), "{shape:?}");
    }
}

#[test]
fn an_image_is_filtered_alike_in_every_batch() {
    let rng = &mut generator(7);
    // So many images that tasks are cut in other ways.
    for (images, shape) in
        [(120, square(1, 8, [32, 64], 3, 1, 1)), (40, square(1, 4, [64, 200], 3, 1, 1))]
    {
        assert!(cpu::filters(&shape));
        let layout = WeightLayout::convolution(shape.inputs, 9);
        let many = ConvShape { batch: images, ..shape };
        let input = numbers(rng, images * shape.input[0] * shape.input[1] * shape.inputs);
        let weights = numbers(rng, shape.outputs * shape.inputs * 9);
        let bias = numbers(rng, shape.outputs);
        // The number of threads decides, with that of the tiles, how tasks are cut.
        for (threads, activation) in
            [1, 8].into_iter().flat_map(|threads| ACTIVATIONS.map(|it| (threads, it)))
        {
            let finish = Finish::of(Some(&bias), activation);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let packed = cpu::pack(&many, &weights, layout);
                let all = cpu::convolve(&many, &input, &weights, layout, finish);
                let same = cpu::convolve_packed(&many, &input, &packed, finish);
                assert!(all == same, "{shape:?}");
                let (of_image, of_output) = (input.len() / images, all.len() / images);
                for image in [0, images / 2, images - 1] {
                    let one = &input[image * of_image..][..of_image];
                    let alone = cpu::convolve(&shape, one, &weights, layout, finish);
                    let among_others = &all[image * of_output..][..of_output];
                    assert!(alone == among_others, "{image} of {shape:?}, {threads} threads");
                }
            });
        }
    }
}

#[test]
fn no_images_give_no_outputs_and_gradients_of_zero() {
    for shape in [square(0, 8, [64, 64], 3, 1, 1), square(0, 8, [3, 20], 3, 1, 1)] {
        let layout = WeightLayout::convolution(shape.inputs, 9);
        let numbers = shape.outputs * shape.inputs * 9;
        let weights = vec![1.0; numbers];
        assert!(cpu::convolve(&shape, &[], &weights, layout, Finish::default()).is_empty());
        assert!(cpu::input_gradient(&shape, &[], &weights, layout).is_empty());
        assert_eq!(cpu::bias_gradient(&[], shape.outputs), vec![0.0; shape.outputs]);
        for _ in 0..20 {
            // What is given back here is what is asked for next.
            drop(vec![f32::NAN; numbers]);
            let gradient = cpu::weight_gradient(&shape, &[], &[], layout);
            assert_eq!(gradient, vec![0.0; numbers], "{shape:?}");
        }
    }
}

#[test]
fn weights_packed_for_another_layer_are_refused() {
    // As many numbers each, of layers that are filtered and of some that are not.
    for (packed, other) in [
        (square(1, 16, [32, 64], 3, 1, 1), square(1, 16, [64, 32], 3, 1, 1)),
        (square(1, 6, [32, 64], 1, 1, 0), square(1, 6, [64, 32], 1, 1, 0)),
        (square(1, 6, [16, 64], 2, 1, 0), square(1, 6, [64, 64], 1, 1, 0)),
        // The same weights in the other form.
        (square(1, 2, [64, 64], 3, 1, 1), square(1, 16, [64, 64], 3, 1, 1)),
    ] {
        let weights = vec![1.0; packed.outputs * packed.inputs * packed.taps()];
        let layout = WeightLayout::convolution(packed.inputs, packed.taps());
        let kept = cpu::pack(&packed, &weights, layout);
        assert!(kept.suit(&packed) && !kept.suit(&other), "{other:?}");
        let input = vec![1.0; other.input[0] * other.input[1] * other.inputs];
        let read = || cpu::convolve_packed(&other, &input, &kept, Finish::default());
        let refusal = catch_unwind(read).unwrap_err();
        let message = refusal.downcast::<&str>().unwrap();
        assert!(message.contains("packed for another layer"), "{message}");
    }
}

#[test]
fn layers_are_filtered_where_that_takes_fewer_products() {
    // Of ResNet-18 and ResNet-20 on CIFAR-10; the first layers, strides and other kernels are summed as they are.
    for (shape, filtered) in [
        (square(1, 32, [64, 64], 3, 1, 1), true),
        (square(1, 4, [512, 512], 3, 1, 1), true),
        (square(1, 16, [32, 32], 3, 1, 1), true),
        (square(1, 32, [3, 64], 3, 1, 1), false),
        (square(1, 32, [64, 128], 3, 2, 1), false),
        (square(1, 32, [64, 128], 1, 1, 0), false),
        (square(1, 14, [64, 64], 5, 1, 2), false),
        (square(1, 2, [512, 512], 3, 1, 1), false),
    ] {
        assert_eq!(cpu::filters(&shape), filtered, "{shape:?}");
    }
    let narrow = square(1, 32, [8, 16], 3, 1, 1);
    assert!(cpu::filters(&narrow) && !cpu::filters_weight_gradient(&narrow));
    assert!(cpu::filters_weight_gradient(&square(1, 8, [16, 16], 3, 1, 1)));
}

#[test]
fn sums_that_need_no_rounding_are_those_of_the_definition() {
    let rng = &mut generator(3);
    let random: Vec<ConvShape> = (0..cases(120)).map(|_| random_shape(rng)).collect();
    let large = LARGE.into_iter().take(cases(LARGE.len())).map(|(_, shape)| shape);
    for shape in random.into_iter().chain(large) {
        let layout = WeightLayout::convolution(shape.inputs, shape.taps());
        let [height, width] = shape.output();
        let input =
            sixty_fourths(rng, shape.batch * shape.input[0] * shape.input[1] * shape.inputs);
        let weights = sixty_fourths(rng, shape.outputs * shape.inputs * shape.taps());
        let gradient = sixty_fourths(rng, shape.batch * height * width * shape.outputs);
        let expected = by_definition(&shape, &input, &weights, &gradient);

        if !cpu::filters(&shape) {
            let output = cpu::convolve(&shape, &input, &weights, layout, Finish::default());
            assert_eq!(error(&output, &expected.output), 0.0, "output of {shape:?}");
            let of_input = cpu::input_gradient(&shape, &gradient, &weights, layout);
            assert_eq!(
                error(&of_input, &expected.input),
                0.0,
                "gradient of the input of {shape:?}"
            );
        }
        if !cpu::filters_weight_gradient(&shape) {
            let of_weights = cpu::weight_gradient(&shape, &input, &gradient, layout);
            assert_eq!(error(&of_weights, &expected.weights), 0.0, "of the weights of {shape:?}");
        }
        let of_bias = cpu::bias_gradient(&gradient, shape.outputs);
        assert_eq!(error(&of_bias, &expected.bias), 0.0, "of the bias of {shape:?}");
    }
}

/// Output and gradients in double precision.
struct Definition {
    output: Vec<f64>,
    input: Vec<f64>,
    weights: Vec<f64>,
    bias: Vec<f64>,
}

/// `output[o] = Σ weight · input` over all that meet, and the gradients of `Σ gradient · output`.
fn by_definition(
    shape: &ConvShape,
    input: &[f32],
    weights: &[f32],
    gradient: &[f32],
) -> Definition {
    let ConvShape { batch, input: [height, width], inputs, outputs, .. } = *shape;
    let [out_height, out_width] = shape.output();
    let mut result = Definition {
        output: vec![0.0; gradient.len()],
        input: vec![0.0; input.len()],
        weights: vec![0.0; weights.len()],
        bias: vec![0.0; outputs],
    };
    for place in 0..batch * out_height * out_width {
        let (image, y, x) =
            (place / (out_height * out_width), place / out_width % out_height, place % out_width);
        for output in 0..outputs {
            result.bias[output] += f64::from(gradient[place * outputs + output]);
        }
        for tap in 0..shape.taps() {
            let (down, right) = (tap / shape.kernel[1], tap % shape.kernel[1]);
            let Some(y) = (y * shape.stride[0] + down).checked_sub(shape.padding[0]) else {
                continue;
            };
            let Some(x) = (x * shape.stride[1] + right).checked_sub(shape.padding[1]) else {
                continue;
            };
            if y >= height || x >= width {
                continue;
            }
            let pixel = (image * height + y) * width + x;
            for output in 0..outputs {
                let to = place * outputs + output;
                for channel in 0..inputs {
                    let from = pixel * inputs + channel;
                    let weight = (output * inputs + channel) * shape.taps() + tap;
                    let [i, w, g] = [input[from], weights[weight], gradient[to]].map(f64::from);
                    result.output[to] += i * w;
                    result.input[from] += g * w;
                    result.weights[weight] += g * i;
                }
            }
        }
    }
    result
}

#[test]
fn the_gradient_of_a_plain_sum_counts_what_reads_a_pixel() {
    // The gradient that arrives is a single one, seen as many.
    let ones = |shape: [usize; 4]| tensor(vec![1.0; shape.iter().product()], shape).require_grad();
    let (x, weight) = (ones([1, 3, 4, 1]), ones([1, 1, 3, 3]));
    let options = ConvOptions { stride: [1, 1], padding: [1, 1] };
    let y = conv2d(x.clone(), weight.clone(), None, options, Activation::Identity);
    let gradients = y.sum().backward();
    let expected: [f32; 12] = [4.0, 6.0, 6.0, 4.0, 6.0, 9.0, 9.0, 6.0, 4.0, 6.0, 6.0, 4.0];
    assert_eq!(of(&x, &gradients), expected);
    assert_eq!(of(&weight, &gradients), [6.0, 8.0, 6.0, 9.0, 12.0, 9.0, 6.0, 8.0, 6.0]);
}

#[test]
fn nothing_is_tracked_where_no_gradient_is_asked_for() {
    let rng = &mut generator(4);
    let (x, weight) = (constant(rng, [2, 4, 4, 3]), leaf(rng, [5, 3, 3, 3]));
    let options = ConvOptions { stride: [1, 1], padding: [1, 1] };
    let y = conv2d(x.clone(), weight.clone(), None, options, Activation::Relu);
    let gradients = y.sum().backward();
    assert!(x.grad(&gradients).is_none());
    assert!(weight.grad(&gradients).is_some());
}

#[test]
#[should_panic(expected = "does not fit")]
fn a_kernel_larger_than_the_padded_images_is_refused() {
    let rng = &mut generator(5);
    let options = ConvOptions { stride: [1, 1], padding: [1, 0] };
    let (x, weight) = (constant(rng, [1, 1, 2, 3]), constant(rng, [4, 3, 3, 3]));
    conv2d(x, weight, None, options, Activation::Identity);
}
