use backburn_models::{ModelConfig, architecture};
use backburn_regularization::WeightDecay;
use backburn_trainer::gradients::NamedGradients;
use backburn_trainer::loss::Loss;
use backburn_trainer::optimizer::{Optimizer, OptimizerConfig};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use std::time::Instant;
#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let batch: usize = a[2].parse().unwrap();
    let secs: f64 = a[3].parse().unwrap();
    for name in a[1].split(',') {
        let image = if name == "mlp" { [1, 28, 28] } else { [3, 32, 32] };
        let device = Device::flex().autodiff();
        let config: ModelConfig = (architecture(name).unwrap().config)();
        let mut network = Some(config.init(image, 10, &device).unwrap());
        let mut opt =
            Optimizer::new(OptimizerConfig::named("adam").unwrap(), WeightDecay::default());
        let n = batch * image.iter().product::<usize>();
        let x: Vec<f32> = (0..n).map(|i| ((i * 7919) % 1000) as f32 / 1000.0 - 0.5).collect();
        let mut t = vec![0.0f32; batch * 10];
        for i in 0..batch {
            t[i * 10 + i % 10] = 1.0;
        }
        let mut step = |timed: bool| {
            let net = network.take().unwrap();
            let x = Tensor::<4>::from_data(
                TensorData::new(x.clone(), [batch, image[0], image[1], image[2]]),
                &device,
            );
            let t = Tensor::<2>::from_data(TensorData::new(t.clone(), [batch, 10]), &device);
            let t0 = Instant::now();
            let loss = Loss::CrossEntropy.forward(net.forward(x), t);
            let t1 = Instant::now();
            let g = NamedGradients::gather(&net, loss.backward());
            let t2 = Instant::now();
            network = Some(opt.step(net, g, 1e-3));
            let t3 = Instant::now();
            if timed {
                eprint!(
                    "[f {:.1} b {:.1} o {:.1}] ",
                    (t1 - t0).as_secs_f64() * 1e3,
                    (t2 - t1).as_secs_f64() * 1e3,
                    (t3 - t2).as_secs_f64() * 1e3
                );
            }
        };
        step(false);
        step(false);
        step(true);
        let mut ts = Vec::new();
        let s = Instant::now();
        while s.elapsed().as_secs_f64() < secs || ts.len() < 3 {
            let t = Instant::now();
            step(false);
            ts.push(t.elapsed().as_secs_f64());
        }
        ts.sort_by(f64::total_cmp);
        let net = network.take().unwrap().valid();
        let mut es = Vec::new();
        for _ in 0..ts.len().max(3) {
            let x = Tensor::<4>::from_data(
                TensorData::new(x.clone(), [batch, image[0], image[1], image[2]]),
                &Device::flex(),
            );
            let t = Instant::now();
            std::hint::black_box(net.forward(x));
            es.push(t.elapsed().as_secs_f64());
        }
        es.sort_by(f64::total_cmp);
        println!(
            "{name} {batch} train {:.2} ms {:.0} img/s | eval {:.2} ms",
            ts[ts.len() / 2] * 1e3,
            batch as f64 / ts[ts.len() / 2],
            es[es.len() / 2] * 1e3
        );
    }
}
