//! Products of matrices agree with Burn's own.

#![cfg(feature = "flex")]

mod common;

use backburn_kernels::{matrix_product, product_with_transposed};
use burn::tensor::Tensor;
use common::{Errors, cases, constant, generator, gradients, leaf, of, pick, values};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

const SIZES: [usize; 12] = [1, 2, 3, 10, 15, 16, 17, 31, 33, 48, 100, 129];

type Product = fn(Tensor<2>, Tensor<2>) -> Tensor<2>;

#[test]
fn random_sizes_agree_with_burn() {
    let rng = &mut generator(11);
    let mut errors = Errors::default();
    for case in 0..cases(60) {
        let sizes = [rng.random_range(1..=40), pick(rng, &SIZES), pick(rng, &SIZES)];
        compare_with_burn(rng, sizes, case % 2 == 0, &mut errors);
    }
}

#[test]
fn large_matrices_agree_with_burn() {
    let mut errors = Errors::default();
    compare_with_burn(&mut generator(12), [65, 1000, 70], false, &mut errors);
    compare_with_burn(&mut generator(13), [500, 30, 270], true, &mut errors);
}

/// `sizes`: rows, inner, columns. `by_columns`: in memory, columns lie side by side.
fn compare_with_burn(
    rng: &mut ChaCha8Rng,
    sizes: [usize; 3],
    by_columns: bool,
    errors: &mut Errors,
) {
    let [rows, inner, columns] = sizes;
    let products: [(&str, [usize; 2], Product, Product); 2] = [
        ("a · b", [inner, columns], matrix_product, |a, b| a.matmul(b)),
        ("a · bᵀ", [columns, inner], product_with_transposed, |a, b| a.matmul(b.transpose())),
    ];
    let in_memory = |[a, b]: [usize; 2]| if by_columns { [b, a] } else { [a, b] };
    let axes = in_memory([0, 1]).map(|axis| axis as isize);
    for (name, of_b, ours, burns) in products {
        let (a, b) = (leaf(rng, in_memory([rows, inner])), leaf(rng, in_memory(of_b)));
        let arguments = || (a.clone().permute(axes), b.clone().permute(axes));
        let [ours, burns] = [ours, burns].map(|product| {
            let (a, b) = arguments();
            product(a, b)
        });
        let case = (name, sizes, by_columns);
        errors.check("product", &case, &values(ours.clone()), &values(burns.clone()));

        let coefficients = constant(rng, ours.dims());
        let [ours, burns] = [ours, burns].map(|product| gradients(product, &coefficients));
        errors.check("gradient of the first", &case, &of(&a, &ours), &of(&a, &burns));
        errors.check("gradient of the second", &case, &of(&b, &ours), &of(&b, &burns));
    }
}
