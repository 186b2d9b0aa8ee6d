//! A loss that is no longer a number: where training stops, what stays, and how it goes back.

use crate::place::*;

/// Learns, and diverges while its learning rate rises to the peak.
const RISING: &str = "train mnist --data-dir data --train-size 96 --valid-size 20 --epochs 8 --model mlp --hidden 16 --batch-size 8 --optimizer sgd --schedule one-cycle --weight-decay 0 --dropout 0.1 --augment crop=2 --threads 1";

/// Diverges in its first epoch, and still with half of its learning rate.
const AT_ONCE: &str = "train mnist --data-dir data --train-size 96 --valid-size 20 --epochs 3 --model mlp --hidden 16 --batch-size 8 --optimizer sgd --schedule constant --learning-rate 1e30 --weight-decay 0 --dropout 0 --augment none --threads 1";

#[test]
fn a_divergence_is_named_with_its_place_and_what_was_good_stays() {
    let place = Place::with_mnist();
    let run = place.run(&format!("{RISING} --learning-rate 1e12 --checkpoint-every 5 --out run"));
    assert_eq!(run.code, Some(ERROR), "{run:?}");
    println!("{}", run.stderr);
}
