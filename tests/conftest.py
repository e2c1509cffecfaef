"""Servers that several test files share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import HubServer, join_fetches, local_network
from serving import free_port, serve_app

pytest_plugins = ["chromium"]  # not a conftest.py of its own: pytest cannot collect doctests from two of that name

EXAMPLES = Path(__file__).parents[1] / "assets" / "examples"


@pytest.fixture
def cat() -> Path:
    """A picture that tiny and every decoder can read."""
    return EXAMPLES / "cat.jpg"


@pytest.fixture
def quick_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine's network alone, and no pauses between two tries."""
    monkeypatch.setattr("poolformer.weights.transfer.PAUSES_S", (0.0, 0.0))
    with local_network():
        yield


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """An empty Hub, asked until the last fetch has ended."""
    with HubServer() as server:
        yield server
    join_fetches()


@pytest.fixture(scope="session")
def offline_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo on a machine without network and with an empty cache: nothing listens where its Hub should be."""
    with serve_app(tmp_path_factory.mktemp("offline"), f"http://127.0.0.1:{free_port()}") as url:
        yield url


@pytest.fixture(scope="session")
def online_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """A Hub with two variants: the network of s12 as `transformers` saves it, with random weights, under both names."""
    import torch  # here, because few tests need this fixture and importing the two takes seconds
    import transformers

    checkpoint = tmp_path_factory.mktemp("s12")
    torch.manual_seed(0)
    names = {i: f"thing {i}" for i in range(1000)}
    config = transformers.PoolFormerConfig(id2label=names, label2id={name: i for i, name in names.items()})
    transformers.PoolFormerForImageClassification(config).save_pretrained(checkpoint)
    with HubServer() as hub:
        hub.publish("sail/poolformer_s12", checkpoint)
        hub.publish("sail/poolformer_s24", checkpoint)
        yield hub


@pytest.fixture(scope="session")
def online_app(online_hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo with that Hub and an empty cache."""
    with serve_app(tmp_path_factory.mktemp("online"), online_hub.endpoint) as url:
        yield url
