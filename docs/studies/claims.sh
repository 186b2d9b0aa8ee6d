#!/usr/bin/env bash
# Trains claims of the sources that no experiment of `cargo xtask experiment` tests by itself.
#
#     cargo build --release -p backburn-trainer
#     docs/studies/claims.sh target/release/backburn runs/claims
#     python3 docs/studies/claims.py runs/claims
#
# MNIST is looked for as by every training (`BACKBURN_DATA`). Some 20 minutes on two cores; what is there already is not
# trained again.
set -euo pipefail
program=$(realpath "${1:?the program: target/release/backburn}")
out=${2:?a folder for the runs}
mkdir -p "$out"
study=(--seeds 10 --jobs 2 --threads 2 --no-reports)

# 003 §6.4: weight decay alone does not do as networks grow; then dropout. Widths of three hidden layers.
for width in 30 100 300 1000; do
    "$program" ablate mnist --recipe small --model mlp --hidden "$width,$width,$width" --dropout 0 --train-size 300 \
        --decay-mode coupled --arms \
        none,weight-decay=0.001,weight-decay=0.003,weight-decay=0.01,weight-decay=0.03,dropout=0.2,dropout=0.4,dropout=0.6 \
        "${study[@]}" --out "$out/width-$width"
done

# 003 §6.3: batch normalization lessens the need of dropout.
"$program" ablate mnist --recipe small --model mlp --hidden 300,300,300 --dropout 0 --train-size 1000 --arms \
    none,dropout=0.2,dropout=0.4,batch-norm,batch-norm+dropout=0.2,batch-norm+dropout=0.4 \
    "${study[@]}" --out "$out/batch-norm"

# 003 §6.5: a few epochs for each trial make a search short. Halving stops the worse half after an eighth, a quarter and
# half of the epochs.
for seed in $(seq 10); do
    for rule in none halving; do
        "$program" search mnist --recipe small --model mlp --hidden 100,100 --dropout 0 --train-size 1000 \
            --valid-size 500 --epochs 16 --vary learning-rate=log:1e-5:1e-1 --vary dropout=0:0.8 \
            --vary weight-decay=log:1e-6:1e-1 --sampler random --trials 24 --seed "$seed" --prune "$rule" \
            --out "$out/search/$rule-$seed"
    done
done

# 003 §6.5: the source's own search by `search`: its network, images, optimizer and ranges, 100 points drawn at random.
"$program" search mnist --recipe small --model mlp --hidden 100,100,100,100,100,100 --dropout 0 --optimizer sgd \
    --initialization he-normal --train-size 400 --valid-size 100 --batch-size 100 --epochs 50 \
    --vary learning-rate=log:1e-6:1e-2 --vary weight-decay=log:1e-8:1e-4 --decay-mode coupled \
    --sampler random --trials 100 --out "$out/source"
