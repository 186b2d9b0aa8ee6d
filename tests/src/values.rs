//! Numbers by formula, the same here and in `tests/pytorch/formula.py` to the last bit.

/// `count` numbers in `[-1, 1)` that look random.
pub fn values(name: &str, count: usize) -> Vec<f32> {
    // FNV-1a.
    let seed = name
        .bytes()
        .fold(0x811c_9dc5_u32, |seed, byte| (seed ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let value = |i: usize| {
        // The finalizer of MurmurHash3.
        let mut x = seed ^ (i as u32).wrapping_mul(0x9e37_79b9);
        x = (x ^ x >> 16).wrapping_mul(0x85eb_ca6b);
        x = (x ^ x >> 13).wrapping_mul(0xc2b2_ae35);
        x ^= x >> 16;
        // 24 bits, so that the result is exact.
        (x >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_python_script() {
        let pinned: [f32; 4] = [-0.8742994, 0.7550111, -0.8741404, -0.40503168];
        assert_eq!(values("head.weight", 4), pinned);
    }

    #[test]
    fn values_fill_their_range_evenly() {
        let values = values("any", 100_000);
        let mean = values.iter().sum::<f32>() / 1e5;
        let square = values.iter().map(|v| v * v).sum::<f32>() / 1e5;
        assert!(values.iter().all(|v| (-1.0..1.0).contains(v)));
        assert!(mean.abs() < 0.01 && (square - 1.0 / 3.0).abs() < 0.01, "{mean}, {square}");
    }
}
