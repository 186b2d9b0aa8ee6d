"""Compares what TensorBoard reads of a run with the run's own files. `.ci/peers/tensorboard` calls it."""

import json
import pathlib
import struct
import sys
import time

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.context import RequestContext
from tensorboard.data import server_ingester
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util import grpc_util

run = pathlib.Path(sys.argv[1])


def single(value):
    """A number as TensorBoard keeps it."""
    return struct.unpack("f", struct.pack("f", value))[0]


rows = [json.loads(line) for line in (run / "metrics.jsonl").open()]
losses = [float(line.rsplit(",", 1)[1]) for line in (run / "losses.csv").open().readlines()[1:]]
batches = len(losses) // len(rows)
stride = -(-len(losses) // 1000)
expected = {
    f"epoch/{name}": [(row["epoch"] * batches, single(row[name])) for row in rows]
    for name in rows[0]
    if name != "epoch"
}
expected["batch/objective"] = [
    (step, single(loss)) for step, loss in enumerate(losses, 1) if step % stride == 0
]
summary = json.loads((run / "summary.json").read_text())
expected["final/test_accuracy"] = [(len(losses) + 1, single(summary["test_accuracy"]))]


def compare(name, found):
    """Fails if a tag has other points than the run's files."""
    for tag, points in expected.items():
        if found.get(tag) != points:
            sys.exit(f"{name}: {tag}: expected {points[:3]}… ({len(points)}), found {found.get(tag, [])[:3]}…")
    print(f"{name}: {sum(map(len, expected.values()))} points of {len(expected)} tags are those of the run")


events = event_accumulator.EventAccumulator(
    str(run / "tensorboard"), size_guidance={"scalars": 0, "histograms": 0, "images": 0, "tensors": 0}
)
events.Reload()
compare(
    "EventAccumulator",
    {tag: [(it.step, it.value) for it in events.Scalars(tag)] for tag in events.Tags()["scalars"]},
)
images, histograms = events.Tags()["images"], events.Tags()["histograms"]
for tag in ["augmented_images", "worst_mistakes"]:
    assert tag in images, images
    picture = events.Images(tag)[0]
    assert picture.encoded_image_string[:4] == b"\x89PNG" and picture.width > 100, tag
assert [it.step for it in events.Histograms("weights/hidden.0.weight")] == [
    row["epoch"] * batches for row in rows
], histograms
weights = events.Histograms("weights/hidden.0.weight")[-1].histogram_value
assert weights.num == sum(weights.bucket) > 1000
print(f"EventAccumulator: {len(images)} pictures, {len(histograms)} kinds of histograms")

# The settings, as the plugin HParams reads them.
content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
assert start.hparams["epochs"].number_value == len(rows), start
assert start.hparams["model.name"].string_value == "mlp", start
content = events.SummaryMetadata("_hparams_/session_end_info").plugin_data.content
end = plugin_data_pb2.HParamsPluginData.FromString(content).session_end_info
assert end.status == 1, end
print(f"HParams: {len(start.hparams)} settings, ended with status {end.status}")

# The page asks the data server, which may still be loading.
binary = server_ingester.get_server_binary()
server = server_ingester.SubprocessServerDataIngester(
    server_binary=binary,
    logdir=str(run),
    reload_interval=0,
    channel_creds_type=grpc_util.ChannelCredsType.LOCAL,
    samples_per_plugin={"scalars": 0},
)
server.start()
for attempt in range(600):
    series = server.data_provider.read_scalars(
        RequestContext(), experiment_id="", plugin_name="scalars", downsample=100000
    )
    found = {
        tag: [(it.step, it.value) for it in data] for tags in series.values() for tag, data in tags.items()
    }
    if found.get("final/test_accuracy"):
        break
    time.sleep(0.5)
compare("data server", found)
