//! Images that near copies hold together, directly or by way of others.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::image_set::ImageSet;
use crate::near_copies::error::NearCopiesError;
use crate::near_copies::limits::check_within;
use crate::near_copies::search::{Candidate, Centres, blocks};

/// Blocks that are searched before what was found is put together.
const AT_ONCE: usize = 32;

/// The group of each image: two images are in one group if either is at least `threshold` similar to the other, or if
/// others lead from one to the other. A group's number is the first place in it; an image without a near copy is a
/// group by itself.
///
/// `progress` is told how many images are done, from any thread.
///
/// # Errors
///
/// If `threshold` is not in `(0, 1]`, or there are more than [`MOST_WITHIN`](crate::near_copies::MOST_WITHIN) images.
pub fn groups(
    set: &ImageSet,
    threshold: f64,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Vec<usize>, NearCopiesError> {
    check_within(set, threshold)?;
    let centres = Centres::of(set);
    let mut forest = Forest::new(set.len());
    for index in 0..set.len() {
        // Empty for images that are not flat.
        if let Some(&first) = centres.flat(set.image(index)).first() {
            forest.unite(first, index);
        }
    }
    let done = AtomicUsize::new(0);
    for blocks in blocks(set.len()).chunks(AT_ONCE) {
        // Pairs that are in one group already need not be computed. Each block starts from what is known of
        // those before; which pairs it skips changes nothing of the groups.
        let links = blocks.par_iter().map(|range| {
            let mut forest = forest.clone();
            let mut links = Vec::new();
            let block = centres.block(set, range.clone());
            centres.candidates(&block, threshold, |candidate: Candidate| {
                let (image, other) = (range.start + candidate.image, candidate.other);
                if !forest.are_united(image, other)
                    && centres.similarity(&block, candidate) >= threshold
                {
                    forest.unite(image, other);
                    links.push((image, other));
                }
                threshold
            });
            progress(done.fetch_add(range.len(), Ordering::Relaxed) + range.len());
            links
        });
        let links: Vec<Vec<(usize, usize)>> = links.collect();
        links.into_iter().flatten().for_each(|(image, other)| forest.unite(image, other));
    }
    Ok((0..set.len()).map(|index| forest.root(index)).collect())
}

/// Disjoint sets of places; the root of each is its first.
#[derive(Clone)]
struct Forest(Vec<usize>);

impl Forest {
    fn new(places: usize) -> Self {
        Self((0..places).collect())
    }

    fn root(&mut self, mut place: usize) -> usize {
        while self.0[place] != place {
            // Halves the way for the next time.
            self.0[place] = self.0[self.0[place]];
            place = self.0[place];
        }
        place
    }

    fn are_united(&mut self, a: usize, b: usize) -> bool {
        self.root(a) == self.root(b)
    }

    fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_united_by_way_of_others_under_the_first_of_them() {
        let mut forest = Forest::new(7);
        for (a, b) in [(5, 3), (6, 5), (2, 1), (6, 3)] {
            forest.unite(a, b);
        }
        let roots: Vec<usize> = (0..7).map(|place| forest.root(place)).collect();
        assert_eq!(roots, [0, 1, 1, 3, 4, 3, 3]);
        assert!(forest.are_united(6, 3) && !forest.are_united(0, 4));
    }
}
