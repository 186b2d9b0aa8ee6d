//! `backburn verify-kernels`: every architecture's first steps on a backend, and single convolutions, beside double precision;
//! a graphics card's batches beside the processor's.

use backburn_models::{Architecture, architecture};
use backburn_training::backend::Backend;
use backburn_training::failure::{Failure, usage};
use backburn_training::verify_kernels::{
    Task, VerifyError, verify, verify_batches, verify_convolutions,
};
use clap::Args;

use crate::help;
use crate::output::print_line;
use crate::threads::set_threads;

/// The architectures that are tried if none is named: one of each family, and both kinds of shortcuts.
/// The others are the same layers, more of them.
const FAMILIES: [&str; 6] = ["mlp", "cnn", "lenet-bn", "cifarnet", "resnet20", "resnet18"];

/// `verify-kernels`
#[derive(Args, Clone, Debug)]
pub struct VerifyKernelsArgs {
    /// Architectures, with commas; mlp,cnn,lenet-bn,cifarnet,resnet20,resnet18 if not given, which have every kind
    /// of layer.
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    models: Vec<String>,
    /// Whether a graphics card makes the batches that the processor would have made, and no network.
    #[arg(long, conflicts_with = "models")]
    batches: bool,
    /// Gradients of single convolutions, with strides and borders of many kinds, and no network.
    #[arg(long, conflicts_with = "models")]
    convolutions: bool,
    /// What computes, by its name.
    #[arg(long, help = help::backends())]
    backend: Option<String>,
    /// Threads to compute with; all cores if not given.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    threads: Option<usize>,
}

/// Prints a line for each architecture; before them, if none is named, one for the batches of a graphics card, and behind them one
/// for single convolutions.
///
/// # Errors
///
/// If there is no such architecture or backend, or one computes something else than the reference.
pub fn verify_kernels(args: &VerifyKernelsArgs) -> Result<(), Failure> {
    let rows = rows(&args.models)?;
    let backend = args.backend.as_deref().map_or(Ok(Backend::preferred()), Backend::named);
    let backend = backend.map_err(usage)?;
    set_threads(args.threads)?;
    let open = backend.open().map_err(|error| Failure::Error(error.to_string()))?;
    print_line(&format!("{backend} on {} against double precision", open.name));
    let failed = |error: VerifyError| Failure::Error(error.to_string());
    let has_parts = args.batches || args.convolutions;
    let is_all = !has_parts && args.models.is_empty();
    if args.batches || is_all && !backend.computes_on_the_host() {
        print_line(&format!("batches: {}", verify_batches(backend, &open).map_err(failed)?));
    }
    for row in if has_parts { Vec::new() } else { rows } {
        let verified = verify(&Task::of_architecture(row), backend, &open)
            .map_err(|error| Failure::Error(format!("{}: {error}", row.name)))?;
        print_line(&format!("{}: {verified}", row.name));
    }
    if args.convolutions || is_all {
        let verified = verify_convolutions(backend, &open).map_err(failed)?;
        print_line(&format!("convolutions: {verified}"));
    }
    Ok(())
}

fn rows(names: &[String]) -> Result<Vec<&'static Architecture>, Failure> {
    let wanted: Vec<&str> = match names {
        [] => FAMILIES.to_vec(),
        names => names.iter().map(String::as_str).collect(),
    };
    wanted.into_iter().map(|name| architecture(name).map_err(usage)).collect()
}

#[cfg(test)]
mod tests {
    use backburn_models::CATALOG;

    use super::*;

    #[test]
    fn every_kind_of_network_of_the_catalog_is_among_those_tried() {
        // He's networks for CIFAR-10, and for ImageNet, are of two families whatever their depth.
        let family = |row: &Architecture| match row.name {
            "resnet18" | "resnet34" | "resnet50" => "large resnet",
            "resnet20" | "resnet32" | "resnet44" | "resnet56" => "small resnet",
            name => name,
        };
        let tried: Vec<&str> = rows(&[]).unwrap().into_iter().map(family).collect();
        for row in CATALOG {
            assert!(tried.contains(&family(row)), "{} is of no family that is tried", row.name);
        }
    }

    #[test]
    fn an_unknown_architecture_is_refused() {
        assert!(matches!(rows(&["vgg".into()]), Err(Failure::Usage(_))));
    }
}
