use backburn_kernels::cpu::*;
use std::time::Instant;
fn time(mut f: impl FnMut()) -> f64 {
    f();
    f();
    let mut best = f64::MAX;
    for _ in 0..7 {
        let t = Instant::now();
        f();
        best = best.min(t.elapsed().as_secs_f64());
    }
    best
}
fn main() {
    println!("{}", instruction_set());
    let n = 32;
    let only = std::env::args().nth(1).and_then(|a| a.parse::<usize>().ok());
    let mut number = 0;
    for (hw, ci, co, k, s) in [
        (32, 3, 64, 3, 1),
        (32, 64, 64, 3, 1),
        (32, 64, 128, 3, 2),
        (32, 64, 128, 1, 2),
        (16, 128, 128, 3, 1),
        (8, 256, 256, 3, 1),
        (4, 512, 512, 3, 1),
        (32, 16, 16, 3, 1),
        (16, 32, 32, 3, 1),
        (8, 64, 64, 3, 1),
        (32, 32, 32, 3, 1),
        (16, 32, 64, 3, 1),
        (8, 128, 128, 3, 1),
    ] {
        number += 1;
        if only.is_some_and(|o| o + 1 != number) {
            continue;
        }
        let what = std::env::args().nth(2);
        if let Some(w) = &what {
            let sh = ConvShape {
                batch: n,
                input: [hw, hw],
                inputs: ci,
                outputs: co,
                kernel: [k, k],
                stride: [s, s],
                padding: [k / 2, k / 2],
            };
            let [oh, ow] = sh.output();
            let x = vec![0.5f32; n * hw * hw * ci];
            let wt = vec![0.1f32; co * ci * k * k];
            let dy = vec![0.5f32; n * oh * ow * co];
            let l = WeightLayout::convolution(ci, k * k);
            for _ in 0..100 {
                match w.as_str() {
                    "f" => {
                        std::hint::black_box(convolve(&sh, &x, &wt, l, None, Activation::Relu));
                    }
                    "x" => {
                        std::hint::black_box(input_gradient(&sh, &dy, &wt, l));
                    }
                    _ => {
                        std::hint::black_box(weight_gradient(&sh, &x, &dy, l));
                    }
                }
            }
            continue;
        }
        let sh = ConvShape {
            batch: n,
            input: [hw, hw],
            inputs: ci,
            outputs: co,
            kernel: [k, k],
            stride: [s, s],
            padding: [k / 2, k / 2],
        };
        let [oh, ow] = sh.output();
        let x: Vec<f32> =
            (0..n * hw * hw * ci).map(|i| ((i * 7919) % 1000) as f32 / 1000.0 - 0.5).collect();
        let w: Vec<f32> =
            (0..co * ci * k * k).map(|i| ((i * 104729) % 1000) as f32 / 1000.0 - 0.5).collect();
        let dy: Vec<f32> =
            (0..n * oh * ow * co).map(|i| ((i * 31337) % 1000) as f32 / 1000.0 - 0.5).collect();
        let layout = WeightLayout::convolution(ci, k * k);
        let gf = 2.0 * (n * oh * ow * co * ci * k * k) as f64 / 1e9;
        let f = time(|| {
            std::hint::black_box(convolve(&sh, &x, &w, layout, None, Activation::Relu));
        });
        let b = time(|| {
            std::hint::black_box(input_gradient(&sh, &dy, &w, layout));
        });
        let g = time(|| {
            std::hint::black_box(weight_gradient(&sh, &x, &dy, layout));
        });
        print!("{:.0} ", peak());
        println!(
            "{hw}x{hw} {ci}->{co} k{k} s{s}: forward {:.2} ms {:.0} GF | dx {:.2} ms {:.0} GF | dw {:.2} ms {:.0} GF",
            f * 1e3,
            gf / f,
            b * 1e3,
            gf / b,
            g * 1e3,
            gf / g
        );
    }
}

fn peak() -> f64 {
    use gemm::*;
    let n = 512;
    let a = vec![1.0f32; n * n];
    let b = vec![1.0f32; n * n];
    let mut c = vec![0.0f32; n * n];
    let t = time(|| unsafe {
        gemm(
            n,
            n,
            n,
            c.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.as_ptr(),
            1,
            n as isize,
            b.as_ptr(),
            1,
            n as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::Rayon(0),
        )
    });
    2.0 * (n * n * n) as f64 / t / 1e9
}
