//! HyperQueue: an array of tasks.
//!
//! A job goes on when tasks of it fail, but for one that is submitted by HyperQueue's Python module, which is cancelled
//! at its second failure unless it is told otherwise. A killed task is not run again (0.27.0): what is missing is
//! submitted again.

use std::path::Path;

use super::{Engine, Submission};

/// The row of the catalog.
pub(super) const ENGINE: Engine = Engine {
    name: "hyperqueue",
    summary: "an array of tasks of HyperQueue (hq)",
    program: Some("hq"),
    source: "the releases of HyperQueue, github.com/It4innovations/hyperqueue; the package `hyperqueue` of PyPI has \
             no program `hq`",
    script,
    submit,
    cancel: |_| None,
};

fn script(submission: &Submission) -> String {
    format!("#!/bin/sh\n{}", submission.trial("HQ_TASK_ID", " --stop-on USR1"))
}

fn submit(submission: &Submission, script: &Path) -> Vec<String> {
    let log = |stream: &str| {
        let file = format!("submit-{}-%{{TASK_ID}}-{stream}.txt", submission.number);
        format!("--{stream}={}", submission.logs().join(file).display())
    };
    let mut words = vec![
        "hq".to_owned(),
        "submit".into(),
        format!("--name={}", submission.name()),
        format!("--array=0-{}", submission.tasks.saturating_sub(1)),
        format!("--cpus={}", submission.threads),
        log("stdout"),
        log("stderr"),
    ];
    words.extend(submission.more.iter().cloned());
    words.extend(["--".to_owned(), "sh".to_owned(), script.display().to_string()]);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample;

    #[test]
    fn an_array_has_a_task_a_trial() {
        let words = submit(&sample(), Path::new("/data/x.sh"));
        for word in ["--array=0-11", "--cpus=4", "--name=backburn-my-study"] {
            assert!(words.contains(&word.to_owned()), "no {word} in {words:?}");
        }
        assert!(words.join(" ").ends_with("-- sh /data/x.sh"), "{words:?}");
    }
}
