//! What is drawn of a run when it has come to its end.

use backburn_training::run_folder::pages::Pages;

/// The report with its figures.
pub(crate) fn pages() -> Pages {
    Pages {
        report: |run| Ok(backburn_report::write_report(run).map(drop)?),
        page: |run| Ok(backburn_report::write_run_page(run)?),
    }
}

/// [`pages`], or none.
pub(crate) fn pages_if(wanted: bool) -> Pages {
    if wanted { pages() } else { Pages::none() }
}
