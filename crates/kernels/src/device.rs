//! Which tensors lie where.

#[cfg(any(feature = "flex", feature = "ndarray", feature = "cube"))]
use burn::backend::DispatchDevice;
use burn::tensor::{Device, Tensor};
#[cfg(feature = "cube")]
use burn_cubecl::cubecl::MemoryScope;

/// Whether `x` lies where our kernels run.
pub(crate) fn is_ours<const D: usize>(x: &Tensor<D>) -> bool {
    #[cfg(feature = "flex")]
    {
        use burn::tensor::DType;
        matches!(without_gradients(&x.device()), DispatchDevice::Flex(_)) && x.dtype() == DType::F32
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
    x.dtype() == burn::tensor::DType::F32 && is_card(&x.device())
}

/// Whether `device` is a graphics card that has room for our kernels.
#[cfg(feature = "cube")]
pub(crate) fn is_card(device: &Device) -> bool {
    /// Units of a cube, as all kernels in `cube/` have them.
    const UNITS: u32 = 256;
    /// Tensors that a kernel is given, with sizes and other numbers.
    const BINDINGS: u32 = 12;
    let DispatchDevice::Cube(card) = without_gradients(device) else { return false };
    let client = card.client();
    let hardware = &client.properties().hardware;
    hardware.max_units_per_cube >= UNITS && hardware.max_bindings >= BINDINGS
}

/// Whether a graphics card may hold that many bytes for good: in one piece, and a quarter of what it has. Of one that does not
/// tell what it has, as by `wgpu`, it is taken to be a gigabyte.
#[cfg(feature = "cube")]
pub(crate) fn has_room_for(device: &Device, bytes: usize) -> bool {
    /// Kernels count bytes by 32 bits; and the processor holds a copy while they are uploaded.
    const MOST_BYTES: u64 = 1 << 30;
    let DispatchDevice::Cube(card) = without_gradients(device) else { return false };
    let client = card.client();
    let memory = &client.properties().memory;
    let most = memory.max_page_size.min(memory.max_memory().unwrap_or(1 << 30) / 4);
    bytes as u64 <= most.min(MOST_BYTES)
}

/// Bytes of a graphics card's memory that are set aside for this process: its tensors, and what is kept for others. `None` of
/// a device that is none.
pub fn reserved_bytes(device: &Device) -> Option<u64> {
    #[cfg(feature = "cube")]
    if let DispatchDevice::Cube(card) = without_gradients(device) {
        let report = card.client().memory_report(MemoryScope::Device);
        return Some(report.usage().bytes_reserved);
    }
    let _ = device;
    None
}

/// Whether `x` lies where a convolution is best made a matrix product.
#[cfg(feature = "ndarray")]
pub(crate) fn multiplies_windows<const D: usize>(x: &Tensor<D>) -> bool {
    matches!(without_gradients(&x.device()), DispatchDevice::NdArray(_))
}

/// `device`, whether or not it records gradients.
#[cfg(any(feature = "flex", feature = "ndarray", feature = "cube"))]
fn without_gradients(device: &Device) -> DispatchDevice {
    match device.as_dispatch() {
        DispatchDevice::Autodiff(inner) => inner.clone().inner(),
        device => device.clone(),
    }
}
