//! Vectors of `f32`: AVX-512, AVX2 with FMA, or arrays that the compiler maps to what there is.
//!
//! Kernels are written once, over [`Simd`]; [`run`] picks the widest instruction set of the machine
//! at run time. `BACKBURN_SIMD=portable|avx2|avx512` sets an upper limit, for tests and comparisons. What is none of
//! [`INSTRUCTION_SETS`] is passed over here, since a library does not speak; the program refuses it.

use std::sync::OnceLock;

/// A vector instruction set. A value of such a type is the proof that the CPU has it.
///
/// Methods that take vectors are lane by lane.
pub(crate) trait Simd: Copy {
    /// `LANES` numbers in a register.
    type Vector: Copy;
    /// Numbers in a vector.
    const LANES: usize;
    /// Rows of a tile of products that fit the registers, two vectors wide.
    const ROWS: usize;

    fn splat(self, value: f32) -> Self::Vector;
    /// # Safety
    ///
    /// `LANES` numbers can be read at `from`, of any alignment.
    unsafe fn load(self, from: *const f32) -> Self::Vector;
    /// # Safety
    ///
    /// `LANES` numbers can be written at `to`, of any alignment.
    unsafe fn store(self, to: *mut f32, value: Self::Vector);
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The larger one; `b`, if one of them is NaN.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The smaller one; `b`, if one of them is NaN.
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a · b + c`, in one rounding where the machine can.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// `value` where `condition > 0`, else zero.
    fn where_positive(self, condition: Self::Vector, value: Self::Vector) -> Self::Vector;
    /// The lowest nine bits of a number's representation as sign and exponent of another one, whose mantissa is 0: of
    /// `1.5 · 2²³ + k`, with a whole `k`, `2^(k − 127)` for 0 < k < 255, and 0 for k = 0.
    fn low_bits_as_exponent(self, value: Self::Vector) -> Self::Vector;
    /// Fetches the line of the cache at this place ahead of its use. Nothing is read: any address will do.
    fn prefetch(self, from: *const f32);
    /// Of `LANES` rows of as many numbers, which lie `stride` apart from `from` on, the columns: one for each place of
    /// `to`, beginning with the first.
    ///
    /// # Safety
    ///
    /// The rows can be read. `LANES` numbers can be written at each place of `to`, of which there are at most `LANES`.
    unsafe fn transpose(self, from: *const f32, stride: usize, to: &[*mut f32]);
}

/// A computation that is compiled once for each instruction set.
pub(crate) trait Task {
    type Output;
    /// Mark implementations `#[inline(always)]`: only what is inlined into [`run`]'s functions is
    /// compiled for their instruction set.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// The first `count` numbers at `from`, and zeros.
///
/// # Safety
///
/// `count` numbers can be read at `from`; `count` is at most `LANES`.
#[inline(always)]
pub(crate) unsafe fn load_some<S: Simd>(simd: S, from: *const f32, count: usize) -> S::Vector {
    // SAFETY: no vector is longer than 16, and `count` numbers fit both places.
    unsafe {
        if count == S::LANES {
            return simd.load(from);
        }
        let mut all = [0.0; 16];
        std::ptr::copy_nonoverlapping(from, all.as_mut_ptr(), count);
        simd.load(all.as_ptr())
    }
}

/// # Safety
///
/// `count` numbers can be written at `to`; `count` is at most `LANES`.
#[inline(always)]
pub(crate) unsafe fn store_some<S: Simd>(simd: S, to: *mut f32, value: S::Vector, count: usize) {
    // SAFETY: no vector is longer than 16, and `count` numbers fit both places.
    unsafe {
        if count == S::LANES {
            simd.store(to, value);
        } else {
            let mut all = [0.0; 16];
            simd.store(all.as_mut_ptr(), value);
            std::ptr::copy_nonoverlapping(all.as_ptr(), to, count);
        }
    }
}

/// The first number of a vector.
#[inline(always)]
pub(crate) fn first<S: Simd>(simd: S, value: S::Vector) -> f32 {
    let mut first = 0.0;
    // SAFETY: room for one number.
    unsafe { store_some(simd, &raw mut first, value, 1) };
    first
}

/// Runs `task` with the widest vectors of this machine.
#[inline]
pub(crate) fn run<T: Task>(task: T) -> T::Output {
    run_at(level(), task)
}

/// What `task` gives with each instruction set of this machine, and the set's name.
#[cfg(test)]
pub(crate) fn run_with_each<T: Task + Copy>(task: T) -> Vec<(&'static str, T::Output)> {
    available().into_iter().map(|level| (level.name(), run_at(level, task))).collect()
}

#[inline]
fn run_at<T: Task>(level: Level, task: T) -> T::Output {
    match level {
        // SAFETY: `available`, from which all levels come, found the features that the functions enable.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { x86::run_avx512(task) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { x86::run_avx2(task) },
        Level::Portable => task.run(Portable(())),
    }
}

/// Numbers in a vector on this machine.
pub(crate) fn lanes() -> usize {
    struct Lanes;
    impl Task for Lanes {
        type Output = usize;
        #[inline(always)]
        fn run<S: Simd>(self, _simd: S) -> usize {
            S::LANES
        }
    }
    run(Lanes)
}

/// The instruction sets in the order of [`INSTRUCTION_SETS`].
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    fn name(self) -> &'static str {
        INSTRUCTION_SETS[self as usize]
    }
}

/// The names of all instruction sets, on any machine, narrowest first.
pub const INSTRUCTION_SETS: [&str; 3] = ["portable", "avx2", "avx512"];

/// The name of the instruction set in use: `portable`, `avx2` or `avx512`.
pub fn instruction_set() -> &'static str {
    level().name()
}

/// The names of the instruction sets that this CPU has, narrowest first.
pub fn available_instruction_sets() -> Vec<&'static str> {
    available().into_iter().map(Level::name).collect()
}

fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| {
        let limit = std::env::var("BACKBURN_SIMD").ok();
        let available = available();
        let is_limit = |level: &Level| limit.as_deref() == Some(level.name());
        available.iter().copied().find(is_limit).unwrap_or(available[available.len() - 1])
    })
}

fn available() -> Vec<Level> {
    #[allow(unused_mut)]
    let mut levels = vec![Level::Portable];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            levels.push(Level::Avx2);
            if is_x86_feature_detected!("avx512f") {
                levels.push(Level::Avx512);
            }
        }
    }
    levels
}

/// Four numbers, in whatever the compiler's target has.
#[derive(Clone, Copy)]
pub(crate) struct Portable(());

/// Applies `f` lane by lane.
#[inline(always)]
fn zip(a: [f32; 4], b: [f32; 4], f: impl Fn(f32, f32) -> f32) -> [f32; 4] {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}

impl Simd for Portable {
    type Vector = [f32; 4];
    const LANES: usize = 4;
    const ROWS: usize = 6;

    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 4] {
        [value; 4]
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> [f32; 4] {
        // SAFETY: the caller's.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: [f32; 4]) {
        // SAFETY: the caller's.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(value) }
    }
    #[inline(always)]
    fn add(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn max(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn mul_add(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        // Without the instruction, `f32::mul_add` is a slow function call.
        if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
            [
                a[0].mul_add(b[0], c[0]),
                a[1].mul_add(b[1], c[1]),
                a[2].mul_add(b[2], c[2]),
                a[3].mul_add(b[3], c[3]),
            ]
        } else {
            self.add(self.mul(a, b), c)
        }
    }
    #[inline(always)]
    fn where_positive(self, condition: [f32; 4], value: [f32; 4]) -> [f32; 4] {
        zip(condition, value, |c, v| if c > 0.0 { v } else { 0.0 })
    }
    #[inline(always)]
    fn low_bits_as_exponent(self, value: [f32; 4]) -> [f32; 4] {
        value.map(|value| f32::from_bits(value.to_bits() << 23))
    }
    #[inline(always)]
    fn prefetch(self, _from: *const f32) {}
    #[inline(always)]
    unsafe fn transpose(self, from: *const f32, stride: usize, to: &[*mut f32]) {
        for (column, &to) in to.iter().enumerate() {
            for row in 0..4 {
                // SAFETY: the caller's.
                unsafe { *to.add(row) = *from.add(row * stride + column) };
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use crate::cpu::simd::{Simd, Task};

    /// 256-bit vectors with fused multiply-add; made by [`run_avx2`] alone.
    #[derive(Clone, Copy)]
    pub(super) struct Avx2(());

    /// 512-bit vectors; made by [`run_avx512`] alone.
    #[derive(Clone, Copy)]
    pub(super) struct Avx512(());

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn run_avx2<T: Task>(task: T) -> T::Output {
        task.run(Avx2(()))
    }

    #[target_feature(enable = "avx512f,avx2,fma")]
    pub(super) fn run_avx512<T: Task>(task: T) -> T::Output {
        task.run(Avx512(()))
    }

    /// Methods that are one intrinsic each.
    macro_rules! intrinsics {
        ($vector:ty; $($method:ident($($argument:ident),*) = $intrinsic:ident;)*) => {
            $(
                #[inline(always)]
                fn $method(self, $($argument: $vector),*) -> $vector {
                    // SAFETY: `self` exists on CPUs that have the instruction set only.
                    unsafe { $intrinsic($($argument),*) }
                }
            )*
        };
    }

    impl Simd for Avx2 {
        type Vector = __m256;
        const LANES: usize = 8;
        const ROWS: usize = 6;

        #[inline(always)]
        fn splat(self, value: f32) -> __m256 {
            // SAFETY: `self` exists on CPUs that have the instruction set only.
            unsafe { _mm256_set1_ps(value) }
        }
        #[inline(always)]
        unsafe fn load(self, from: *const f32) -> __m256 {
            // SAFETY: the caller's, and as above.
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32, value: __m256) {
            // SAFETY: the caller's, and as above.
            unsafe { _mm256_storeu_ps(to, value) }
        }
        intrinsics! { __m256;
            add(a, b) = _mm256_add_ps;
            sub(a, b) = _mm256_sub_ps;
            mul(a, b) = _mm256_mul_ps;
            div(a, b) = _mm256_div_ps;
            max(a, b) = _mm256_max_ps;
            min(a, b) = _mm256_min_ps;
            mul_add(a, b, c) = _mm256_fmadd_ps;
        }
        #[inline(always)]
        fn where_positive(self, condition: __m256, value: __m256) -> __m256 {
            // SAFETY: `self` exists on CPUs that have the instruction set only.
            unsafe {
                let mask = _mm256_cmp_ps::<_CMP_GT_OQ>(condition, _mm256_setzero_ps());
                _mm256_and_ps(mask, value)
            }
        }
        #[inline(always)]
        fn low_bits_as_exponent(self, value: __m256) -> __m256 {
            // SAFETY: `self` exists on CPUs that have the instruction set only.
            unsafe {
                let bits = _mm256_slli_epi32::<23>(_mm256_castps_si256(value));
                _mm256_castsi256_ps(bits)
            }
        }
        #[inline(always)]
        fn prefetch(self, from: *const f32) {
            // SAFETY: as above; an address that cannot be read is passed over.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) };
        }
        #[inline(always)]
        unsafe fn transpose(self, from: *const f32, stride: usize, to: &[*mut f32]) {
            // SAFETY: the caller's, and as above.
            unsafe {
                let mut quads = [[_mm256_setzero_ps(); 4]; 2];
                for (quad, columns) in quads.iter_mut().enumerate() {
                    let row = |number: usize| from.add((4 * quad + number) * stride);
                    let rows = [row(0), row(1), row(2), row(3)];
                    let [a, b] = [_mm256_loadu_ps(rows[0]), _mm256_loadu_ps(rows[1])];
                    let [c, d] = [_mm256_loadu_ps(rows[2]), _mm256_loadu_ps(rows[3])];
                    let [ab, cd] = [_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d)];
                    columns[0] = _mm256_shuffle_ps::<0x44>(ab, cd);
                    columns[1] = _mm256_shuffle_ps::<0xee>(ab, cd);
                    let [ab, cd] = [_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d)];
                    columns[2] = _mm256_shuffle_ps::<0x44>(ab, cd);
                    columns[3] = _mm256_shuffle_ps::<0xee>(ab, cd);
                }
                // Half `h` of number `c` of a quad has column `4 h + c` of its four rows.
                let mut all = [_mm256_setzero_ps(); 8];
                for c in 0..4 {
                    let [above, below] = [quads[0][c], quads[1][c]];
                    all[c] = _mm256_permute2f128_ps::<0x20>(above, below);
                    all[4 + c] = _mm256_permute2f128_ps::<0x31>(above, below);
                }
                for (&to, column) in to.iter().zip(all) {
                    _mm256_storeu_ps(to, column);
                }
            }
        }
    }

    impl Simd for Avx512 {
        type Vector = __m512;
        const LANES: usize = 16;
        const ROWS: usize = 12;

        #[inline(always)]
        fn splat(self, value: f32) -> __m512 {
            // SAFETY: `self` exists on CPUs that have the instruction set only.
            unsafe { _mm512_set1_ps(value) }
        }
        #[inline(always)]
        unsafe fn load(self, from: *const f32) -> __m512 {
            // SAFETY: the caller's, and as above.
            unsafe { _mm512_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32, value: __m512) {
            // SAFETY: the caller's, and as above.
            unsafe { _mm512_storeu_ps(to, value) }
        }
        intrinsics! { __m512;
            add(a, b) = _mm512_add_ps;
            sub(a, b) = _mm512_sub_ps;
            mul(a, b) = _mm512_mul_ps;
            div(a, b) = _mm512_div_ps;
            max(a, b) = _mm512_max_ps;
            min(a, b) = _mm512_min_ps;
            mul_add(a, b, c) = _mm512_fmadd_ps;
        }
        #[inline(always)]
        fn where_positive(self, condition: __m512, value: __m512) -> __m512 {
            // SAFETY: `self` exists on CPUs that have the instruction set only.
            unsafe {
                let mask = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(condition, _mm512_setzero_ps());
                _mm512_maskz_mov_ps(mask, value)
            }
        }
        #[inline(always)]
        fn low_bits_as_exponent(self, value: __m512) -> __m512 {
            // SAFETY: `self` exists on CPUs that have the instruction set only.
            unsafe {
                let bits = _mm512_slli_epi32::<23>(_mm512_castps_si512(value));
                _mm512_castsi512_ps(bits)
            }
        }
        #[inline(always)]
        fn prefetch(self, from: *const f32) {
            // SAFETY: as above; an address that cannot be read is passed over.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) };
        }
        #[inline(always)]
        unsafe fn transpose(self, from: *const f32, stride: usize, to: &[*mut f32]) {
            // SAFETY: the caller's, and as above.
            unsafe {
                let mut quads = [[_mm512_setzero_ps(); 4]; 4];
                for (quad, columns) in quads.iter_mut().enumerate() {
                    let row = |number: usize| from.add((4 * quad + number) * stride);
                    let rows = [row(0), row(1), row(2), row(3)];
                    let [a, b] = [_mm512_loadu_ps(rows[0]), _mm512_loadu_ps(rows[1])];
                    let [c, d] = [_mm512_loadu_ps(rows[2]), _mm512_loadu_ps(rows[3])];
                    let [ab, cd] = [_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d)];
                    columns[0] = _mm512_shuffle_ps::<0x44>(ab, cd);
                    columns[1] = _mm512_shuffle_ps::<0xee>(ab, cd);
                    let [ab, cd] = [_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d)];
                    columns[2] = _mm512_shuffle_ps::<0x44>(ab, cd);
                    columns[3] = _mm512_shuffle_ps::<0xee>(ab, cd);
                }
                // Quarter `q` of number `c` of a quad has column `4 q + c` of its four rows.
                let mut all = [_mm512_setzero_ps(); 16];
                for c in 0..4 {
                    let [first, second] = [quads[0][c], quads[1][c]];
                    let [third, fourth] = [quads[2][c], quads[3][c]];
                    let even = _mm512_shuffle_f32x4::<0x88>(first, second);
                    let odd = _mm512_shuffle_f32x4::<0xdd>(first, second);
                    let even_below = _mm512_shuffle_f32x4::<0x88>(third, fourth);
                    let odd_below = _mm512_shuffle_f32x4::<0xdd>(third, fourth);
                    all[c] = _mm512_shuffle_f32x4::<0x88>(even, even_below);
                    all[4 + c] = _mm512_shuffle_f32x4::<0x88>(odd, odd_below);
                    all[8 + c] = _mm512_shuffle_f32x4::<0xdd>(even, even_below);
                    all[12 + c] = _mm512_shuffle_f32x4::<0xdd>(odd, odd_below);
                }
                for (&to, column) in to.iter().zip(all) {
                    _mm512_storeu_ps(to, column);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first columns of a block whose numbers tell their places, in rows that are longer than they are.
    #[derive(Clone, Copy)]
    struct Columns(usize);

    impl Task for Columns {
        type Output = (usize, Vec<f32>);

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Self::Output {
            let stride = S::LANES + 3;
            let rows: Vec<f32> = (0..S::LANES * stride).map(|at| at as f32).collect();
            let mut columns = vec![-1.0; self.0.min(S::LANES) * S::LANES];
            let places: Vec<_> = columns.chunks_mut(S::LANES).map(<[f32]>::as_mut_ptr).collect();
            // SAFETY: rows and columns have that many numbers.
            unsafe { simd.transpose(rows.as_ptr(), stride, &places) };
            (S::LANES, columns)
        }
    }

    #[test]
    fn rows_become_columns() {
        for count in [0, 1, 5, 16] {
            for (set, (lanes, columns)) in run_with_each(Columns(count)) {
                let expected = (0..count.min(lanes))
                    .flat_map(|column| (0..lanes).map(move |row| row * (lanes + 3) + column));
                let expected: Vec<f32> = expected.map(|at| at as f32).collect();
                assert_eq!(columns, expected, "{set}, {count} columns");
            }
        }
    }
}
