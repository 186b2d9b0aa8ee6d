//! Which tensors lie where.

#[cfg(any(feature = "flex", feature = "ndarray", feature = "cube"))]
use burn::backend::DispatchDevice;
use burn::tensor::Tensor;

/// Whether `x` lies where our kernels run.
pub(crate) fn is_ours<const D: usize>(x: &Tensor<D>) -> bool {
    #[cfg(feature = "flex")]
    {
        use burn::tensor::DType;
        matches!(without_gradients(x), DispatchDevice::Flex(_)) && x.dtype() == DType::F32
    }
    #[cfg(not(feature = "flex"))]
    {
        let _ = x;
        false
    }
}

/// Whether `x` lies on a graphics card that has room for our kernels, which small ones may lack.
#[cfg(feature = "cube")]
pub(crate) fn is_on_card<const D: usize>(x: &Tensor<D>) -> bool {
    use burn::tensor::DType;
    /// Units of a cube, as all kernels in `cube/` have them.
    const UNITS: u32 = 256;
    /// Tensors that a kernel is given, with sizes and other numbers.
    const BINDINGS: u32 = 12;
    let DispatchDevice::Cube(card) = without_gradients(x) else { return false };
    let client = card.client();
    let hardware = &client.properties().hardware;
    let has_room = hardware.max_units_per_cube >= UNITS && hardware.max_bindings >= BINDINGS;
    has_room && x.dtype() == DType::F32
}

/// Whether `x` lies where a convolution is best made a matrix product.
#[cfg(feature = "ndarray")]
pub(crate) fn multiplies_windows<const D: usize>(x: &Tensor<D>) -> bool {
    matches!(without_gradients(x), DispatchDevice::NdArray(_))
}

/// The device of `x`, whether or not it records gradients.
#[cfg(any(feature = "flex", feature = "ndarray", feature = "cube"))]
fn without_gradients<const D: usize>(x: &Tensor<D>) -> DispatchDevice {
    match x.device().as_dispatch() {
        DispatchDevice::Autodiff(inner) => inner.clone().inner(),
        device => device.clone(),
    }
}
