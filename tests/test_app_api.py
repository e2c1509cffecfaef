"""The named API, driven by Gradio's own client against the demo in its own process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from serving import ROOT

from poolformer.inspection.pack import decode_pack
from poolformer.service import PoolFormerService


@pytest.fixture(scope="module")
def client(offline_app, tmp_path_factory):
    return Client(offline_app, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


def test_classify_gives_the_labels_that_the_service_gives(client, cat):
    result = client.predict(image=handle_file(str(cat)), variant="tiny", api_name="/classify")
    expected = PoolFormerService().classify(cat, "tiny").predictions
    assert result["variant"] == "tiny"
    assert result["forward_ms"] > 0
    assert [entry["label"] for entry in result["predictions"]] == [p.label for p in expected]
    assert [entry["score"] for entry in result["predictions"]] == pytest.approx([p.score for p in expected], abs=1e-5)


def test_inspect_adds_three_pictures_of_each_stage(client, cat):
    labels, pictures = client.predict(image=handle_file(str(cat)), variant="tiny", api_name="/inspect")
    assert len(labels["predictions"]) == 5
    assert len(pictures) == 12
    for number in range(1, 5):
        captions = [entry["caption"] for entry in pictures if entry["caption"].startswith(f"stage {number} (")]
        assert [word for caption in captions for word in ("energy", "PCA", "channels") if word in caption] == [
            "energy",
            "PCA",
            "channels",
        ]
    for entry in pictures:
        with Image.open(entry["image"]) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) >= 400


def test_stages_is_the_labels_and_the_pack_that_the_page_draws_from(client, cat):
    labels, path = client.predict(image=handle_file(str(cat)), variant="tiny", api_name="/stages")
    run = PoolFormerService().run(cat, "tiny")
    assert labels["predictions"][0]["label"] == run.classification.predictions[0].label
    pack = decode_pack(Path(path).read_bytes())
    assert pack.variant == "tiny"
    np.testing.assert_array_equal(pack.picture, run.picture)
    for stage, activations in zip(pack.stages, run.stages, strict=True):
        np.testing.assert_allclose(stage.values(), activations, atol=float(stage.scale.max()))


def test_the_api_shows_its_endpoints_and_no_internal_ones(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert sorted(endpoints) == ["/classify", "/inspect", "/stages"]
    assert [parameter["parameter_name"] for parameter in endpoints["/classify"]["parameters"]] == ["image", "variant"]


def test_no_picture_is_a_sentence(client):
    with pytest.raises(AppError, match="There is no picture; send one as `image`"):
        client.predict(image=None, variant="tiny", api_name="/classify")


@pytest.mark.parametrize("content", [b"", b"<html>not a picture</html>", b"\x89PNG\r\n\x1a\n" + bytes(20)])
def test_a_file_that_is_no_picture_is_a_sentence_with_its_name(client, tmp_path, content):
    (tmp_path / "holiday.jpg").write_bytes(content)
    with pytest.raises(AppError, match=r"holiday\.jpg") as caught:
        client.predict(image=handle_file(str(tmp_path / "holiday.jpg")), variant="tiny", api_name="/inspect")
    assert "Traceback" not in str(caught.value)


def test_a_truncated_picture_is_a_sentence(client, cat, tmp_path):
    (tmp_path / "half.jpg").write_bytes(cat.read_bytes()[:9000])
    with pytest.raises(AppError, match=r"half\.jpg is truncated or damaged"):
        client.predict(image=handle_file(str(tmp_path / "half.jpg")), variant="tiny", api_name="/classify")


def test_an_unknown_variant_is_a_sentence(client, cat):
    with pytest.raises(AppError, match="There is no variant '<b>s13</b>'; choose one of tiny, s12"):
        client.predict(image=handle_file(str(cat)), variant="<b>s13</b>", api_name="/classify")


def test_a_variant_that_cannot_be_fetched_says_so_and_tiny_goes_on(client, cat):
    with pytest.raises(AppError, match=r"s12 cannot be fetched: .*you can use tiny; to get s12, connect"):
        client.predict(image=handle_file(str(cat)), variant="s12", api_name="/classify")
    assert client.predict(image=handle_file(str(cat)), variant="tiny", api_name="/classify")["variant"] == "tiny"


def test_a_fetched_variant_answers_with_its_own_labels(online_app, cat):
    client = Client(online_app, verbose=False)
    result = client.predict(image=handle_file(str(cat)), variant="s12", api_name="/classify")
    assert all(entry["label"].startswith("thing ") for entry in result["predictions"])


def test_importing_the_app_starts_nothing():
    code = "import app, threading; print(app.demo.is_running, threading.active_count())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.split() == ["False", "1"]
