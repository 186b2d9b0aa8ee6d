//! `predict --explain DIR`: what in each picture speaks for the answer, drawn.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use backburn_data::pictures::Listed;
use backburn_records::number::percent;
use backburn_records::{Explanation, Origin, RunRecord};
use backburn_report::figure::ExplanationPanel;
use backburn_report::{ExplanationPanels, write_panel};
use backburn_training::failure::Failure;
use backburn_training::predict::Predictor;
use rayon::prelude::*;

/// Where panels are drawn to, and by whom.
pub(crate) struct Explained<'a> {
    predictor: &'a Predictor,
    panels: ExplanationPanels,
    /// The folder without links.
    real: PathBuf,
    origin: Origin,
}

impl<'a> Explained<'a> {
    /// Makes the folder. `run`: whose network explains; `command`: the command line, program first.
    ///
    /// # Errors
    ///
    /// If it holds something, or cannot be made.
    pub(crate) fn new(
        folder: &Path,
        predictor: &'a Predictor,
        run: &Path,
        command: Vec<String>,
    ) -> Result<Self, Failure> {
        let record = RunRecord::read(run).map_err(failure)?;
        let panels = ExplanationPanels::create(folder).map_err(failure)?;
        let real = folder.canonicalize().map_err(failure)?;
        let origin = Origin { command, ..Origin::of_run(&record) };
        Ok(Self { predictor, panels, real, origin })
    }

    /// Whether it is a panel that was drawn, where the folder lies among the pictures.
    pub(crate) fn holds(&self, listed: &Listed) -> bool {
        listed.path().canonicalize().is_ok_and(|path| path.starts_with(&self.real))
    }

    /// Draws a panel for every picture that could be read, and gives their files. `prepared`: the pictures as the
    /// network is given them; `answers`: class and probability of each that could be read.
    ///
    /// # Errors
    ///
    /// If a panel cannot be drawn or written.
    pub(crate) fn draw(
        &mut self,
        listed: &[Listed],
        prepared: &[Result<Vec<u8>, String>],
        answers: Vec<(usize, f64)>,
    ) -> Result<Vec<Option<PathBuf>>, Failure> {
        let pixels: Vec<u8> = prepared.iter().flatten().flatten().copied().collect();
        let classes: Vec<usize> = answers.iter().map(|answer| answer.0).collect();
        let maps = match classes.is_empty() {
            true => Vec::new(),
            false => self.predictor.explain(pixels, &classes).map_err(failure)?,
        };
        let mut explained = maps.into_iter().zip(answers);
        let mut files = Vec::with_capacity(listed.len());
        let mut panels = Vec::new();
        for (listed, pixels) in listed.iter().zip(prepared) {
            let (Listed::Picture { path, name }, Ok(pixels)) = (listed, pixels) else {
                files.push(None);
                continue;
            };
            let Some((map, answer)) = explained.next() else { continue };
            let file = self.panels.file_for(name);
            panels.push((self.panel(path, pixels, map, answer), file.clone()));
            files.push(Some(file));
        }
        let write = |(panel, file): &(ExplanationPanel, PathBuf)| {
            write_panel(panel, file, &self.origin).map_err(failure)
        };
        panels.par_iter().try_for_each(write)?;
        Ok(files)
    }

    fn panel(
        &self,
        path: &Path,
        pixels: &[u8],
        map: Explanation,
        (class, probability): (usize, f64),
    ) -> ExplanationPanel {
        let shape = self.predictor.shape();
        let class = self.predictor.class_names().get(class).map_or("?", String::as_str);
        ExplanationPanel {
            title: format!("{class}, {}", percent(probability)),
            note: path.display().to_string(),
            shape: [shape.channels, shape.height, shape.width],
            pixels: pixels.to_vec(),
            map,
            class: class.to_owned(),
        }
    }
}

// By value, so that it can stand in `map_err`.
#[allow(clippy::needless_pass_by_value)]
fn failure(error: impl ToString) -> Failure {
    Failure::Error(error.to_string())
}
