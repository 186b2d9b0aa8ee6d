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
pub fn repeat(seconds: f64, wait: impl Fn(), mut step: impl FnMut()) -> Elapsed {
    wait();
    let started = Instant::now();
    let (mut times, mut next) = (0, 1);
    loop {
        for _ in 0..next {
            step();
        }
        wait();
        times += next;
        let elapsed = started.elapsed().as_secs_f64();
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

    #[test]
    fn a_repetition_lasts_as_long_as_it_should_and_waits_a_few_times_only() {
        let waits = Cell::new(0);
        let wait = || waits.set(waits.get() + 1);
        let elapsed = repeat(0.05, wait, || std::thread::sleep(Duration::from_millis(1)));
        assert!(elapsed.seconds >= 0.05 && elapsed.times > 1, "{elapsed:?}");
        assert!(waits.get() < 12, "waited {} times", waits.get());
    }

    #[test]
    fn a_step_that_is_longer_than_the_repetition_is_done_once() {
        let elapsed = repeat(0.001, || (), || std::thread::sleep(Duration::from_millis(5)));
        assert_eq!(elapsed.times, 1);
    }
}
