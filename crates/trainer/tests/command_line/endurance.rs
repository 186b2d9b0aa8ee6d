//! Many epochs: neither memory nor open files grow with them.

#![cfg(target_os = "linux")]

use std::fs;

use crate::place::*;

/// Most that memory may grow after the first fifth of the epochs: an epoch's record is a few hundred
/// bytes, held once, and written from a buffer in every checkpoint.
const MOST_GROWTH: u64 = 16 << 20;

/// A short version; `$BACKBURN_EPOCHS` for more.
const EPOCHS: u64 = 300;

/// Resident bytes and open files of a process; `None` if it has ended.
fn usage(id: u32) -> Option<(u64, usize)> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    let files = fs::read_dir(format!("/proc/{id}/fd")).ok()?.count();
    (files > 0).then_some((kilobytes << 10, files))
}

#[test]
fn many_epochs_of_small_steps_take_no_more_memory_and_open_no_more_files() {
    let epochs = std::env::var("BACKBURN_EPOCHS").ok();
    let epochs = epochs.map(|epochs| epochs.parse().expect("BACKBURN_EPOCHS is a number"));
    let epochs: u64 = epochs.unwrap_or(EPOCHS);
    let place = Place::with_mnist();
    let training = format!(
        "train mnist --data-dir data --train-size 40 --valid-size 20 --epochs {epochs} --model mlp \
         --hidden 8 --batch-size 4 --learning-rate 1e-5 --schedule constant --augment crop=2 \
         --dropout 0.1 --threads 1 --out run"
    );
    let rows = || fs::read(place.path("run/metrics.jsonl")).unwrap_or_default();
    let trained = || rows().iter().filter(|&&byte| byte == b'\n').count() as u64;
    let seen = in_time(|| {
        let started = std::time::Instant::now();
        let child = place.start(&training);
        let mut seen = Vec::new();
        for fifth in 1..=4 {
            // However long that takes.
            while trained() < epochs * fifth / 5 && child.ended().is_none() {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            let Some((memory, files)) = usage(child.id()) else { break };
            println!(
                "{} epochs after {:.0?}: {} kB, {files} files",
                trained(),
                started.elapsed(),
                memory >> 10
            );
            seen.push((memory, files));
        }
        child.finish().expect(DONE, &[]);
        if seen.len() == 4 {
            return Some(seen);
        }
        // It was at its end before it was looked at.
        fs::remove_dir_all(place.path("run")).unwrap();
        None
    });
    let (memory, files) = seen[0];
    for (later, open) in &seen[1..] {
        assert!(*later < memory + MOST_GROWTH, "{seen:?}");
        // A file may be open just now because it is being written.
        assert!(*open <= files + 2, "{seen:?}");
    }
    assert_eq!(trained(), epochs);
}
