//! Repetitions of some length.

use std::time::Instant;

use burn::tensor::Device;

/// How often something was done, and how long that took in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Elapsed {
    /// How often.
    pub times: usize,
    /// Wall clock.
    pub seconds: f64,
}

/// Does `step` for `seconds` or a little longer, at least once. `wait` returns when all that `step`
/// has asked for is done.
///
/// Devices that work ahead are waited for a few times only: the number of steps that fill the rest of
/// the time is estimated from those that are done.
pub fn repeat(seconds: f64, wait: impl Fn(), step: impl FnMut()) -> Elapsed {
    let started = Instant::now();
    repeat_by(|| started.elapsed().as_secs_f64(), seconds, wait, step)
}

/// [`repeat`] by a clock that tells seconds.
fn repeat_by(
    clock: impl Fn() -> f64,
    seconds: f64,
    wait: impl Fn(),
    mut step: impl FnMut(),
) -> Elapsed {
    wait();
    let started = clock();
    let (mut times, mut next) = (0, 1);
    loop {
        for _ in 0..next {
            step();
        }
        wait();
        times += next;
        let elapsed = clock() - started;
        if elapsed >= seconds {
            return Elapsed { times, seconds: elapsed };
        }
        let left = (seconds - elapsed) * times as f64 / elapsed.max(1e-9);
        next = (left.ceil() as usize).max(1);
    }
}

/// Waits until a device has done all that was asked for.
///
/// # Panics
///
/// If the device has failed. The process that measures ends then, and with its words the bench.
pub fn wait(device: &Device) {
    device.sync().expect("the device works");
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;

    /// Repeats steps that take `length` of their number, by a clock of its own. Gives how often was waited, too.
    fn repeated(seconds: f64, length: impl Fn(usize) -> f64) -> (Elapsed, usize) {
        let (now, steps, waits) = (Cell::new(7.0), Cell::new(0), Cell::new(0));
        let step = || {
            now.set(now.get() + length(steps.get()));
            steps.set(steps.get() + 1);
        };
        let elapsed = repeat_by(|| now.get(), seconds, || waits.set(waits.get() + 1), step);
        assert_eq!(elapsed.times, steps.get());
        (elapsed, waits.get())
    }

    #[test]
    fn a_repetition_lasts_as_long_as_it_should_and_waits_a_few_times_only() {
        let (elapsed, waits) = repeated(0.05, |_| 0.001);
        assert!((0.05..0.052).contains(&elapsed.seconds), "{elapsed:?}");
        assert!(waits <= 4, "waited {waits} times");
        // The first step is ten times as long, and every third takes half as long again.
        let (elapsed, waits) = repeated(1.0, |number| match number {
            0 => 0.01,
            number => 0.001 * if number % 3 == 0 { 1.5 } else { 1.0 },
        });
        assert!((1.0..1.01).contains(&elapsed.seconds), "{elapsed:?}");
        assert!(waits < 12, "waited {waits} times");
    }

    #[test]
    fn a_step_that_is_longer_than_the_repetition_is_done_once() {
        let (elapsed, waits) = repeated(0.001, |_| 0.005);
        assert_eq!((elapsed.times, waits), (1, 2));
        assert!((elapsed.seconds - 0.005).abs() < 1e-9);
    }

    #[test]
    fn the_real_clock_goes_on() {
        let elapsed = repeat(0.001, || (), || std::thread::sleep(Duration::from_millis(1)));
        assert!(elapsed.seconds >= 0.001 && elapsed.times >= 1, "{elapsed:?}");
    }
}
