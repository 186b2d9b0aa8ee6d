//! How far data are from being there.

use backburn_data::FetchProgress;
use backburn_data::pictures::PictureProgress;
use backburn_training::data_progress::DataProgress;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar for each file that is downloaded, and one for pictures that are prepared.
#[derive(Debug, Default)]
pub(crate) struct DataBar {
    shown: Option<(String, ProgressBar)>,
}

impl DataBar {
    /// Shows how far data are.
    pub(crate) fn show(&mut self, progress: DataProgress<'_>) {
        match progress {
            DataProgress::Download(progress) => self.download(progress),
            DataProgress::Pictures(progress) => self.pictures(progress),
        }
    }

    /// Shows how far a download is.
    pub(crate) fn download(&mut self, FetchProgress { file, done, total, .. }: FetchProgress<'_>) {
        let style = "{prefix} {wide_bar:.cyan/dim} {bytes}/{total_bytes}  {eta} left";
        self.update(file, done, total.unwrap_or(0), style);
    }

    /// Shows how many pictures are prepared.
    pub(crate) fn pictures(&mut self, PictureProgress { done, of }: PictureProgress) {
        let style = "{prefix} {wide_bar:.cyan/dim} {pos}/{len}  {eta} left";
        self.update("preparing pictures", done as u64, of as u64, style);
        if done == of {
            self.finish();
        }
    }

    fn update(&mut self, name: &str, done: u64, of: u64, style: &str) {
        if self.shown.as_ref().is_none_or(|(shown, _)| shown != name) {
            self.finish();
            let bar = ProgressBar::new(of);
            bar.set_style(
                ProgressStyle::with_template(style)
                    .expect("the template is well formed")
                    .progress_chars("━╸─"),
            );
            bar.set_prefix(name.to_owned());
            self.shown = Some((name.to_owned(), bar));
        }
        if let Some((_, bar)) = &self.shown {
            bar.set_position(done);
        }
    }

    fn finish(&mut self) {
        if let Some((_, bar)) = self.shown.take() {
            bar.finish();
        }
    }
}
