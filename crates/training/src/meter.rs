//! Loss and right answers of training batches, kept on the device until they are needed.

use std::time::{Duration, Instant};

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// How often values are read back from the device, at most.
const READ_INTERVAL: Duration = Duration::from_millis(400);

/// The part of an epoch that has been trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochInProgress {
    /// What was minimized, of each batch.
    pub objectives: Vec<f64>,
    /// Right answers against clean labels.
    pub right: u64,
    /// Images seen.
    pub images: u64,
    /// Wall clock in seconds.
    pub seconds: f64,
}

impl EpochInProgress {
    /// Share of right answers.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.images.max(1) as f64
    }

    /// Images a second.
    pub fn speed(&self) -> f64 {
        self.images as f64 / self.seconds.max(1e-9)
    }
}

/// Results that have not been read back, and the wall clock of an epoch that may have begun in an earlier
/// process. Reading makes the device wait, so it is done for many batches at once.
#[derive(Debug)]
pub struct Meter {
    /// `[loss, right answers]` of each batch.
    unread: Vec<Tensor<1>>,
    /// Seconds of the epoch in earlier processes.
    before: f64,
    started: Instant,
    read: Instant,
}

impl Meter {
    /// A meter of an epoch that took `before` seconds in earlier processes.
    pub fn resume(before: f64) -> Self {
        Self { unread: Vec::new(), before, started: Instant::now(), read: Instant::now() }
    }

    /// Takes the results of a batch; nothing is read back.
    pub fn push(&mut self, loss: &Tensor<1>, right: Tensor<1>) {
        let loss = loss.clone().without_autodiff();
        self.unread.push(Tensor::cat(vec![loss, right], 0));
    }

    /// Whether the last reading is a while ago; if so, the next one counts from now.
    pub(crate) fn is_due(&mut self) -> bool {
        let due = self.read.elapsed() >= READ_INTERVAL;
        if due {
            self.read = Instant::now();
        }
        due
    }

    /// Reads everything back and adds it to the epoch.
    pub fn read_into(&mut self, epoch: &mut EpochInProgress) {
        if !self.unread.is_empty() {
            let values = Tensor::cat(std::mem::take(&mut self.unread), 0);
            let values: Vec<f32> =
                values.into_data().try_to_vec().expect("losses are 32-bit floats");
            for pair in values.chunks_exact(2) {
                epoch.objectives.push(f64::from(pair[0]));
                // Whole numbers below 2²⁴ are exact.
                epoch.right += pair[1] as u64;
            }
        }
        // After the reading, which waits for the device.
        epoch.seconds = self.before + self.started.elapsed().as_secs_f64();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn batches_are_read_in_their_order() {
        let device = Device::flex();
        let mut meter = Meter::resume(5.0);
        for (loss, right) in [(2.5, 3.0), (1.5, 7.0)] {
            let scalar = |value: f32| Tensor::<1>::from_floats([value], &device);
            meter.push(&scalar(loss), scalar(right));
        }
        let mut epoch = EpochInProgress::default();
        meter.read_into(&mut epoch);
        meter.read_into(&mut epoch);
        assert_eq!((epoch.objectives.as_slice(), epoch.right), (&[2.5, 1.5][..], 10));
        assert!(epoch.seconds >= 5.0);
    }
}
