//! The formats that a run is exported to.

use std::str::FromStr;

use crate::error::ExportError;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A graph with its weights.
    Onnx,
    /// PyTorch's file of weights, and Python that builds the network.
    Torch,
    /// Weights by PyTorch's names.
    Safetensors,
    /// The worst mistakes, as a table.
    MistakesCsv,
    /// MLflow's file store.
    Mlflow,
}

/// A format by its name.
#[derive(Clone, Copy, Debug)]
pub struct FormatRow {
    /// The format.
    pub format: Format,
    /// Name on the command line.
    pub name: &'static str,
    /// What the file, or folder, is called if nothing was said.
    pub file: &'static str,
    /// The same with preparation inside, of other inputs and outputs, so that it does not take the other's place; `None`
    /// where it cannot be inside.
    pub file_with_preparation: Option<&'static str>,
    /// One line for help.
    pub summary: &'static str,
}

/// Every format, one row each. Help and error messages read this list.
pub static FORMATS: &[FormatRow] = &[
    FormatRow {
        format: Format::Onnx,
        name: "onnx",
        file: "model.onnx",
        file_with_preparation: Some("model-with-preparation.onnx"),
        summary: "the whole network, for onnxruntime and others (opset 17)",
    },
    FormatRow {
        format: Format::Torch,
        name: "torch",
        file: "model.pt",
        file_with_preparation: None,
        summary: "weights for torch.load, and a Python file that builds the network",
    },
    FormatRow {
        format: Format::Safetensors,
        name: "safetensors",
        file: "model.safetensors",
        file_with_preparation: None,
        summary: "weights by PyTorch's names, with classes and normalization in the header",
    },
    FormatRow {
        format: Format::MistakesCsv,
        name: "mistakes-csv",
        file: "mistakes.csv",
        file_with_preparation: None,
        summary: "the worst mistakes on the test split: index, label, predicted, probability, loss, path",
    },
    FormatRow {
        format: Format::Mlflow,
        name: "mlflow",
        file: "mlflow",
        file_with_preparation: None,
        summary: "a folder for mlflow migrate-filestore: settings, every epoch, final scores",
    },
];

impl Format {
    /// Its row.
    pub fn row(self) -> &'static FormatRow {
        let [onnx, torch, safetensors, mistakes, mlflow] = FORMATS else {
            unreachable!("a row for each variant, as a test holds")
        };
        match self {
            Self::Onnx => onnx,
            Self::Torch => torch,
            Self::Safetensors => safetensors,
            Self::MistakesCsv => mistakes,
            Self::Mlflow => mlflow,
        }
    }
}

impl FromStr for Format {
    type Err = ExportError;

    fn from_str(name: &str) -> Result<Self, ExportError> {
        let row = FORMATS.iter().find(|row| row.name == name);
        row.map(|row| row.format).ok_or_else(|| ExportError::Format {
            name: name.to_owned(),
            known: FORMATS.iter().map(|row| row.name).collect::<Vec<_>>().join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_found_by_its_name_and_has_its_own_row() {
        for row in FORMATS {
            assert_eq!(row.name.parse::<Format>().unwrap(), row.format);
            assert_eq!(row.format.row().name, row.name);
        }
        let message = "keras".parse::<Format>().unwrap_err().to_string();
        assert!(message.contains("`keras`") && message.contains("onnx, torch"), "{message}");
    }
}
