"""From a name and a picture to activations: other arithmetic, other devices, and pictures that do not pile up."""

import os
import shutil
import threading

import numpy as np
import pytest
import torch
from hub_faults import hang
from test_fused import assert_same, build_model

from poolformer.errors import CancelledError, ConfigError
from poolformer.images.decode import decode_image
from poolformer.images.sharing import core_count
from poolformer.inference import engine as engine_module
from poolformer.inference.device import choose_arithmetic, pick_device
from poolformer.inference.engine import Engine
from poolformer.inference.loading import load_variant
from poolformer.nn.fused import FusedPoolFormer
from poolformer.service import PoolFormerService
from poolformer.weights.checkpoint import load_checkpoint
from poolformer.weights.variants import variant

# torch's compiler uses what torch deprecates
own_warnings = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")


def by_hand(path):
    checkpoint = load_checkpoint("tiny")
    pixel_values = checkpoint.processor(decode_image(path), return_tensors="pt").pixel_values
    with torch.inference_mode():
        return checkpoint.model(pixel_values, output_hidden_states=True)


def test_a_ready_variant_is_the_checkpoint_folded():
    ready, checkpoint = load_variant("tiny"), load_checkpoint("tiny")
    assert (ready.name, ready.labels, ready.source) == ("tiny", checkpoint.labels, "bundled")
    assert ready.config == checkpoint.model.config
    weights = sum(tensor.nbytes for tensor in checkpoint.model.state_dict().values())
    again = sum(buffer.nbytes for name, buffer in ready.network.stages.named_buffers() if name.endswith(".several"))
    assert weights * 0.95 < ready.nbytes - again < weights * 1.05  # packing may pad, and folding saves some vectors


def test_bfloat16_says_so_and_is_near(cat):
    service = PoolFormerService(dtype="bfloat16")
    run, expected = service.run(cat, "tiny"), by_hand(cat)
    assert run.classification.notes == ("Computed in bfloat16: scores are off by up to a few percent.",)
    best = expected.logits[0].softmax(-1).max()
    assert run.classification.predictions[0].score == pytest.approx(float(best), abs=0.05)
    assert {stage.dtype for stage in run.stages} == {np.dtype(np.float32)}
    for stage, state in zip(run.stages, expected.hidden_states, strict=True):
        np.testing.assert_allclose(stage, state[0], atol=0.05 * float(state.abs().max()))


def test_float32_on_the_cpu_is_the_default_where_there_is_nothing_else(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_arithmetic() == choose_arithmetic("cpu", "float32")
    assert choose_arithmetic().note == ""


@pytest.mark.parametrize(("kinds", "expected"), [({"cuda", "mps"}, "cuda"), ({"mps"}, "mps")])
def test_the_fastest_kind_that_is_there_is_picked(monkeypatch, kinds, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in kinds)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in kinds)
    assert pick_device() == torch.device(expected)


@pytest.mark.parametrize("name", ["nothing", "", "cuda:99", "cpu:x"])
def test_a_device_that_is_not_there_is_a_sentence(name):
    with pytest.raises(
        ConfigError, match=rf"^The device '{name}' cannot be used \(.*\); choose cpu, or leave it out\.$"
    ):
        PoolFormerService(device=name)


def test_an_unknown_number_type_is_a_sentence():
    with pytest.raises(ConfigError, match="'float8'; choose float32 or bfloat16"):
        PoolFormerService(dtype="float8")


@own_warnings
def test_a_compiled_network_gives_the_same_numbers_or_says_that_there_is_no_compiler():
    model = build_model(depths=[1, 1, 1, 1], hidden_sizes=[4, 4, 4, 4])
    compiled, x = FusedPoolFormer(model, compiled=True), torch.randn(1, 3, 32, 32)
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler):
        assert_same(compiled, model, x)
    else:
        with pytest.raises(ConfigError, match="cannot be compiled here"):
            compiled(x)


@own_warnings
def test_a_network_that_cannot_be_compiled_is_a_sentence(monkeypatch):
    def refuse(_x):
        raise RuntimeError("No working C++ compiler found.\nsee above")

    network = FusedPoolFormer(build_model(), compiled=True)
    monkeypatch.setattr(network, "_run", refuse)
    with pytest.raises(ConfigError, match=r"compiled here \(No working C\+\+ compiler found\); leave --compile out"):
        network(torch.randn(1, 3, 32, 32))


def test_pictures_are_decoded_a_few_at_a_time_however_many_ask(cat, monkeypatch):
    engine = Engine(1 << 30)
    engine.loaded.get("tiny")
    limit, inside, most, lock, all_in = min(4, core_count()), 0, 0, threading.Lock(), threading.Event()

    def decode(source):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
            if inside == limit:
                all_in.set()
        assert all_in.wait(20)
        with lock:
            inside -= 1
        return decode_with_notes(source)

    decode_with_notes = engine_module.decode_with_notes
    monkeypatch.setattr(engine_module, "decode_with_notes", decode)
    threads = [threading.Thread(target=engine.answer, args=(cat, "tiny", 5)) for _ in range(3 * limit)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == limit


def test_a_cancelled_request_does_not_even_decode(cat, monkeypatch):
    cancelled = threading.Event()
    cancelled.set()
    monkeypatch.setattr(engine_module, "decode_with_notes", None)
    with pytest.raises(CancelledError):
        Engine(1 << 30).answer(cat, "tiny", 5, cancelled)


def test_cancelling_ends_the_fetch_of_a_variant(cat, tmp_path, hub):
    hub.misbehave("", hang)
    service, cancelled = PoolFormerService(cache_dir=tmp_path, endpoint=hub.endpoint), threading.Event()
    timer = threading.Timer(0.3, cancelled.set)
    timer.start()
    with pytest.raises(Exception, match="was cancelled"):
        service.run(cat, "s12", cancelled)
    timer.join()


def test_a_folder_of_ones_own_is_loaded_under_its_name(cat, tmp_path):
    own = shutil.copytree(variant("tiny").folder, tmp_path / "mine")
    engine = Engine(1 << 30, folders={"mine": own})
    answer, expected = engine.answer(cat, "mine", 3), by_hand(cat).logits[0].softmax(-1).topk(3)
    assert answer.variant.source == "folder"
    assert answer.scores == pytest.approx(expected.values.tolist(), abs=1e-5)
    assert answer.indices == tuple(expected.indices.tolist())
