"""Compares what MLflow's client reads of runs with the runs' own files. `.ci/peers/mlflow` calls it."""

import json
import math
import pathlib
import sys

from mlflow.tracking import MlflowClient

store, *folders = sys.argv[1:]
client = MlflowClient(tracking_uri=store)
experiments = [it for it in client.search_experiments() if it.name == "digits"]
assert len(experiments) == 1, client.search_experiments()
runs = {run.info.run_name: run for run in client.search_runs([experiments[0].experiment_id])}
assert sorted(runs) == sorted(folders), runs.keys()
for folder in map(pathlib.Path, folders):
    run = runs[folder.name]
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    points = 0
    for name in rows[0]:
        if name == "epoch":
            continue
        history = client.get_metric_history(run.info.run_id, f"epoch/{name}")
        found = sorted((it.step, it.value) for it in history)
        assert found == [(row["epoch"], row[name]) for row in rows], (name, found)
        points += len(found)
    manifest = json.loads((folder / "manifest.json").read_text())
    is_over = manifest["status"] != "running"
    assert run.info.status == ("FINISHED" if is_over else "KILLED"), run.info.status
    if is_over:
        summary = json.loads((folder / "summary.json").read_text())
        for name in ["test_accuracy", "test_loss", "valid_loss", "test_ece"]:
            value = run.data.metrics[f"final/{name}"]
            assert math.isclose(value, summary[name], rel_tol=0), name
            points += 1
    assert run.data.params["epochs"] == str(len(rows)), run.data.params
    assert run.data.tags["backburn.model"] == "mlp"
    print(f"{folder}: {run.info.status}, {points} points, {len(run.data.params)} parameters are those of the run")
