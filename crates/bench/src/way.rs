//! The ways in which PyTorch computes that ours is compared with. `tests/pytorch/bench.py` knows the same.

/// How PyTorch computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// 32-bit numbers throughout, where PyTorch by itself would take TensorFloat-32 for convolutions on cards; the values of an
    /// image channel after channel, as PyTorch has them if nothing is said.
    Contiguous,
    /// The same, pixel after pixel.
    ChannelsLast,
    /// Pixel after pixel; products of numbers cut to ten bits of mantissa, TensorFloat-32.
    Tf32,
    /// Pixel after pixel; what autocast takes as bfloat16, at seven bits, the rest at 32.
    Bfloat16,
    /// As [`ChannelsLast`](Self::ChannelsLast), a training step recorded once and launched as a whole, a CUDA graph.
    Graph,
    /// As [`ChannelsLast`](Self::ChannelsLast), by kernels that `torch.compile` makes for the network and its batches.
    Compiled,
}

impl Way {
    /// All of them, in the order of tables.
    pub(crate) const ALL: [Self; 6] = [
        Self::Contiguous,
        Self::ChannelsLast,
        Self::Tf32,
        Self::Bfloat16,
        Self::Graph,
        Self::Compiled,
    ];

    /// The ways that make a difference to an architecture on a device of PyTorch's: what has no convolutions sees images
    /// as rows of numbers. `compiles`: with [`Compiled`](Self::Compiled), which takes a C++ compiler and up to minutes.
    pub(crate) fn of(model: &str, device: &str, compiles: bool) -> Vec<Self> {
        let makes_a_difference = |way: &Self| match way {
            Self::Contiguous => true,
            Self::ChannelsLast => model != "mlp",
            Self::Tf32 | Self::Bfloat16 | Self::Graph => device == "cuda",
            Self::Compiled => compiles,
        };
        Self::ALL.into_iter().filter(makes_a_difference).collect()
    }

    /// Its name in tables and files, and in the script.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Contiguous => "contiguous",
            Self::ChannelsLast => "channels_last",
            Self::Tf32 => "tf32",
            Self::Bfloat16 => "bfloat16",
            Self::Graph => "graph",
            Self::Compiled => "compiled",
        }
    }

    /// Whether it is PyTorch in eager mode with the numbers that ours computes with, so that only the order of the values
    /// differs.
    pub(crate) fn is_eager_and_exact(self) -> bool {
        matches!(self, Self::Contiguous | Self::ChannelsLast)
    }
}
