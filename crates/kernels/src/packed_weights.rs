//! Weights that are packed once for many batches.
//!
//! Products read weights in another order than layers keep them. In training they change with every
//! step, and are packed for every batch. An evaluation reads the same weights again and again, and for
//! a multilayer perceptron packing them is a third of its work.

/// What `passes` returns; during it, in this thread, weights are packed when they are first read and
/// kept until it ends. They take their own size in memory once more; where convolutions are filtered, four times.
///
/// For forward passes. Results do not depend on it, also if weights change on the way, but then the
/// old ones are held too.
pub fn keeping_packed_weights<T>(passes: impl FnOnce() -> T) -> T {
    #[cfg(feature = "flex")]
    let _kept = ours::Scope::begin();
    passes()
}

#[cfg(feature = "flex")]
pub(crate) mod ours {
    use std::cell::RefCell;
    use std::rc::Rc;

    use burn::backend::flex::FlexTensor;

    use crate::cpu::{ConvShape, PackedWeights, WeightLayout, pack};
    use crate::flex::values;

    struct Kept {
        /// The weights, held so that nobody can change them or put others in their place.
        weights: FlexTensor,
        layout: WeightLayout,
        packed: Rc<PackedWeights>,
    }

    thread_local! {
        /// `None` outside of every [`Scope`].
        static KEPT: RefCell<Option<Vec<Kept>>> = const { RefCell::new(None) };
    }

    /// While it lives, weights are kept; after it, what was before.
    pub(super) struct Scope {
        outer: Option<Vec<Kept>>,
    }

    impl Scope {
        pub(super) fn begin() -> Self {
            Self { outer: KEPT.replace(Some(Vec::new())) }
        }
    }

    impl Drop for Scope {
        fn drop(&mut self) {
            KEPT.set(self.outer.take());
        }
    }

    /// The packed `weights` (in order, of a layer of this shape), if they are to be kept.
    pub(crate) fn kept(
        shape: &ConvShape,
        weights: &FlexTensor,
        layout: WeightLayout,
    ) -> Option<Rc<PackedWeights>> {
        KEPT.with_borrow_mut(|kept| {
            let kept = kept.as_mut()?;
            let of_weights = values(weights);
            // Memory that is held has one owner, so the same place means the same weights.
            let same = |kept: &&Kept| {
                std::ptr::eq(values(&kept.weights), of_weights)
                    && kept.layout == layout
                    && kept.packed.suit(shape)
            };
            if let Some(known) = kept.iter().find(same) {
                return Some(Rc::clone(&known.packed));
            }
            let packed = Rc::new(pack(shape, of_weights, layout));
            kept.push(Kept { weights: weights.clone(), layout, packed: Rc::clone(&packed) });
            Some(packed)
        })
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::{Device, Distribution, Tensor};

    use super::*;
    use crate::{Activation, linear};

    #[test]
    fn kept_weights_give_the_same_bits_also_after_a_change() {
        let device = Device::flex();
        let random = Distribution::Normal(0.0, 1.0);
        let x = Tensor::<2>::random([5, 30], random, &device);
        let bias = Tensor::<1>::random([50], random, &device);
        let first = Tensor::<2>::random([30, 50], random, &device);
        let second = first.clone() * 2.0;
        let pass = |weight: &Tensor<2>| {
            linear(x.clone(), weight.clone(), bias.clone(), Activation::Relu)
                .into_data()
                .try_to_vec::<f32>()
                .unwrap()
        };
        let expected = [pass(&first), pass(&second)];
        let found = keeping_packed_weights(|| {
            let mut found = Vec::new();
            for _ in 0..2 {
                found.push([pass(&first), pass(&second)]);
            }
            found
        });
        assert_eq!(found, [expected.clone(), expected]);
    }

    #[test]
    fn weights_changed_in_place_are_packed_anew() {
        let device = Device::flex();
        let x = Tensor::<2>::ones([1, 40], &device);
        let bias = Tensor::<1>::zeros([40], &device);
        let sum = |weight: &Tensor<2>| {
            let y = linear(x.clone(), weight.clone(), bias.clone(), Activation::Identity);
            y.sum().into_scalar::<f32>()
        };
        keeping_packed_weights(|| {
            let mut weight = Tensor::<2>::ones([40, 40], &device);
            for factor in 1..5 {
                assert_eq!(sum(&weight), 1600.0 * factor as f32);
                weight = weight + 1.0;
            }
        });
    }
}
