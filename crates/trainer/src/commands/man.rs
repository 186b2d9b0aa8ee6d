//! `backburn man`: pages of the manual, made from the command line's definition.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::{fs, io};

use backburn_records::whole_file::write_whole;
use backburn_training::failure::Failure;
use clap::{Args, Command};
use clap_mangen::Man;

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
    let folder = &args.folder;
    fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    let mut command = command.bin_name(program).disable_help_subcommand(true);
    command.build();
    write(&command, folder)
}

fn write(command: &Command, folder: &Path) -> Result<(), Failure> {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        write(verb, folder)?;
    }
    let page = Man::new(command.clone());
    let path = folder.join(page.get_filename());
    let mut text = Vec::new();
    let written = page.render(&mut text).and_then(|()| write_whole(&path, &text));
    written.map_err(|error| cannot_write(&path, &error))
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::Error(format!("cannot write {}: {error}; name another folder", path.display()))
}
