"""A checkpoint is written over by nothing but its own training."""

import hashlib
import os
import subprocess
import sys
import time

import numpy as np
import pytest

import hrnn
from hrnn.base import files

TASK = hrnn.Task(n_blocks=1)
RECIPE = hrnn.Recipe(optimizer="adam", n_steps=6)
NET = hrnn.Network.init("tanh", n_hidden=4, rng=0)


def train(path, *, net=NET, task=TASK, recipe=RECIPE, rng=3, **more):
    return hrnn.train(net, task, recipe, rng=rng, checkpoint=path, progress=False, **more)


def stop_at(n_steps):
    def callback(step, *_):
        if n_steps in (step, None):
            raise KeyboardInterrupt

    return callback


def digest(folder):
    """Names and contents of all files."""
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_the_same_training_is_returned_at_once(tmp_path):
    first = train(tmp_path / "c")
    before = digest(tmp_path)
    called = []
    again = train(tmp_path / "c", callback=lambda *_: called.append(1))
    np.testing.assert_array_equal(again.network.theta, first.network.theta)
    np.testing.assert_array_equal(again.loss, first.loss)
    assert again.rng_state == first.rng_state and again.network.metadata == first.network.metadata
    assert not called and digest(tmp_path) == before


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_same_training_goes_on_where_it_was(tmp_path, optimizer):
    recipe = hrnn.Recipe(optimizer=optimizer, n_steps=6, n_sessions=2)
    whole = train(tmp_path / "whole", recipe=recipe)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "c", recipe=recipe, callback=stop_at(2))
    called = []
    again = train(tmp_path / "c", recipe=recipe, callback=lambda step, *_: called.append(step))
    assert called == [3, 4, 5]
    np.testing.assert_array_equal(again.network.theta, whole.network.theta)
    np.testing.assert_array_equal(again.loss, whole.loss)


def test_more_steps_of_the_same_training_go_on(tmp_path):
    train(tmp_path / "c", n_steps=4)
    longer = train(tmp_path / "c", n_steps=9)
    whole = train(tmp_path / "d", n_steps=9)
    np.testing.assert_array_equal(longer.network.theta, whole.network.theta)
    assert longer.network.metadata == whole.network.metadata
    assert hrnn.Network.load(tmp_path / "c").metadata["recipe"]["n_steps"] == 9
    before = digest(tmp_path)
    with pytest.raises(ValueError, match="n_steps must be >= the 9 steps"):
        train(tmp_path / "c", n_steps=5)
    assert digest(tmp_path) == before


OTHERS = {
    "net": {"net": hrnn.Network.init("tanh", n_hidden=4, rng=1)},
    "net of another cell": {"net": hrnn.Network.init("gru", n_hidden=4, rng=0)},
    "net of another leak": {"net": hrnn.Network.init("leaky", n_hidden=4, rng=0)},
    "task": {"task": TASK.replace(threshold=0.8)},
    "recipe": {"recipe": hrnn.Recipe(optimizer="adam", n_steps=6, learning_rate=2e-3)},
    "rng": {"rng": 4},
    "rng, a sequence": {"rng": np.random.SeedSequence(4)},
    "rng, a generator": {"rng": np.random.default_rng(4)},
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_training_is_refused(tmp_path, other):
    train(tmp_path / "c")
    before = digest(tmp_path)
    with pytest.raises(
        FileExistsError, match=f"checkpoint .*another {other.split()[0][:3]}.*resume"
    ):
        train(tmp_path / "c", **OTHERS[other])
    assert digest(tmp_path) == before


def test_a_generator_in_another_state_is_another_training(tmp_path):
    rng = np.random.default_rng(3)
    train(tmp_path / "c", rng=rng)
    with pytest.raises(FileExistsError, match="another rng"):
        train(tmp_path / "c", rng=rng)  # it has made children
    assert len(train(tmp_path / "c", rng=np.random.default_rng(3)).loss) == 6


@pytest.mark.filterwarnings("ignore:.*reading .*previous instead")
@pytest.mark.parametrize("content", ["text", "empty", "network", "zip", "npz"])
@pytest.mark.parametrize("place", ["c", "c.previous"])
def test_a_file_of_anybody_else_is_left_alone(tmp_path, content, place):
    path = tmp_path / place
    if content == "network":
        NET.save(path)
    elif content == "npz":
        with open(path, "wb") as file:
            np.savez(file, theta=NET.theta)
    else:
        path.write_bytes({"text": b"subject,choice\n", "empty": b"", "zip": b"PK\3\4 cut"}[content])
    before = digest(tmp_path)
    with pytest.raises(FileExistsError, match="checkpoint .*resume"):
        train(tmp_path / "c")
    assert digest(tmp_path) == before


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_the_file_beside_it_is_read_if_it_is_damaged_or_missing(tmp_path, damage):
    whole = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "c", callback=stop_at(2))
    assert (tmp_path / "c.previous").exists()
    if damage == "cut":
        os.truncate(tmp_path / "c", 500)
    else:
        (tmp_path / "c").unlink()
    with pytest.warns(UserWarning, match="reading .*previous instead"):
        again = train(tmp_path / "c")
    np.testing.assert_array_equal(again.network.theta, whole.network.theta)


def test_nothing_is_left_beside_a_finished_training(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "c", callback=stop_at(2))
    assert set(digest(tmp_path)) == {"c", "c.previous"}
    hrnn.train(resume=tmp_path / "c", progress=False)
    assert set(digest(tmp_path)) == {"c"}


def test_a_foreign_file_beside_what_is_resumed_is_left_alone(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "c", callback=stop_at(2))
    (tmp_path / "c.previous").write_text("notes")
    before = digest(tmp_path)
    with pytest.raises(FileExistsError, match="resume .*previous"):
        hrnn.train(resume=tmp_path / "c", progress=False)
    assert digest(tmp_path) == before


SCRIPT = """
import hrnn
from hrnn.base import files
net = hrnn.Network.init("tanh", n_hidden=4, rng=0)
hrnn.train(net, hrnn.Task(n_blocks=1), n_steps=10**7, rng=3, checkpoint="c", progress=False)
"""


def test_one_process_at_a_time_trains_with_a_checkpoint(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", SCRIPT], cwd=tmp_path)
    try:
        until = time.monotonic() + 60
        while not (tmp_path / "c").exists() and time.monotonic() < until:
            time.sleep(0.05)
        with pytest.raises(BlockingIOError, match=r"in use by another process.*c'"):
            train(tmp_path / "c")
        with pytest.raises(BlockingIOError, match="in use"):
            hrnn.train(resume=tmp_path / "c", progress=False)
        os.symlink(tmp_path / "c", tmp_path / "link")
        with pytest.raises(BlockingIOError, match="in use"):
            train(tmp_path / "link")
    finally:
        other.kill()
        other.wait()
    with pytest.raises(KeyboardInterrupt):  # the lock died with its process
        hrnn.train(resume=tmp_path / "c", progress=False, callback=stop_at(None))


@pytest.mark.parametrize("change", ["loss", "memory", "types", "streams", "origin", "recipe"])
def test_a_checkpoint_of_another_form_is_a_named_error(tmp_path, change):
    train(tmp_path / "c")
    archive = files.load_archive(tmp_path / "c", kind="checkpoint")
    arrays = archive.arrays
    config = archive.config
    if change == "loss":
        arrays["loss"] = np.array(0.5)
    elif change == "memory":
        arrays["memory"] = arrays["memory"].astype(np.int8)
    elif change == "types":
        arrays["loss"] = arrays["loss"].astype(np.int64)
    else:
        config[change] = [3]
    files.save_archive(tmp_path / "d", kind="checkpoint", config=config, arrays=arrays)
    with pytest.raises(ValueError, match="d does not hold a checkpoint"):
        hrnn.train(resume=tmp_path / "d", n_steps=9, progress=False)
