//! `backburn models`: which there are, and what one is made of.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use backburn_interchange::{ShownModel, list_models, show_model};
use backburn_training::backend::Backend;
use backburn_training::failure::Failure;
use clap::{Args, Subcommand};

use crate::output::print_line;

/// `models list | show`
#[derive(Debug, Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    action: ModelsAction,
}

#[derive(Debug, Subcommand)]
enum ModelsAction {
    /// Lists the models with their size.
    List,
    /// Shows layer by layer what a model is made of, gives and costs.
    Show(ShowArgs),
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// Name of a model, or the folder of a run.
    model: String,
    /// Channels, height and width of an image, such as 3x64x64; a run's own or 3x32x32 if not given.
    #[arg(long, value_name = "CxHxW", value_parser = image)]
    image: Option<[usize; 3]>,
    /// Number of classes; a run's own or 10 if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    classes: Option<u16>,
}

/// Prints a table.
///
/// # Errors
///
/// If there is no such model, or it is not for such images.
pub fn models(args: &ModelsArgs) -> Result<(), Failure> {
    let text = match &args.action {
        ModelsAction::List => list_models(Backend::preferred())?,
        ModelsAction::Show(ShowArgs { model, image, classes }) => {
            let (model, classes) = (model.clone(), classes.map(usize::from));
            show_model(&ShownModel { model, image: *image, classes }, Backend::preferred())?
        }
    };
    print_line(text.trim_end());
    Ok(())
}

/// `3x64x64`.
fn image(text: &str) -> Result<[usize; 3], String> {
    const MOST: usize = 16_384;
    let sides: Result<Vec<usize>, _> = text.split('x').map(str::parse).collect();
    let image = sides.ok().and_then(|sides| <[usize; 3]>::try_from(sides).ok());
    image.filter(|sides| sides.iter().all(|side| (1..=MOST).contains(side))).ok_or_else(|| {
        format!("expected channels, height and width, each 1 to {MOST}, such as 3x64x64")
    })
}
