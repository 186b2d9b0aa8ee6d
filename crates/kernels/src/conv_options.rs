//! How the windows of a convolution lie on the image.

/// Stride and padding of a convolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvOptions {
    /// Pixels from one window to the next, down and right; at least 1.
    pub stride: [usize; 2],
    /// Zeros around the input, above and below, left and right.
    pub padding: [usize; 2],
}
