//! The batches of one epoch, made by background threads in an order that does not depend on them.

use std::collections::VecDeque;
use std::fmt::{self, Debug};
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

use super::batch::{Batch, Delivered, Delivery};
use crate::augment::{Draw, Image, Pipeline, Place};
use crate::image_set::ImageSet;

/// How the images of an epoch are augmented.
pub(super) struct Draws {
    pub(super) pipeline: Pipeline,
    pub(super) draw: Box<dyn Fn(usize, usize) -> Draw + Send + Sync>,
}

/// All that determines the batches of an epoch.
pub(super) struct Plan {
    pub(super) set: Arc<ImageSet>,
    pub(super) tables: Arc<[[f32; 256]]>,
    pub(super) delivery: Delivery,
    /// Places in the set, in the order of delivery.
    pub(super) indices: Vec<usize>,
    pub(super) batch_size: usize,
    /// The last of them may be smaller or larger than the others.
    pub(super) batches: usize,
    pub(super) draws: Option<Draws>,
    /// Buffer that images are put into while they are changed.
    pub(super) blank: Image,
}

impl Plan {
    fn batch(&self, batch: usize, scratch: &mut Image) -> Batch {
        let start = batch * self.batch_size;
        let is_last = batch + 1 == self.batches;
        let end = if is_last { self.indices.len() } else { start + self.batch_size };
        let shape = self.set.shape();
        let indices = self.indices[start..end].to_vec();
        let labels = indices.iter().map(|&i| self.set.label(i)).collect();
        let pixels = indices.len() * shape.pixels();
        let images = match self.delivery {
            Delivery::Values => {
                let mut values = Vec::with_capacity(pixels);
                self.look(start, &indices, scratch, |image| {
                    let planes = image.chunks_exact((shape.height * shape.width).max(1));
                    for (plane, table) in planes.zip(self.tables.iter()) {
                        values.extend(plane.iter().map(|&pixel| table[usize::from(pixel)]));
                    }
                });
                Delivered::Values(values)
            }
            Delivery::Bytes => {
                let mut bytes = Vec::with_capacity(pixels);
                self.look(start, &indices, scratch, |image| bytes.extend_from_slice(image));
                Delivered::Bytes(bytes)
            }
            Delivery::Places => {
                let place = |(number, &i): (usize, &usize)| match &self.draws {
                    None => Place::default(),
                    Some(draws) => draws.pipeline.place(&mut (draws.draw)(number, i)),
                };
                Delivered::Places((start..).zip(&indices).map(place).collect())
            }
        };
        Batch { images, labels, indices, shape }
    }

    /// Shows `see` each of the images as it is augmented. The first is number `start` of the epoch.
    fn look(
        &self,
        start: usize,
        indices: &[usize],
        scratch: &mut Image,
        mut see: impl FnMut(&[u8]),
    ) {
        for (number, &i) in (start..).zip(indices) {
            see(match &self.draws {
                None => self.set.image(i),
                Some(draws) => {
                    scratch.load(self.set.image(i));
                    draws.pipeline.apply(scratch, &mut (draws.draw)(number, i));
                    scratch.pixels()
                }
            });
        }
    }
}

/// The batches of one epoch, an iterator.
///
/// Of `T` threads, the first makes the batches 0, T, 2T, …, the second 1, T + 1, …, and they are
/// collected in turn. The threads start with the first batch asked for and end when the epoch is
/// dropped.
///
/// # Panics
///
/// [`next`](Iterator::next) panics if making the batch panicked.
pub struct Epoch {
    plan: Arc<Plan>,
    scratch: Image,
    /// Numbers of the batches still to be delivered.
    remaining: Range<usize>,
    threads: usize,
    prefetch: usize,
    /// The one whose turn it is in front.
    workers: VecDeque<Worker>,
}

struct Worker {
    batches: Receiver<Batch>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Makes the batches that `numbers` gives until nobody receives them any more. `None` if the
    /// system has no thread left.
    fn start(
        plan: Arc<Plan>,
        numbers: impl Iterator<Item = usize> + Send + 'static,
        prefetch: usize,
    ) -> Option<Self> {
        let (sender, batches) = sync_channel(prefetch);
        let work = move || {
            let mut scratch = plan.blank.clone();
            for number in numbers {
                if sender.send(plan.batch(number, &mut scratch)).is_err() {
                    return;
                }
            }
        };
        let thread = Builder::new().name("loader".to_owned()).spawn(work).ok()?;
        Some(Self { batches, thread })
    }
}

impl Epoch {
    /// The batches of `plan`.
    pub(super) fn new(plan: Plan, threads: usize, prefetch: usize) -> Self {
        Self {
            scratch: plan.blank.clone(),
            remaining: 0..plan.batches,
            plan: Arc::new(plan),
            threads,
            prefetch,
            workers: VecDeque::new(),
        }
    }

    /// Leaves out the next `batches` batches without making them, to resume where a run stopped.
    #[must_use]
    pub fn skip_batches(mut self, batches: usize) -> Self {
        self.stop();
        self.remaining.start = self.remaining.end.min(self.remaining.start.saturating_add(batches));
        self
    }

    /// Starts the threads, each at its first batch.
    fn start(&mut self) {
        let threads = self.threads.min(self.remaining.len());
        let prefetch = self.prefetch.min(self.remaining.len());
        for thread in 0..threads {
            let numbers = self.remaining.clone().skip(thread).step_by(threads);
            match Worker::start(self.plan.clone(), numbers, prefetch) {
                Some(worker) => self.workers.push_back(worker),
                None => {
                    // Without all of its threads the epoch is made without any.
                    self.threads = 0;
                    return self.stop();
                }
            }
        }
    }

    /// Ends the threads and waits for them.
    fn stop(&mut self) {
        let (receivers, threads): (Vec<_>, Vec<_>) =
            self.workers.drain(..).map(|worker| (worker.batches, worker.thread)).unzip();
        // A thread waiting for room in its channel goes on, and ends, once nobody listens.
        drop(receivers);
        for thread in threads {
            // Whatever it may have panicked over concerns a batch that nobody asked for.
            let _ = thread.join();
        }
    }
}

impl Iterator for Epoch {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if self.remaining.is_empty() {
            return None;
        }
        if self.workers.is_empty() {
            self.start();
        }
        let number = self.remaining.start;
        let Some(worker) = self.workers.pop_front() else {
            self.remaining.start += 1;
            return Some(self.plan.batch(number, &mut self.scratch));
        };
        match worker.batches.recv() {
            Ok(batch) => {
                self.remaining.start += 1;
                self.workers.push_back(worker);
                Some(batch)
            }
            Err(_) => {
                self.remaining.start = self.remaining.end;
                match worker.thread.join() {
                    Err(panic) => resume_unwind(panic),
                    Ok(()) => unreachable!("a loader thread ended before batch {number}"),
                }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining.len(), Some(self.remaining.len()))
    }
}

impl ExactSizeIterator for Epoch {}

impl Drop for Epoch {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoch").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}
