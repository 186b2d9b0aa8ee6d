//! What of the CPU decides which kernels are used.

/// The features of an x86-64 CPU by which kernels are chosen, ours and those of Burn's matrix products, each with whether this
/// CPU has it; nothing on other CPUs, where the compiler's target decides alone.
pub fn cpu_features() -> Vec<(&'static str, bool)> {
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! detected {
            ($($name:tt)*) => { vec![$(($name, is_x86_feature_detected!($name))),*] };
        }
        detected!("avx" "avx2" "fma" "avx512f" "avx512bw" "avx512cd" "avx512dq" "avx512vl")
    }
    #[cfg(not(target_arch = "x86_64"))]
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{available_instruction_sets, instruction_set};

    #[test]
    fn instruction_sets_are_there_exactly_if_their_features_are() {
        let features = cpu_features();
        let has = |name: &str| features.contains(&(name, true));
        let available = available_instruction_sets();
        assert_eq!(available.contains(&"avx2"), has("avx2") && has("fma"), "{features:?}");
        assert_eq!(available.contains(&"avx512"), has("avx2") && has("fma") && has("avx512f"));
        assert_eq!(available[0], "portable");
        assert!(available.contains(&instruction_set()));
    }
}
