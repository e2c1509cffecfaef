"""What the explorer computes in the page, against numpy and torch on the activations of the model called by hand.

What differs from the model's own hidden_states is bounded by the quantisation step; what is computed from the decoded
values is compared with the same computation in numpy, which leaves rounding only.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from explorer_page import choose, choose_example, numbers, tell

from poolformer.images.decode import decode_image
from poolformer.inspection.attribution import class_evidence
from poolformer.inspection.maps import energy, pca_rgb, value_range
from poolformer.inspection.receptive_field import stage_geometries
from poolformer.render.colormaps import apply_colormap
from poolformer.weights.checkpoint import load_checkpoint

CAT = Path(__file__).parents[2] / "assets" / "examples" / "cat.jpg"
STAGES = range(4)
PLACE = (1, 2)  # row and column of the cell that others are compared with
SIGNED, UNSIGNED = "RdBu_r", "inferno"
TABLE_ERROR = 2  # of 255: the page interpolates between every fifth colour


@pytest.fixture(scope="module")
def model():
    """The bundled model's run on an example, by hand."""
    checkpoint = load_checkpoint("tiny")
    image = decode_image(CAT)
    pixel_values = checkpoint.processor(image, return_tensors="pt").pixel_values
    with torch.inference_mode():
        output = checkpoint.model(pixel_values, output_hidden_states=True)
        ranking = output.logits[0].argsort(descending=True)[:5].tolist()
        evidence = class_evidence(checkpoint.model, output.hidden_states[-1], ranking)
    return SimpleNamespace(
        stages=[state[0].numpy() for state in output.hidden_states],
        picture=np.asarray(checkpoint.processor.crop(image)),
        geometries=stage_geometries(checkpoint.model.config, *pixel_values.shape[2:]),
        contributions=evidence.channels,
    )


@pytest.fixture(scope="module")
def told(browser, offline_app):
    """What the page computes of the same picture, read out once."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(offline_app)
    choose_example(page, "cat")
    every = "({stages, values}, i) => Array.from({length: stages[i].channels}, (_, c) => [...values(i, c)]).flat()"
    shapes = [tell(page, "({stages}, i) => [stages[i].channels, stages[i].height, stages[i].width]", i) for i in STAGES]
    compared = "({similarity}, [i, row, col]) => similarity(i, row, col)"
    result = SimpleNamespace(
        stages=[numbers(page, every, i).reshape(shapes[i]) for i in STAGES],
        steps=[numbers(page, "({stages}, i) => stages[i].scale", i) for i in STAGES],
        channels=[tell(page, "({channel}, i) => channel(i)", i) for i in STAGES],
        contributions=numbers(page, "({contributions}) => contributions"),
        similarity=[numbers(page, compared, [i, *PLACE]).reshape(shapes[i][1:]) for i in STAGES],
        pca=[
            SimpleNamespace(
                rgb=numbers(page, "({pca}, i) => pca(i).rgb", i).reshape(*shapes[i][1:], 3),
                explained=numbers(page, "({pca}, i) => pca(i).explained", i),
                components=numbers(page, "({pca}, i) => pca(i).components", i).reshape(3, -1),
            )
            for i in STAGES
        ],
        views={},
    )
    for title in ("Energy", "Channel", "Picture", "Disagreement"):
        choose(page, "View", title)
        result.views[title] = [read_map(page, i) for i in STAGES]
    choose(page, "Disagreement of", "all channels")
    result.views["Disagreement of all"] = [read_map(page, i) for i in STAGES]
    choose(page, "View", "Channel")
    for scope in ("per stage", "all stages"):
        choose(page, "Range of the colours", scope)
        result.views[f"Channel, {scope}"] = [read_map(page, i) for i in STAGES]
    context.close()
    return result


def read_map(page, i):
    """A stage's map as drawn: numbers (H, W) or (H, W, 3), their range, and the pixels (H, W, 4) of its canvas."""
    painted = """i => {
      const canvas = document.querySelectorAll('.run.current .figure:not(.picture) canvas')[i];
      const {width, height} = canvas;
      return {size: [height, width], data: [...canvas.getContext('2d').getImageData(0, 0, width, height).data]};
    }"""
    pixels = page.evaluate(painted, i)
    height, width = pixels["size"]
    values = numbers(page, "({map}, i) => map(i)", i)
    return SimpleNamespace(
        values=values.reshape((height, width) if values.size == height * width else (height, width, 3)),
        range=tell(page, "({range}, i) => range(i)", i),
        pixels=np.array(pixels["data"], dtype=np.uint8).reshape(height, width, 4),
    )


def pool(stage, size=3):
    """Average pooling of a stage (C, H, W) as the token mixer does it."""
    mixer = torch.nn.AvgPool2d(size, stride=1, padding=size // 2, count_include_pad=False)
    return mixer(torch.from_numpy(stage)[None])[0].numpy()


def cosines(stage, row, col):
    cells = stage / np.linalg.norm(stage, axis=0)
    return np.einsum("chw,c->hw", cells, cells[:, row, col])


@pytest.mark.parametrize("i", STAGES)
def test_decoded_values_are_the_hidden_states_within_half_a_step(told, model, i):
    rounding = 1e-6 * np.abs(model.stages[i]).max()
    error = np.abs(told.stages[i] - model.stages[i]).max(axis=(1, 2))
    assert (error <= told.steps[i] / 2 + rounding).all()
    assert (told.steps[i] > 0).all()


@pytest.mark.parametrize("i", STAGES)
def test_energy_is_the_mean_magnitude(told, model, i):
    shown = told.views["Energy"][i]
    np.testing.assert_allclose(shown.values, energy(told.stages[i]), rtol=1e-5)
    assert np.abs(shown.values - energy(model.stages[i])).max() <= told.steps[i].mean() / 2 + 1e-5
    assert shown.range == pytest.approx([0, np.percentile(shown.values, 99.5)], rel=1e-5)


@pytest.mark.parametrize("i", STAGES)
def test_similarity_is_the_cosine(told, model, i):
    np.testing.assert_allclose(told.similarity[i], cosines(told.stages[i], *PLACE), atol=2e-6)
    lengths = np.linalg.norm(model.stages[i], axis=0)
    turned = 2 * np.linalg.norm(told.steps[i] / 2) / lengths  # how far half a step can turn a unit vector
    bound = turned + turned[PLACE] + 1e-5
    assert (np.abs(told.similarity[i] - cosines(model.stages[i], *PLACE)) <= bound).all()
    assert np.abs(told.similarity[i] - cosines(model.stages[i], *PLACE)).max() < 0.02  # as a whole far less than that


@pytest.mark.parametrize("i", STAGES)
def test_principal_components_follow_the_recipe(told, model, i):
    shown, exact, direct = told.pca[i], pca_rgb(told.stages[i]), pca_rgb(model.stages[i])
    np.testing.assert_allclose(shown.components, exact.components, atol=1e-6)
    np.testing.assert_allclose(shown.explained, exact.explained, atol=1e-8)
    np.testing.assert_allclose(shown.rgb, exact.rgb, atol=1e-5)
    np.testing.assert_allclose(shown.explained, direct.explained, atol=1e-3)
    agreement = np.sum(shown.components * direct.components, axis=1)
    assert (np.abs(agreement) > 0.999).all()
    for k in range(3):  # The signs too, unless loadings of both signs are so nearly equal that half a step decides.
        magnitudes = np.abs(direct.components[k])
        tied = np.sign(direct.components[k][magnitudes > 0.97 * magnitudes.max()])
        assert agreement[k] > 0 or len(set(tied)) == 2
        colour = direct.rgb[..., k] if agreement[k] > 0 else 1 - direct.rgb[..., k]
        assert np.abs(shown.rgb[..., k] - colour).max() < 0.05


@pytest.mark.parametrize("i", STAGES)
def test_disagreement_is_what_the_token_mixer_adds(told, model, i):
    channel = told.channels[i]
    added = pool(told.stages[i]) - told.stages[i]
    one, every = told.views["Disagreement"][i], told.views["Disagreement of all"][i]
    np.testing.assert_allclose(one.values, added[channel], atol=1e-5 * np.abs(added).max())
    np.testing.assert_allclose(every.values, np.abs(added).mean(axis=0), rtol=1e-4)
    exact = pool(model.stages[i]) - model.stages[i]
    assert np.abs(one.values - exact[channel]).max() <= told.steps[i][channel] + 1e-5 * np.abs(exact).max()
    assert np.abs(every.values - np.abs(exact).mean(axis=0)).max() <= told.steps[i].mean() + 1e-5


@pytest.mark.parametrize("i", STAGES)
def test_the_picture_at_a_stage_is_the_mean_of_the_nearest_pixels(told, model, i):
    geometry = model.geometries[i]
    rows, cols = (
        np.clip(np.floor((np.arange(edge_px) - geometry.start_px) / geometry.stride_px + 0.5), 0, cells - 1)
        for edge_px, cells in zip(model.picture.shape[:2], (geometry.height, geometry.width), strict=True)
    )
    for row in range(geometry.height):
        for col in range(geometry.width):
            nearest = model.picture[rows == row][:, cols == col]
            expected = nearest.mean(axis=(0, 1)) / 255
            np.testing.assert_allclose(told.views["Picture"][i].values[row, col], expected, atol=1e-6)


@pytest.mark.parametrize("i", STAGES)
def test_the_strongest_channel_is_shown_first(told, model, i):
    strength = np.abs(model.stages[i]).mean(axis=(1, 2))
    assert told.channels[i] == strength.argmax()
    np.testing.assert_allclose(told.views["Channel"][i].values, told.stages[i][told.channels[i]], atol=1e-6)


def test_ranges_are_the_percentiles_of_a_channel_a_stage_or_the_widest_stage(told):
    of_stages = [value_range(stage, signed=True) for stage in told.stages]
    for i in STAGES:
        of_channel = value_range(told.stages[i][told.channels[i]], signed=True)
        assert told.views["Channel"][i].range == pytest.approx(of_channel, rel=1e-5)
        assert told.views["Channel, per stage"][i].range == pytest.approx(of_stages[i], rel=1e-5)
        widest = max(of_stages, key=lambda bounds: bounds[1])
        assert told.views["Channel, all stages"][i].range == pytest.approx(widest, rel=1e-5)


@pytest.mark.parametrize(("title", "colours"), [("Energy", UNSIGNED), ("Channel", SIGNED), ("Disagreement", SIGNED)])
def test_the_colours_are_matplotlibs(told, title, colours):
    for shown in told.views[title]:
        low, high = shown.range
        table = apply_colormap(low + (np.arange(256) + 0.5) / 256 * (high - low), colours, low, high)
        step = np.clip((shown.values - low) / (high - low) * 256, 0, 255.99)
        away = np.abs(step - np.rint(step)) > 1e-3  # a value on the edge of two steps may fall to either side
        expected = table[step.astype(int)].astype(int)
        assert np.abs(shown.pixels[..., :3] - expected)[away].max() <= TABLE_ERROR
        assert (shown.pixels[..., 3] == 255).all()


def test_contributions_are_the_evidence_of_the_classes(told, model):
    np.testing.assert_allclose(told.contributions, model.contributions.ravel(), rtol=1e-4, atol=1e-6)
