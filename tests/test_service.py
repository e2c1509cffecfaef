"""The service: the same answers as the pieces by hand, and nothing that one caller does changes another's."""

import dataclasses
import io
import shutil
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from poolformer.errors import (
    ConfigError,
    HubUnreachableError,
    ImageError,
    UnknownVariantError,
    WeightsError,
)
from poolformer.images.decode import decode_image
from poolformer.inference.loading import load_variant
from poolformer.inspection.maps import energy
from poolformer.service import PoolFormerService
from poolformer.weights.checkpoint import load_checkpoint
from poolformer.weights.variants import variant


@pytest.fixture
def service(tmp_path):
    return PoolFormerService(cache_dir=tmp_path, endpoint="http://127.0.0.1:9")


def test_the_labels_are_those_of_the_model_called_by_hand(service, cat):
    checkpoint = load_checkpoint("tiny")
    pixel_values = checkpoint.processor(decode_image(cat), return_tensors="pt").pixel_values
    with torch.inference_mode():
        scores = checkpoint.model(pixel_values).logits[0].softmax(-1)
    result = service.classify(cat, "tiny")
    assert len(result.predictions) == 5
    assert [p.score for p in result.predictions] == pytest.approx(sorted(scores.tolist(), reverse=True)[:5], abs=1e-6)
    assert result.predictions[0].label == checkpoint.labels[int(scores.argmax())]
    assert result.forward_ms > 0


def test_the_stages_are_the_hidden_states_of_the_same_run(service, cat):
    checkpoint = load_checkpoint("tiny")
    pixel_values = checkpoint.processor(decode_image(cat), return_tensors="pt").pixel_values
    with torch.inference_mode():
        hidden_states = checkpoint.model(pixel_values, output_hidden_states=True).hidden_states
    result = service.inspect(cat, "tiny")
    assert len(result.stages) == 4
    for stage, state in zip(result.stages, hidden_states, strict=True):
        assert (stage.geometry.channels, stage.geometry.height, stage.geometry.width) == state.shape[1:]
        np.testing.assert_allclose(stage.energy, energy(state[0].numpy()), atol=1e-5)
        np.testing.assert_allclose(stage.channels, state[0, list(stage.channel_indices)].numpy(), atol=1e-4)
    assert result.classification.predictions == service.classify(cat, "tiny").predictions


def test_the_picture_is_what_the_network_saw(service, cat):
    crop_size = load_checkpoint("tiny").processor.crop_size
    assert service.inspect(cat, "tiny").picture.shape == (crop_size["height"], crop_size["width"], 3)


def test_a_run_is_the_hidden_states_of_one_forward_pass_and_nothing_drawn(service, cat, monkeypatch):
    checkpoint = load_checkpoint("tiny")
    pixel_values = checkpoint.processor(decode_image(cat), return_tensors="pt").pixel_values
    with torch.inference_mode():
        output = checkpoint.model(pixel_values, output_hidden_states=True)
    passes = []
    service.prepare("tiny").network.stages.register_forward_hook(lambda *_: passes.append(1))
    monkeypatch.setattr("poolformer.inspection.stages.inspect_stage", None)
    run = service.run(cat, "tiny")
    assert passes == [1]
    for stage, geometry, state in zip(run.stages, run.geometries, output.hidden_states, strict=True):
        assert stage.shape == (geometry.channels, geometry.height, geometry.width)
        np.testing.assert_allclose(stage, state[0].numpy(), atol=1e-5)
    assert run.pool_size == checkpoint.model.config.pool_size
    assert run.classification.predictions == service.classify(cat, "tiny").predictions
    indices = output.logits[0].topk(5).indices.tolist()
    assert [prediction.index for prediction in run.classification.predictions] == indices == list(run.evidence.classes)
    np.testing.assert_allclose(run.evidence.logits, output.logits[0, indices], atol=1e-5)
    sums = run.evidence.channels.sum(axis=1) + run.evidence.biases
    np.testing.assert_allclose(sums, output.logits[0, indices], atol=1e-4)


def test_a_run_with_values_that_are_not_finite_is_a_sentence(service, cat):
    with torch.inference_mode():
        service.prepare("tiny").network.stages.blocks[1][0].conv2.bias[3] = float("nan")
    with pytest.raises(WeightsError, match="In stage 2 of tiny are activations that are no finite numbers"):
        service.run(cat, "tiny")


def test_an_export_is_the_raw_activations_of_the_run(service, cat):
    with np.load(io.BytesIO(service.export(cat, "tiny", "npz"))) as arrays:
        assert str(arrays["variant"]) == "tiny"
        for number, stage in enumerate(service.run(cat, "tiny").stages, start=1):
            np.testing.assert_array_equal(arrays[f"stage{number}"], stage)


def test_panels_have_a_range_of_their_own_in_each_stage(service, cat):
    result = service.inspect(cat, "tiny")
    panels = service.panels(result)
    for stage, panel in zip(result.stages, panels, strict=True):
        assert panel.energy_range == (0, stage.energy.max())
        low, high = panel.channel_range
        assert -low == high <= np.abs(stage.channels).max()
    assert len({panel.channel_range for panel in panels}) == 4


def test_a_bad_picture_is_refused_before_anything_is_fetched(service, tmp_path):
    (tmp_path / "page.jpg").write_text("<html>")
    with pytest.raises(ImageError, match=r"page\.jpg"):
        service.classify(tmp_path / "page.jpg", "s12")


def test_a_variant_that_cannot_be_fetched_leaves_the_others_working(service, cat):
    with pytest.raises(HubUnreachableError, match="tiny"):
        service.classify(cat, "s12")
    assert service.classify(cat, "tiny").variant == "tiny"


@pytest.mark.parametrize("name", ["", "S12", "../assets/tiny", ".", "tiny/", "resnet50"])
def test_only_names_of_the_table_are_taken(service, cat, name):
    with pytest.raises(UnknownVariantError, match="tiny, s12, s24, s36, m36, m48"):
        service.classify(cat, name)


def test_the_default_is_tiny_until_s12_is_cached(service, monkeypatch):
    assert service.default_variant() == "tiny"
    monkeypatch.setattr("poolformer.weights.availability.cached_folder", lambda *_, **__: service)
    assert service.default_variant() == "s12"


def test_the_table_has_every_variant_and_says_what_a_fetch_takes(service):
    rows = service.variants()
    assert [row.variant.name for row in rows] == ["tiny", "s12", "s24", "s36", "m36", "m48"]
    assert [row.availability.state for row in rows] == ["bundled"] + ["remote"] * 5
    assert all(row.availability.download_bytes > 40e6 for row in rows[1:])


def test_models_beyond_the_budget_are_dropped_least_recently_used_first(monkeypatch, tmp_path):
    tiny = load_variant("tiny")
    monkeypatch.setattr(
        "poolformer.inference.engine.load_variant", lambda name, **_: dataclasses.replace(tiny, name=name)
    )
    service = PoolFormerService(cache_budget_bytes=2 * tiny.nbytes, cache_dir=tmp_path)
    first = service.prepare("s12")
    second = service.prepare("s24")
    assert service.prepare("s12") is first
    service.prepare("s36")
    assert service.prepare("s12") is first
    assert service.prepare("s24") is not second


def test_many_callers_get_their_own_answers(service):
    checkpoint = load_checkpoint("tiny")
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (40, 40, 3), dtype=np.uint8) for _ in range(12)]
    encoded = [_png(picture) for picture in pictures]
    with torch.inference_mode():
        expected = [
            checkpoint.model(checkpoint.processor(decode_image(data), return_tensors="pt").pixel_values)
            .logits[0]
            .softmax(-1)
            .max()
            .item()
            for data in encoded
        ]
    found = [0.0] * len(encoded)

    def classify(i):
        found[i] = service.classify(encoded[i], "tiny").predictions[0].score

    threads = [threading.Thread(target=classify, args=(i,)) for i in range(len(encoded))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == pytest.approx(expected, abs=1e-5)


def _png(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def test_an_own_checkpoint_is_the_first_row_and_the_default(cat, tmp_path):
    own = tmp_path / "mine"
    shutil.copytree(variant("tiny").folder, own)
    (own / "metrics.json").unlink()
    service = PoolFormerService(cache_dir=tmp_path / "cache", own_checkpoint=own)
    assert service.default_variant() == "mine"
    assert [row.variant.name for row in service.variants()][:2] == ["mine", "tiny"]
    assert service.variant("mine").top1_percent is None
    assert service.classify(cat, "mine").predictions == service.classify(cat, "tiny").predictions


def test_an_own_checkpoint_cannot_take_the_name_of_a_variant(tmp_path):
    shutil.copytree(variant("tiny").folder, tmp_path / "s12")
    with pytest.raises(ConfigError, match="rename"):
        PoolFormerService(own_checkpoint=tmp_path / "s12")


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"There is no folder .*nowhere; give the folder of a checkpoint"):
        PoolFormerService(own_checkpoint=tmp_path / "nowhere")


def test_a_folder_without_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"config\.json"):
        PoolFormerService(own_checkpoint=tmp_path)
