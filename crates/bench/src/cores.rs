//! Whether the cores that the system tells of are cores at all times. Two of a virtual machine may be halves of one, for
//! a while, and other guests may use the other half of each; the system inside does not see it.

use std::thread;
use std::time::Instant;

use backburn_kernels::cpu::products_of_a_thread;

use super::figure::Figure;

/// Looks of which the median counts.
const LOOKS: usize = 3;

/// Less than this part of the highest gain, and the lowest is worth a word.
const STEADY: f64 = 0.75;

/// Products a second that so many threads reach beside each other, over those of one: some milliseconds each.
pub(crate) fn gain(threads: usize) -> f64 {
    let look = || rate(threads) / rate(1);
    let looks: Vec<f64> = (0..LOOKS).map(|_| look()).collect();
    Figure::of(&looks).median
}

/// Products a second on numbers in registers and the first-level cache.
fn rate(threads: usize) -> f64 {
    let began = Instant::now();
    let products: usize = thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(products_of_a_thread)).collect();
        started.into_iter().map(|it| it.join().expect("products cannot fail")).sum()
    });
    products as f64 / began.elapsed().as_secs_f64()
}

/// What to say of gains that were taken throughout a bench, if it is worth a word.
pub(crate) fn warning(gains: &[Figure]) -> Option<String> {
    let lowest = gains.iter().map(|it| it.lowest).reduce(f64::min)?;
    let highest = gains.iter().map(|it| it.highest).reduce(f64::max)?;
    (lowest < STEADY * highest).then(|| {
        format!(
            "The machine gave all threads {lowest:.1} to {highest:.1} times the products of one: its \
             cores\n\
             were not always its own, and figures vary by as much. Repeat it with\n\
             longer repetitions (`--seconds`)."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_reach_no_more_than_their_number_and_not_nothing() {
        assert!(rate(1) > 1e6);
        // A thread that is alone may get a core's boost or lose it to another program; three times is neither.
        assert!((0.2..6.0).contains(&gain(2)));
    }

    #[test]
    fn steady_cores_are_worth_no_word_however_many_they_are() {
        let [of_two, of_four] = [[1.9, 2.0, 2.1], [3.9, 4.0, 4.1]].map(|it| Figure::of(&it));
        assert_eq!(warning(&[]), None);
        assert_eq!(warning(&[of_two, of_two]), None);
        assert_eq!(warning(&[of_four]), None);
        let lent = Figure::of(&[1.04, 1.9, 2.0]);
        assert!(warning(&[of_two, lent]).unwrap().contains("1.0 to 2.1 times"));
    }
}
