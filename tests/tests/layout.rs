//! How the crates may depend on each other.
use std::fs;
use std::path::Path;

/// Everything of a manifest that is compiled into the crate, without what only its tests need.
fn dependencies(krate: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join(krate).join("Cargo.toml")).unwrap();
    let after = text.split("[dependencies]").nth(1).unwrap_or_default();
    after.split("\n[").next().unwrap_or_default().to_owned()
}

#[test]
fn library_crates_never_choose_a_backend() {
    for krate in
        ["crates/data", "crates/models", "crates/records", "crates/regularization", "crates/report"]
    {
        let dependencies = dependencies(krate);
        assert!(!dependencies.is_empty(), "{krate} has no dependencies?");
        for backend in backburn_training::backend::Backend::ALL {
            let named = format!("\"{backend}\"");
            assert!(!dependencies.contains(&named), "{krate} names the backend {backend}");
        }
    }
}

#[test]
fn dependencies_point_one_way() {
    let allowed = [
        ("crates/data", &[][..]),
        ("crates/kernels", &[]),
        ("crates/regularization", &["backburn-kernels"]),
        ("crates/records", &[]),
        ("crates/report", &["backburn-records"]),
        ("crates/models", &["backburn-kernels", "backburn-regularization"]),
        ("xtask", &[]),
    ];
    for (krate, allowed) in allowed {
        let dependencies = dependencies(krate);
        let ours = dependencies.lines().filter(|line| line.starts_with("backburn-"));
        for line in ours {
            let name = line.split(['.', ' ']).next().unwrap();
            assert!(allowed.contains(&name), "{krate} depends on {name}");
        }
    }
    for krate in ["crates/data", "crates/records", "crates/report"] {
        let tensors = dependencies(krate).lines().any(|line| line.starts_with("burn."));
        assert!(!tensors, "{krate} knows tensors");
    }
}
