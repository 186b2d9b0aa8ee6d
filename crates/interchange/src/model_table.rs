//! The catalog's models, and the layers of one of them, or of a run's, as tables.

use std::path::Path;

use backburn_models::{CATALOG, Description, ModelConfig, architecture};
use backburn_records::number::count;
use backburn_records::text_table::table;
use backburn_training::backend::Backend;
use backburn_training::prepare::PrepareError;
use backburn_training::run_folder::folder::RunFolder;
use backburn_training::session_error::SessionError;

use crate::error::ExportError;
use crate::layer_table::layer_table;

/// Channels, height and width if nothing was said.
const IMAGE: [usize; 3] = [3, 32, 32];

/// Classes if nothing was said.
const CLASSES: usize = 10;

/// What is shown.
#[derive(Clone, Debug)]
pub struct ShownModel {
    /// Name of an architecture, or the folder of a run.
    pub model: String,
    /// Channels, height and width of an image; a run's own, or 3×32×32, if `None`.
    pub image: Option<[usize; 3]>,
    /// Number of classes; a run's own, or 10, if `None`.
    pub classes: Option<usize>,
}

/// Each model of the catalog, with its number of parameters and multiply-adds for 3×32×32 and 10 classes, and a line on
/// what it is.
///
/// # Errors
///
/// If the backend cannot be used.
pub fn list_models(backend: Backend) -> Result<String, ExportError> {
    let mut rows = vec![["model", "parameters", "multiply-adds"].map(str::to_owned)];
    for row in CATALOG {
        let description = describe(&(row.config)(), IMAGE, CLASSES, backend)?;
        let [parameters, operations] =
            [description.parameters(), description.multiply_adds()].map(count);
        rows.push([row.name.to_owned(), parameters, operations]);
    }
    let numbers = table(&rows);
    let mut lines = numbers.lines();
    let head = lines.next().unwrap_or_default();
    let models = lines.zip(CATALOG).map(|(line, row)| format!("{line}\n  {}\n", row.summary));
    let models: String = models.collect();
    Ok(format!("{head}\n{models}for images of 3×32×32 pixels and 10 classes\n"))
}

/// The layers of a model, or of a run's.
///
/// # Errors
///
/// If there is no such model, the images are too small for it, or the backend cannot be used.
pub fn show_model(shown: &ShownModel, backend: Backend) -> Result<String, ExportError> {
    let (config, image, classes) = match architecture(&shown.model) {
        Ok(row) => ((row.config)(), IMAGE, CLASSES),
        Err(error) if !Path::new(&shown.model).is_dir() => {
            return Err(ExportError::Model { reason: error.to_string() });
        }
        Err(_) => of_run(Path::new(&shown.model))?,
    };
    let (image, classes) = (shown.image.unwrap_or(image), shown.classes.unwrap_or(classes));
    Ok(layer_table(&describe(&config, image, classes, backend)?))
}

/// Model, image and classes of a run, finished or not.
fn of_run(run: &Path) -> Result<(ModelConfig, [usize; 3], usize), ExportError> {
    let folder = RunFolder::open(run).map_err(SessionError::from)?;
    let recipe = folder.recipe().map_err(SessionError::from)?;
    let entry = backburn_data::entry(&recipe.dataset).ok();
    let manifest = folder.manifest().map_err(SessionError::from)?;
    let of_entry = || entry.map(|it| [it.shape.channels, it.shape.height, it.shape.width]);
    let image = manifest.dataset.shape.or_else(of_entry).unwrap_or(IMAGE);
    let record = backburn_records::RunRecord::read(run)?;
    let of_record = record.evaluation.map(|evaluation| evaluation.class_names.len());
    let classes = of_record.or(entry.map(backburn_data::Entry::classes)).unwrap_or(CLASSES);
    Ok((recipe.model, image, classes))
}

fn describe(
    config: &ModelConfig,
    image: [usize; 3],
    classes: usize,
    backend: Backend,
) -> Result<Description, ExportError> {
    let device = backend.open().map_err(SessionError::from)?.device;
    let network = config.init(image, classes, &device);
    let network = network.map_err(|error| SessionError::from(PrepareError::from(error)))?;
    Ok(Description::of(&network, image)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(model: &str, image: Option<[usize; 3]>) -> Result<String, ExportError> {
        let shown = ShownModel { model: model.to_owned(), image, classes: None };
        show_model(&shown, Backend::Flex)
    }

    #[test]
    fn every_model_is_listed_and_shown() {
        let list = list_models(Backend::Flex).unwrap();
        for row in CATALOG {
            let mut lines = list.lines();
            assert!(lines.any(|line| line.starts_with(&format!("{} ", row.name))), "{list}");
            assert_eq!(lines.next().map(str::trim_start), Some(row.summary));
            let layers = show(row.name, None).unwrap();
            assert!(layers.contains("head") && layers.contains("3×32×32"), "{layers}");
        }
        assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
        assert!(show("resnet18", Some([3, 64, 48])).unwrap().contains("64×64×48"));
    }

    #[test]
    fn what_cannot_be_shown_is_refused_with_what_can() {
        let message = show("resnet19", None).unwrap_err().to_string();
        assert!(message.contains("resnet20") && message.contains("folder of a run"), "{message}");
        let message = show("lenet-bn", Some([1, 8, 8])).unwrap_err().to_string();
        assert!(message.contains("at least 16×16"), "{message}");
    }
}
