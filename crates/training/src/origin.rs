//! What this program writes down of itself and its data, wherever something is traced back to them.

use backburn_data::DataSet;
use backburn_records::{DatasetRecord, FileRecord, Origin};

use crate::backend::Backend;

/// The data set with the files that were read and their checksums.
pub fn dataset_record(data: &DataSet) -> DatasetRecord {
    let file = |file: &backburn_data::FileRecord| FileRecord {
        name: file.name.clone(),
        bytes: file.bytes,
        sha256: file.sha256.clone(),
    };
    let shape = data.train.shape();
    DatasetRecord {
        shape: Some([shape.channels, shape.height, shape.width]),
        name: data.name.clone(),
        files: data.files.iter().map(file).collect(),
        notes: data.notes.clone(),
        left_out: data.left_out.clone(),
    }
}

/// Origin of what this program writes itself, without a run: `folder` is where it lies. `machine`: what computed,
/// with the name of its device; `command`: the command line.
pub fn origin(
    folder: String,
    seed: u64,
    machine: Option<(Backend, &str)>,
    data: &DataSet,
    command: Vec<String>,
) -> Origin {
    let (backburn, burn) = (crate::version::VERSION, crate::version::BURN_VERSION);
    Origin {
        folder,
        seeds: vec![seed],
        commits: crate::version::commit().map(str::to_owned).into_iter().collect(),
        versions: vec![format!("backburn {backburn}, Burn {burn}")],
        backends: machine
            .map(|(backend, device)| format!("{backend} on {device}"))
            .into_iter()
            .collect(),
        data: vec![dataset_record(data)],
        command,
    }
}
