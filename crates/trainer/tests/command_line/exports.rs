//! `export` and `models`.

use std::fs;

use crate::place::*;

#[test]
fn a_run_is_exported_to_every_format_with_a_card_and_is_still_whole() {
    let place = Place::new();
    let with_norms = TINY.replace("--model mlp", "--model mlp --batch-norm on");
    place.run(&format!("train digits {with_norms} --out run")).expect(DONE, &[]);
    let weights = place.bytes("run/model.safetensors");
    for (format, files) in [
        ("onnx --test-data 2", ["model.onnx", "model.onnx.md"].as_slice()),
        (
            "onnx --with-preparation",
            &["model-with-preparation.onnx", "model-with-preparation.onnx.md"],
        ),
        ("torch", &["model.pt", "model.py", "model.pt.md"]),
        ("safetensors", &["model.safetensors", "model.safetensors.md"]),
        ("mistakes-csv", &["mistakes.csv"]),
    ] {
        let command = format!("export run --format {format}");
        let written: Vec<String> = files.iter().map(|file| format!("run/export/{file}")).collect();
        let parts: Vec<&str> = written.iter().map(String::as_str).collect();
        place.run(&command).expect(DONE, &parts);
        // Again gives the same bytes.
        let before: Vec<Vec<u8>> = parts.iter().map(|file| place.bytes(file)).collect();
        place.run(&command).expect(DONE, &parts);
        let after: Vec<Vec<u8>> = parts.iter().map(|file| place.bytes(file)).collect();
        assert!(before == after, "{format}: other bytes");
    }
    let test_data = "run/export/model.onnx.test_data_set_0";
    let mut names = place.names(test_data);
    names.sort();
    assert_eq!(names, ["input_0.pb", "output_0.pb"]);
    let card = place.text("run/export/model.onnx.md");
    for part in
        ["# Model card: run", "## Data", "Licence of the data", "| test split |", "## Limits"]
    {
        assert!(card.contains(part), "no {part} in:\n{card}");
    }
    let mistakes = place.text("run/export/mistakes.csv");
    assert!(mistakes.starts_with("index,label,predicted,probability,loss,path\n"), "{mistakes}");
    let recorded = place.json("run/evaluation.json")["mistakes"].as_array().unwrap().len();
    assert_eq!(mistakes.lines().count(), 1 + recorded);
    place.run("export run --format torch --out net.pt").expect(DONE, &["net.pt", "net.py"]);
    assert!(place.text("net.py").contains("torch.load(\"net.pt\", weights_only=True)"));
    // Words that advise a command are written as it is typed; a path is none.
    let path = "cargo xtask train.csv";
    let mut command = place.command(["export", "run", "--format", "mistakes-csv", "--out", path]);
    assert_eq!(finish(command.env_remove("CARGO")).stdout, format!("{path}\n"));
    // Another run can begin with any of them.
    for file in ["model.pt", "model.safetensors"] {
        let again = format!("train --config run/config.toml --init-from run/export/{file}");
        place.run(&format!("{again} --epochs 1 --out {file}-run")).expect(DONE, &[]);
    }
    assert_eq!(place.bytes("run/model.safetensors"), weights);
    place.run("verify run").expect(DONE, &[]);
    place.expect_no_temporary_files();
}

#[test]
fn an_export_that_cannot_be_is_refused_and_writes_over_nothing() {
    let place = Place::new();
    place.run(&format!("train digits {TINY} --out run")).expect(DONE, &[]);
    place
        .run("export run --format keras")
        .refuse(USAGE, &["unknown format `keras`", "onnx, torch, safetensors, mistakes-csv"]);
    place
        .run("export run --format torch --with-preparation")
        .refuse(USAGE, &["`--with-preparation` is for the format onnx, found torch"]);
    // Nor is another run written into, whatever its name.
    fs::create_dir(place.path("other")).unwrap();
    for file in ["manifest.json", "config.toml"] {
        fs::copy(place.path(&format!("run/{file}")), place.path(&format!("other/{file}"))).unwrap();
    }
    let checkpoint = place.bytes("run/checkpoints/latest.safetensors");
    for (format, out) in [
        ("safetensors", "run/model.safetensors"),
        ("safetensors", "run/checkpoints/latest.safetensors"),
        ("onnx", "run/figures/../model.onnx"),
        ("mistakes-csv", "run/evaluation.json"),
        ("mlflow", "run/mlruns"),
        ("onnx", "other/model.safetensors"),
    ] {
        let command = format!("export run --format {format} --out {out}");
        place.run(&command).refuse(USAGE, &[out, "is inside the folder of a run", "export/"]);
    }
    assert_eq!(place.bytes("run/checkpoints/latest.safetensors"), checkpoint);
    place
        .run("export run --format torch --out net.py")
        .refuse(USAGE, &["net.py would be both the weights and the Python code", ".pt"]);
    let test_data = place.path("net.onnx.test_data_set_0");
    fs::create_dir(&test_data).unwrap();
    fs::write(test_data.join("output_0.pb"), "mine").unwrap();
    place
        .run("export run --format onnx --test-data 1 --out net.onnx")
        .refuse(USAGE, &["output_0.pb is there and was not written by an export"]);
    assert_eq!(fs::read_to_string(test_data.join("output_0.pb")).unwrap(), "mine");
    place
        .run("export run --format onnx --out none/model.onnx")
        .refuse(ERROR, &["cannot write none/model.onnx"]);
    fs::write(place.path("train.py"), "print(1)").unwrap();
    place
        .run("export run --format torch --out train.pt")
        .refuse(USAGE, &["train.py is there and was not written by an export"]);
    assert_eq!(place.text("train.py"), "print(1)");
    place.run("export nothing --format onnx").refuse(ERROR, &["nothing/config.toml"]);
    let mut bytes = place.bytes("run/model.safetensors");
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(place.path("run/model.safetensors"), bytes).unwrap();
    place.run("export run --format onnx").refuse(ERROR, &["run/model.safetensors"]);
    assert!(!place.path("run/export").exists() && !place.path("train.pt").exists());
}

#[test]
fn models_are_listed_and_shown_layer_by_layer() {
    let place = Place::new();
    let list = place.run("models list");
    for row in backburn_models::CATALOG {
        list.expect(DONE, &[row.name, row.summary]);
    }
    let shown = place.run("models show resnet18 --image 3x64x64 --classes 200");
    shown.expect(DONE, &["stages.3.1.conv2", "512×8×8", "11,271,432 parameters"]);
    place.run(&format!("train digits {TINY} --out run")).expect(DONE, &[]);
    place.run("models show run").expect(DONE, &["1×28×28", "hidden.0", "6,370 parameters"]);
    place.run("models show resnet19").refuse(USAGE, &["unknown model `resnet19`", "resnet20"]);
    place.run("models show cnn --image 3x64").refuse(USAGE, &["such as 3x64x64"]);
    place.run("models show lenet-bn --image 1x8x8").refuse(USAGE, &["at least 16×16"]);
}
