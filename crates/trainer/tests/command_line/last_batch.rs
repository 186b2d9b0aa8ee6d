//! Images that do not fill a batch.

use crate::place::*;

const SMALL: &str = "train digits --train-size 129 --valid-size 50 --epochs 1 --model mlp --hidden \
    8 --dropout 0 --schedule constant --augment none --threads 1";

fn rows_of_losses(place: &Place, run: &str) -> usize {
    place.text(&format!("{run}/losses.csv")).lines().count() - 1
}

#[test]
fn batch_normalization_over_one_image_is_refused_and_nothing_is_left_behind() {
    let place = Place::new();
    let run = place.run(&format!("{SMALL} --batch-norm on --batch-size 128 --out run"));
    run.refuse(USAGE, &["a last batch of one image, of 129", "`--last-batch merge` or `drop`"]);
    let run =
        place.run(&format!("{SMALL} --batch-norm on --batch-size 1 --last-batch merge --out run"));
    run.refuse(USAGE, &["batches of one image", "--batch-norm off"]);
    place.expect_empty();
}

#[test]
fn the_last_images_are_kept_dropped_or_join_the_batch_before() {
    let place = Place::new();
    for (last_batch, size, batches) in
        [("keep", 64, 3), ("drop", 64, 2), ("merge", 64, 2), ("merge", 128, 1)]
    {
        let out = format!("{last_batch}-{size}");
        let run = format!("{SMALL} --batch-size {size} --last-batch {last_batch} --out {out}");
        place.run(&run).expect(DONE, &[]);
        assert_eq!(rows_of_losses(&place, &out), batches, "{out}");
        place.run(&format!("verify {out}")).expect(DONE, &[]);
        let config = place.text(&format!("{out}/config.toml"));
        assert!(config.contains(&format!("last_batch = \"{last_batch}\"")), "{config}");
    }
    // All 129 images in one step: as one batch of them.
    let whole = format!("{SMALL} --batch-size 129 --out whole");
    place.run(&whole).expect(DONE, &[]);
    assert!(place.bytes("merge-128/model.safetensors") == place.bytes("whole/model.safetensors"));
}

#[test]
fn lookahead_that_would_never_look_is_refused() {
    let place = Place::new();
    let lookahead =
        |rule: &str| place.run(&format!("{SMALL} --batch-size 43 --lookahead {rule} --out run"));
    lookahead("k=4")
        .refuse(USAGE, &["at most the 3 steps of the run, found 4", "--lookahead k=3`"]);
    place.expect_empty();
    lookahead("k=3").expect(DONE, &[]);
}
