//! Loss and right answers of training batches, kept on the device until they are needed.

use burn::tensor::Tensor;

use crate::train::EpochInProgress;

/// Results that have not been read back. Reading makes the device wait, so it is done for many
/// batches at once.
#[derive(Debug, Default)]
pub struct Meter {
    /// `[loss, right answers]` of each batch.
    unread: Vec<Tensor<1>>,
}

impl Meter {
    /// Takes the results of a batch; nothing is read back.
    pub fn push(&mut self, loss: &Tensor<1>, right: Tensor<1>) {
        let loss = loss.clone().without_autodiff();
        self.unread.push(Tensor::cat(vec![loss, right], 0));
    }

    /// Reads everything back and adds it to the epoch.
    pub fn read_into(&mut self, epoch: &mut EpochInProgress) {
        if self.unread.is_empty() {
            return;
        }
        let values = Tensor::cat(std::mem::take(&mut self.unread), 0);
        let values: Vec<f32> = values.into_data().try_to_vec().expect("losses are 32-bit floats");
        for pair in values.chunks_exact(2) {
            epoch.objectives.push(f64::from(pair[0]));
            // Whole numbers below 2²⁴ are exact.
            epoch.right += pair[1] as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn batches_are_read_in_their_order() {
        let device = Device::flex();
        let mut meter = Meter::default();
        for (loss, right) in [(2.5, 3.0), (1.5, 7.0)] {
            let scalar = |value: f32| Tensor::<1>::from_floats([value], &device);
            meter.push(&scalar(loss), scalar(right));
        }
        let mut epoch = EpochInProgress::default();
        meter.read_into(&mut epoch);
        meter.read_into(&mut epoch);
        assert_eq!((epoch.objectives.as_slice(), epoch.right), (&[2.5, 1.5][..], 10));
    }
}
