//! What is drawn of a run when it has come to its end.

use backburn_training::run_folder::pages::Pages;

/// The report with its figures.
pub(crate) fn pages() -> Pages {
    Pages {
        report: |run| backburn_report::write_report(run).map(drop),
        page: backburn_report::write_run_page,
    }
}
