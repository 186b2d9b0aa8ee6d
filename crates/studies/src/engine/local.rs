//! Processes of this machine, behind the terminal's back.

use super::{Engine, Submission};

/// The row of the catalog.
pub(super) const ENGINE: Engine = Engine {
    name: "local",
    summary: "processes of this machine, which go on when the terminal is closed",
    program: None,
    source: "",
    script: |_| String::new(),
    submit: |submission, _| words(submission),
    cancel: |_| None,
};

/// The words after the program that carry out the study here.
fn words(submission: &Submission) -> Vec<String> {
    let jobs = submission.at_a_time.unwrap_or(1);
    let threads = submission.threads * jobs;
    let study = submission.study.display().to_string();
    [&["study", "run", &study, "--jobs", &jobs.to_string(), "--threads", &threads.to_string()][..]]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample;

    #[test]
    fn threads_are_those_of_all_processes_together() {
        let words = words(&sample());
        assert_eq!(words.join("|"), "study|run|/data/my study|--jobs|3|--threads|12");
    }
}
