//! How far downloads are.

use backburn_data::FetchProgress;

/// A bar for each file that is downloaded.
#[derive(Debug, Default)]
pub(crate) struct DownloadBar {
    shown: Option<(String, indicatif::ProgressBar)>,
}

impl DownloadBar {
    /// Shows how far a download is.
    pub(crate) fn show(&mut self, progress: FetchProgress<'_>) {
        let is_new = self.shown.as_ref().is_none_or(|(file, _)| file != progress.file);
        if is_new {
            if let Some((_, bar)) = self.shown.take() {
                bar.finish();
            }
            let bar = indicatif::ProgressBar::new(progress.total.unwrap_or(0));
            let style = "{prefix} {wide_bar:.cyan/dim} {bytes}/{total_bytes}  {eta} left";
            bar.set_style(
                indicatif::ProgressStyle::with_template(style)
                    .expect("the template is well formed")
                    .progress_chars("━╸─"),
            );
            bar.set_prefix(progress.file.to_owned());
            self.shown = Some((progress.file.to_owned(), bar));
        }
        if let Some((_, bar)) = &self.shown {
            bar.set_position(progress.done);
        }
    }
}
