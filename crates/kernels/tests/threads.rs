//! Every kernel gives the same bits, whatever the number of threads.

mod common;

use backburn_kernels::cpu::{
    self, Activation, ConvShape, DropoutMask, Finish, FollowedBy, NormalizeForward, OptimizerStep,
    PoolShape, PoolWindows, Rule, Statistics, WeightLayout,
};
use common::{ACTIVATIONS, cases, generator, numbers};

/// Three before two: where there is only time for one, an uneven number.
const THREADS: [usize; 5] = [1, 3, 2, 5, 8];

/// Runs `kernel` with each number of threads, twice, and compares all bits. Fewer numbers, and once, on an emulated CPU.
fn assert_same_bits(kernel: impl Fn() -> Vec<Vec<f32>> + Send + Sync) {
    let bits = |threads| -> Vec<Vec<u32>> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let results = pool.install(&kernel);
        results.iter().map(|values| values.iter().map(|x| x.to_bits()).collect()).collect()
    };
    let expected = bits(THREADS[0]);
    assert!(expected.iter().all(|values| !values.is_empty()));
    for &threads in &THREADS[..cases(THREADS.len())] {
        for _ in 0..cases(2) {
            assert!(bits(threads) == expected, "{threads} threads give other bits than one");
        }
    }
}

/// What is filtered, with few tiles and with many; weights that are summed in parts of the batch; so many that they are not;
/// images of many pixels.
const SHAPES: [ConvShape; 5] = [
    ConvShape {
        batch: 9,
        input: [4, 4],
        inputs: 64,
        outputs: 130,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
    },
    ConvShape {
        batch: 7,
        input: [14, 17],
        inputs: 64,
        outputs: 64,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
    },
    ConvShape {
        batch: 37,
        input: [5, 7],
        inputs: 17,
        outputs: 33,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
    },
    ConvShape {
        batch: 6,
        input: [4, 5],
        inputs: 130,
        outputs: 150,
        kernel: [3, 3],
        stride: [2, 1],
        padding: [1, 1],
    },
    ConvShape {
        batch: 3,
        input: [29, 31],
        inputs: 3,
        outputs: 20,
        kernel: [5, 3],
        stride: [1, 1],
        padding: [2, 0],
    },
];

#[test]
fn convolutions_and_their_gradients() {
    let rng = &mut generator(1);
    for shape in SHAPES {
        let [height, width] = shape.output();
        let input = numbers(rng, shape.batch * shape.input[0] * shape.input[1] * shape.inputs);
        let weights = numbers(rng, shape.outputs * shape.inputs * shape.taps());
        let bias = numbers(rng, shape.outputs);
        let gradient = numbers(rng, shape.batch * height * width * shape.outputs);
        let layout = WeightLayout::convolution(shape.inputs, shape.taps());
        assert_same_bits(|| {
            let finish = |activation| Finish::of(Some(&bias), activation);
            vec![
                cpu::convolve(&shape, &input, &weights, layout, finish(Activation::Relu)),
                cpu::convolve(&shape, &input, &weights, layout, finish(Activation::Silu)),
                cpu::input_gradient(&shape, &gradient, &weights, layout),
                cpu::weight_gradient(&shape, &input, &gradient, layout),
                cpu::bias_gradient(&gradient, shape.outputs),
            ]
        });
    }
}

#[test]
fn linear_layers_and_their_gradients() {
    let rng = &mut generator(2);
    for [rows, inputs, outputs] in [[50, 784, 100], [700, 20, 30]] {
        let shape = ConvShape::linear(rows, inputs, outputs);
        let (x, weights) = (numbers(rng, rows * inputs), numbers(rng, inputs * outputs));
        let gradient = numbers(rng, rows * outputs);
        let layout = WeightLayout::linear(outputs);
        assert_same_bits(|| {
            vec![
                cpu::convolve(&shape, &x, &weights, layout, Finish::default()),
                cpu::input_gradient(&shape, &gradient, &weights, layout),
                cpu::weight_gradient(&shape, &x, &gradient, layout),
            ]
        });
    }
}

/// By matrices as Muon's step has them: one with its own transposed, and a small one with it.
#[test]
fn products_of_matrices() {
    let rng = &mut generator(9);
    for [rows, inner] in [[64, 576], [33, 1000], [130, 140]] {
        let (x, small) = (numbers(rng, rows * inner), numbers(rng, rows * rows));
        let product = |a: &[f32], b: &[f32], [inner, columns]: [usize; 2], layout| {
            let shape = ConvShape::linear(rows, inner, columns);
            cpu::convolve(&shape, a, b, layout, Finish::default())
        };
        assert_same_bits(|| {
            vec![
                product(&x, &x, [inner, rows], WeightLayout::convolution(inner, 1)),
                product(&small, &x, [rows, inner], WeightLayout::linear(inner)),
            ]
        });
    }
}

#[test]
fn batch_normalization_and_its_gradients() {
    let rng = &mut generator(3);
    for channels in [6, 64, 100] {
        let count = 2_000 * channels;
        let [x, residual, gradient] = [(); 3].map(|()| numbers(rng, count));
        let [gamma, beta] = [(); 2].map(|()| numbers(rng, channels));
        let residuals = [None, Some(&residual[..])];
        for (activation, residual) in
            ACTIVATIONS.iter().flat_map(|&activation| residuals.map(|it| (activation, it)))
        {
            assert_same_bits(|| {
                let moments = cpu::moments(&x, channels);
                let y = cpu::normalize(&x, &moments, &gamma, &beta, 1e-5, residual, activation);
                let forward = NormalizeForward {
                    x: &x,
                    moments: &moments,
                    statistics: Statistics::OfBatch,
                    gamma: &gamma,
                    epsilon: 1e-5,
                    followed_by: match activation {
                        Activation::Identity => FollowedBy::Nothing,
                        Activation::Relu if residual.is_none() => FollowedBy::Relu { beta: &beta },
                        Activation::Relu => FollowedBy::ReluOfSum { output: &y },
                        Activation::Silu => FollowedBy::Silu { beta: &beta, residual },
                    },
                };
                let is_asked_for = residual.is_some();
                let gradients = cpu::normalize_gradient(forward, gradient.clone(), is_asked_for);
                let moments = [moments.mean, moments.variance];
                [y, gradients.x, gradients.gamma, gradients.beta]
                    .into_iter()
                    .chain(gradients.residual)
                    .chain(moments)
                    .collect()
            });
        }
    }
}

#[test]
fn pooling_and_its_gradient() {
    let rng = &mut generator(4);
    let shape = PoolShape { batch: 21, height: 13, width: 12, channels: 19 };
    let x = numbers(rng, 21 * 13 * 12 * 19);
    let gradient = numbers(rng, 21 * 6 * 6 * 19);
    assert_same_bits(|| {
        let y = cpu::max_pool(shape, &x);
        let dx = cpu::max_pool_gradient(shape, &x, &y, &gradient);
        vec![y, dx]
    });
}

#[test]
fn pooling_over_windows_that_overlap_and_its_gradient() {
    let rng = &mut generator(8);
    let shape = PoolShape { batch: 21, height: 13, width: 12, channels: 19 };
    let windows = PoolWindows { kernel: 3, stride: 2, padding: 1, count: [7, 6] };
    let x = numbers(rng, 21 * 13 * 12 * 19);
    let gradient = numbers(rng, 21 * 7 * 6 * 19);
    assert_same_bits(|| {
        let y = cpu::max_pool_windows(shape, windows, &x);
        let dx = cpu::max_pool_windows_gradient(shape, windows, &x, &y, &gradient);
        vec![y, dx]
    });
}

#[test]
fn dropout() {
    let x = numbers(&mut generator(5), 200_001);
    assert_same_bits(|| vec![cpu::dropout(DropoutMask { rate: 0.3, key: [4, 5] }, &x)]);
}

#[test]
fn activations_and_their_gradients() {
    let rng = &mut generator(6);
    let [x, gradient] = [(); 2].map(|()| numbers(rng, 200_001));
    for activation in ACTIVATIONS {
        assert_same_bits(|| {
            let of_x = cpu::activation_gradient(activation, gradient.clone(), &x);
            vec![cpu::activate(activation, &x), of_x]
        });
    }
}

#[test]
fn optimizer_steps() {
    let rng = &mut generator(7);
    let [weights, gradient, first] = [(); 3].map(|()| numbers(rng, 100_001));
    let rule = Rule::Adam {
        betas: [0.9, 0.999],
        gains: [0.1, 0.001],
        corrections: [0.1, 0.001],
        epsilon: 1e-8,
    };
    let step =
        OptimizerStep { rule, learning_rate: 0.01, coupled_decay: 0.1, l1: 0.02, shrink: 0.99 };
    assert_same_bits(|| {
        let (mut weights, mut first) = (weights.clone(), first.clone());
        let mut second = vec![0.0; weights.len()];
        cpu::optimizer_step(step, &mut weights, &gradient, &mut first, &mut second);
        vec![weights, first, second]
    });
}
