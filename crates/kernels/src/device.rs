//! Which tensors our kernels work on.

use burn::tensor::Tensor;

/// Whether `x` lies where our kernels run.
pub(crate) fn is_ours<const D: usize>(x: &Tensor<D>) -> bool {
    #[cfg(feature = "flex")]
    {
        use burn::backend::DispatchDevice;
        use burn::tensor::DType;
        let device = x.device();
        let is_flex = match device.as_dispatch() {
            DispatchDevice::Flex(_) => true,
            DispatchDevice::Autodiff(inner) => {
                matches!(inner.clone().inner(), DispatchDevice::Flex(_))
            }
            #[allow(unreachable_patterns)]
            _ => false,
        };
        is_flex && x.dtype() == DType::F32
    }
    #[cfg(not(feature = "flex"))]
    {
        let _ = x;
        false
    }
}
