//! `backburn data preview`: a contact sheet of augmented training images.

use std::path::PathBuf;

use backburn_data::augment;
use backburn_data::loader::{Loader, LoaderConfig};
use backburn_report::figure::{ContactRow, ContactSheet, GridImage};
use backburn_report::write_png;
use backburn_training::failure::{Failure, usage};
use backburn_training::origin::origin;
use backburn_training::outside_runs::check_outside_runs;
use backburn_training::picture_names::{self, short_name};
use backburn_training::prepare::{PrepareError, Prepared};
use backburn_training::recipe::built_in;
use backburn_training::seeds::Seeds;
use clap::Args;

use crate::data_bar::DataBar;
use crate::help;
use crate::output::{print_data, say};

/// Rows of a sheet at most.
const MOST_IMAGES: usize = 64;
/// Augmented looks of an image at most; more would leave less than a pixel for a pixel.
const MOST_EPOCHS: usize = 15;

/// `data preview NAME`
#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// Data set, by its name in the catalog, or pictures by their path.
    #[arg(help = help::data_sets_or_pictures())]
    name: String,
    /// Augmentation, as for `train`; that of the data set's recipe, or of `pictures`, if not given.
    #[arg(long, value_name = "LIST")]
    augment: Option<String>,
    /// Images: the first of the training split, as the data set's recipe cuts it with this seed.
    #[arg(long, value_name = "N", default_value_t = 8)]
    images: usize,
    /// Epochs, from the first.
    #[arg(long, value_name = "N", default_value_t = 7)]
    epochs: usize,
    /// Seed of the run whose images are shown; the recipe's if not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Look for the data in this folder only.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// File to write; one that is there is replaced.
    #[arg(long, value_name = "FILE", default_value = "preview.png")]
    out: PathBuf,
}

/// Draws the sheet: what `train NAME --augment LIST --seed S` shows the network of the images with the
/// first places in its training split, in its first epochs, before normalization. `command`: the command
/// line, program first, which is written into the figure.
///
/// # Errors
///
/// What stands in the way, with the cure.
pub fn preview(args: &PreviewArgs, command: Vec<String>) -> Result<(), Failure> {
    check_outside_runs("--out", &args.out)?;
    within("--images", args.images, MOST_IMAGES)?;
    within("--epochs", args.epochs, MOST_EPOCHS)?;
    let dataset = picture_names::data_set(&args.name).map_err(usage)?;
    let of_pictures = picture_names::folder(&dataset).map(|_| picture_names::RECIPE);
    let mut recipe = built_in(of_pictures.unwrap_or(&dataset)).map_err(usage)?;
    recipe.dataset = dataset;
    // Nothing is trained, so that few images will do, and pictures that cannot be read are passed over with a note.
    recipe.batch_size = recipe.batch_size.min(2);
    recipe.pictures.skip_damaged = of_pictures.is_some();
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.place.data_dir = args.data_dir.clone();
    if let Some(list) = &args.augment {
        recipe.augment = augment::parse(list).map_err(usage)?;
    }
    let mut bar = DataBar::default();
    let prepared = Prepared::load(&recipe, &mut |progress| bar.show(progress)).map_err(failure)?;
    prepared.notes(&recipe).iter().for_each(|text| say(&format!("note: {text}")));
    let sheet = sheet(&prepared, recipe.seed, &recipe.augment, args.images, args.epochs)?;
    let origin = origin(args.out.display().to_string(), recipe.seed, None, &prepared.data, command);
    write_png(&sheet.draw(), &args.out, &origin)
        .map_err(|error| Failure::Error(error.to_string()))?;
    print_data(&args.out.display().to_string());
    Ok(())
}

fn within(flag: &str, found: usize, most: usize) -> Result<(), Failure> {
    if (1..=most).contains(&found) {
        return Ok(());
    }
    Err(Failure::Usage(format!("`{flag}`: expected 1 to {most}, found {found}")))
}

/// A row for each image: as it is, then as in each epoch.
fn sheet(
    prepared: &Prepared,
    seed: u64,
    augment: &augment::Pipeline,
    images: usize,
    epochs: usize,
) -> Result<ContactSheet, Failure> {
    let train = &prepared.train;
    let config = LoaderConfig::new(1);
    let loader = Loader::new(train.clone(), &prepared.normalization, augment.clone(), config)
        .map_err(|error| failure(error.into()))?;
    let picture = |pixels| GridImage { shape: prepared.image(), pixels, caption: Vec::new() };
    let row = |index: usize| {
        let looks = (1..=epochs).map(|epoch| {
            let draw = Seeds::new(seed).augmentation(epoch)(index);
            picture(loader.look(index, draw))
        });
        let original = picture(train.image(index).to_vec());
        ContactRow {
            label: prepared.data.class_names[usize::from(train.label(index))].clone(),
            images: [original].into_iter().chain(looks).collect(),
        }
    };
    let names = (1..=epochs).map(|epoch| epoch.to_string());
    let columns = ["original".to_owned()].into_iter().chain(names).collect();
    Ok(ContactSheet {
        title: format!("{}, augmented with seed {seed}, by epoch", short_name(&prepared.data.name)),
        note: augment.to_string(),
        columns,
        rows: (0..images.min(train.len())).map(row).collect(),
    })
}

/// The built-in recipe is in order, so that what is wrong but not with the data or pictures is the augmentation.
fn failure(error: PrepareError) -> Failure {
    match error {
        PrepareError::Data(_) | PrepareError::Pictures(_) => Failure::Error(error.to_string()),
        error => usage(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sheet_shows_what_training_shows() {
        let mut recipe = built_in("digits").unwrap();
        recipe.augment = augment::parse("rotate=20,alternating-flip,erase=0.7").unwrap();
        let prepared = Prepared::load(&recipe, &mut |_| {}).unwrap();
        let Ok(sheet) = sheet(&prepared, recipe.seed, &recipe.augment, 3, 2) else {
            panic!("no sheet")
        };
        let loader = prepared.train_loader(&recipe, 2).unwrap();
        let seeds = Seeds::new(recipe.seed);
        for epoch in 1..=2 {
            let mut found = 0;
            for batch in loader.epoch(&mut seeds.order(epoch), seeds.augmentation(epoch)) {
                let size = batch.shape.pixels();
                for (&index, seen) in batch.indices.iter().zip(batch.images.values().chunks(size)) {
                    let Some(row) = sheet.rows.get(index) else { continue };
                    let drawn = row.images[epoch].pixels.iter();
                    let drawn = drawn.map(|&byte| prepared.normalization.apply(0, byte));
                    assert!(drawn.eq(seen.iter().copied()), "image {index} in epoch {epoch}");
                    found += 1;
                }
            }
            assert_eq!(found, 3);
        }
        assert_eq!(sheet.rows[0].images[0].pixels, prepared.train.image(0));
        assert_ne!(sheet.rows[0].images[0].pixels, sheet.rows[0].images[1].pixels);
    }
}
