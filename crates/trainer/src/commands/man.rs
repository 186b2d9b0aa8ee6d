//! `backburn man`: pages of the manual, made from the command line's definition.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::{fs, io};

use backburn_records::whole_file::write_whole;
use backburn_training::failure::Failure;
use clap::{Args, Command};

/// `man DIR`
#[derive(Args, Debug)]
pub struct ManArgs {
    /// Folder for the pages, made if it is not there.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Writes a page for `command`, and one for each verb that help shows, for the program of that name.
///
/// # Errors
///
/// If a page cannot be written.
pub fn man(args: &ManArgs, command: Command, program: &str) -> Result<(), Failure> {
    let mut command = command.bin_name(program).disable_help_subcommand(true);
    command.build();
    let made = fs::create_dir_all(&args.folder).and_then(|()| write_pages(&command, &args.folder));
    made.map_err(|error| {
        let folder = args.folder.display();
        Failure::Error(format!("cannot write pages into {folder}: {error}; name another folder"))
    })
}

fn write_pages(command: &Command, folder: &Path) -> io::Result<()> {
    let mut verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    verbs.try_for_each(|verb| write_pages(verb, folder))?;
    let source = concat!("backburn ", env!("CARGO_PKG_VERSION"));
    let (page, mut text) = (clap_mangen::Man::new(command.clone()).source(source), Vec::new());
    page.render(&mut text)?;
    write_whole(&folder.join(page.get_filename()), &text)
}
