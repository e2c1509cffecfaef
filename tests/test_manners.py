"""The demo as a stranger would attack it, over HTTP against a process of its own."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest
from gradio_client import Client, handle_file
from gradio_client.utils import QueueError
from held_app import SECRET
from holding import PATIENCE_S, serve_held
from PIL import Image
from serving import ROOT

from poolformer.ui.settings import MAX_BODY_BYTES, MAX_UPLOAD_BYTES

API = "gradio_api"


class Visitor:
    """Somebody who speaks HTTP with the demo."""

    def __init__(self, url: str) -> None:
        self.http = httpx2.Client(base_url=url, timeout=PATIENCE_S)

    def upload(self, path: Path, name: str | None = None) -> str:
        with path.open("rb") as file:
            answer = self.http.post(f"{API}/upload", files={"files": (name or path.name, file)})
        return answer.raise_for_status().json()[0]

    def ask(self, endpoint: str, *inputs: object) -> str:
        """The event in which the answer will come."""
        answer = self.http.post(f"{API}/call/{endpoint}", json={"data": list(inputs)})
        return answer.raise_for_status().json()["event_id"]

    def answer(self, endpoint: str, event: str) -> tuple[str, object]:
        """ "complete" or "error", and the data."""
        deadline = time.monotonic() + PATIENCE_S  # Gradio's signs of life would keep this waiting for ever.
        with self.stream(f"{API}/call/{endpoint}/{event}") as lines:
            for line in lines:
                assert time.monotonic() < deadline
                if line in ("event: complete", "event: error"):
                    return line.removeprefix("event: "), json.loads(next(lines).removeprefix("data: "))
        raise AssertionError("the stream ended without an answer")

    def call(self, endpoint: str, *inputs: object) -> tuple[str, object]:
        return self.answer(endpoint, self.ask(endpoint, *inputs))

    @contextmanager
    def stream(self, path: str) -> Iterator[Iterator[str]]:
        """The lines of an answer that comes bit by bit; whoever leaves the context closes the connection."""
        with self.http.stream("GET", path) as response:
            yield response.raise_for_status().iter_lines()


def file(path: str, **more: object) -> dict[str, object]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}


@pytest.fixture
def visitor(offline_app) -> Iterator[Visitor]:
    visitor = Visitor(offline_app)
    with visitor.http:
        yield visitor


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    with serve_held(tmp_path_factory.mktemp("held"), MAX_RUNS="2", MAX_WAITING="2") as demo:
        yield demo


@pytest.fixture
def caller(held) -> Iterator[Visitor]:
    caller = Visitor(held.url)
    with caller.http:
        yield caller


# What cannot be asked


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../../../../../etc/passwd",
        "..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd",
        "//etc/passwd",
        "README.md",
        str(ROOT / "app.py"),
        "/proc/self/environ",
        "file:///etc/passwd",
        "http://127.0.0.1:9/",
        "http:/127.0.0.1:9/",
        "https://example.com/picture.jpg",
        "%68ttp://127.0.0.1:9/",
    ],
)
def test_no_file_but_those_of_visitors_is_given_out(visitor, path):
    answer = visitor.http.get(f"{API}/file={path}", follow_redirects=False)
    assert answer.status_code in (403, 404)
    assert "root:" not in answer.text


def test_the_folders_of_visitors_are_not_listed(visitor, cat):
    path = Path(visitor.upload(cat))
    assert visitor.http.get(f"{API}/file={path}").content == cat.read_bytes()
    for folder in (path.parent, path.parents[1], f"{path}/../..", f"{path}/../../../../etc/passwd"):
        assert visitor.http.get(f"{API}/file={folder}").status_code in (403, 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "proxy=http://127.0.0.1:9/"),
        ("GET", "proxy=https://example.hf.space/"),
        ("GET", "deep_link?session_hash=a"),
        ("GET", "dev/reload"),
        ("GET", "runs"),
        ("GET", "run-history/records"),
        ("GET", "custom_component/a/client/component/index.js"),
        ("GET", "stream/a/b/1/playlist.m3u8"),
        ("GET", "vibe-code"),
        ("GET", "mcp/"),
        ("GET", "../monitoring"),
        ("GET", "../docs"),
        ("POST", "../login"),
        ("POST", "component_server"),
        ("POST", "process_recording"),
        ("POST", "vibe-edit"),
        ("POST", "run/classify"),
        ("POST", "api/classify"),
        ("POST", "call/run"),
        ("POST", "call/pick"),
        ("POST", "call/v2/run"),
    ],
)
def test_what_neither_page_nor_api_needs_is_not_there(visitor, method, path):
    answer = visitor.http.request(method, f"{API}/{path}", json={} if method == "POST" else None)
    assert answer.status_code == 404
    assert answer.json() == {"detail": "There is nothing at this address."}


@pytest.mark.parametrize("query", ["", "?all_endpoints=true"])
def test_the_events_of_the_page_are_not_in_the_api(visitor, query):
    info = visitor.http.get(f"{API}/info{query}").json()
    assert set(info["named_endpoints"]) == {"/classify", "/inspect", "/stages"}
    assert info["unnamed_endpoints"] == {}


def test_nothing_is_recorded(visitor):
    config = visitor.http.get("config").json()
    assert not config["analytics_enabled"]
    assert not config["dev_mode"]
    assert config["footer_links"] == ["api", "settings"]  # no runs
    for path in ("monitoring", "monitoring/summary", f"{API}/runs"):
        assert visitor.http.get(path).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../../../etc/passwd",
        "http://127.0.0.1:9/picture.jpg",
        "https://example.com/picture.jpg",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "\0",
        "",
        str(ROOT / "assets" / "examples" / "cat.jpg"),
    ],
)
def test_a_picture_that_was_not_uploaded_is_refused(visitor, path):
    for inputs in ([file(path), "tiny"], [file(path, is_stream=True), "tiny"], [None, {"deep": [file(path)]}]):
        outcome, told = visitor.call("classify", *inputs)
        assert outcome == "error"
        assert told["error"].startswith("This is no file that was uploaded here; upload the picture")


def test_a_path_that_climbs_out_of_an_upload_is_refused(visitor, cat):
    outcome, told = visitor.call("classify", file(visitor.upload(cat) + "/../../../../../../../etc/passwd"), "tiny")
    assert outcome == "error"
    assert told["error"].startswith("This is no file that was uploaded here")


@pytest.mark.parametrize("inputs", [[], ["cat.jpg", "tiny"], [3, "tiny"], [{"path": 3}, "tiny"], [[[]], "tiny"]])
def test_inputs_of_another_kind_are_a_sentence(visitor, inputs):
    outcome, told = visitor.call("classify", *inputs)
    assert outcome == "error"
    assert told["error"].startswith("The inputs are not those that this endpoint takes")


def test_an_upload_lies_where_only_those_find_it_who_were_told(visitor, cat):
    path = Path(visitor.upload(cat))
    assert len(path.parent.name) == 64
    guesses = visitor.http.get(f"{API}/file={path.parent.parent}/{'0' * 64}/{path.name}")
    assert guesses.status_code == 403
    # Whoever was told the path may use it: it is the ticket, and there is no other.
    with Visitor(str(visitor.http.base_url)).http as other:
        assert other.get(f"{API}/file={path}").status_code == 200


def test_requests_that_are_too_large_are_refused(visitor):
    large = {"data": ["x" * MAX_BODY_BYTES]}

    def in_pieces():
        for _ in range(3):
            yield bytes(MAX_BODY_BYTES // 2)

    for answer in (
        visitor.http.post(f"{API}/queue/join", json=large),
        visitor.http.post(f"{API}/queue/join", content=in_pieces(), headers={"Content-Type": "application/json"}),
        visitor.http.post(f"{API}/upload", files={"files": bytes(MAX_UPLOAD_BYTES + 1)}),
        visitor.http.post(f"{API}/upload", files=[("files", bytes(MAX_UPLOAD_BYTES // 2))] * 3),
    ):
        assert answer.status_code == 413


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost.evil.example", "null"])
def test_pages_of_another_origin_cannot_use_a_demo_on_localhost(visitor, origin):
    answer = visitor.http.post(f"{API}/call/classify", json={"data": [None, "tiny"]}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in visitor.http.options(f"{API}/upload", headers=asked).headers


@pytest.mark.parametrize("host", ["demo.example", "demo.example, 127.0.0.1:7860"])
def test_a_demo_behind_a_proxy_is_not_on_localhost(visitor, host):
    headers = {"Origin": "https://demo.example", "X-Forwarded-Host": host}
    assert visitor.http.get("config", headers=headers).status_code == 200


def test_the_page_itself_may_use_it(visitor):
    answer = visitor.http.get("config", headers={"Origin": str(visitor.http.base_url).rstrip("/")})
    assert answer.status_code == 200


# What every response says


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("", 200),
        ("config", 200),
        ("theme.css", 200),
        (f"{API}/info", 200),
        (f"{API}/queue/data", 422),
        (f"{API}/file=/etc/passwd", 403),
        ("nothing", 404),
        ("static/nothing.js", 404),
    ],
)
def test_every_response_has_the_headers(visitor, path, status):
    answer = visitor.http.get(path)
    assert answer.status_code == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    policy = dict(part.split(maxsplit=1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    if path:
        assert policy == {"default-src": "'none'", "frame-ancestors": "'none'"}
    else:
        assert policy["frame-ancestors"] == "'self' https://huggingface.co"
        del policy["frame-ancestors"]
        assert not re.search(r"http|\*", " ".join(policy.values()))
        assert "'unsafe-inline'" not in policy["script-src"]


def test_an_upload_is_never_a_page(visitor, tmp_path):
    (tmp_path / "page.html").write_text("<script>alert(1)</script>")
    for name in ("page.html", "page.svg", "page.js", "page.xml"):
        answer = visitor.http.get(f"{API}/file={visitor.upload(tmp_path / 'page.html', name)}")
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


# Pictures, as far as the way to the decoder goes


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=alert(1)>.jpg",
        "😀🐈.jpg",
        "c" * 300 + ".jpg",
        "../../../../tmp/cat.jpg",
        "..\\..\\cat.jpg",
        "%2e%2e%2fcat.jpg",
        "cat.jpg\r\nX: y",
        ".",
        "",
        "con.jpg",
        "-rf *.jpg",
        "$(reboot).jpg",
        "{{7*7}}${7*7}.jpg",
    ],
)
def test_a_file_name_goes_nowhere(visitor, cat, name):
    path = Path(visitor.upload(cat, name))
    assert path.read_bytes() == cat.read_bytes()
    assert path.resolve() == path
    assert path.parents[1] == Path(visitor.upload(cat)).parents[1]
    outcome, data = visitor.call("classify", file(str(path)), "tiny")
    assert outcome == "complete"
    assert len(data[0]["predictions"]) == 5


def test_a_file_name_that_is_a_folder_is_refused(visitor, cat):
    with pytest.raises(httpx2.HTTPStatusError, match="400"):
        visitor.upload(cat, "..")


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1)])
def test_the_thinnest_pictures_are_classified(visitor, tmp_path, size):
    Image.new("RGB", size, "orange").save(tmp_path / "thin.png")
    outcome, data = visitor.call("classify", file(visitor.upload(tmp_path / "thin.png")), "tiny")
    assert outcome == "complete"
    assert len(data[0]["predictions"]) == 5


def test_no_picture_is_a_sentence(visitor):
    assert visitor.call("classify", None, "tiny")[1]["error"] == "There is no picture; send one as `image`."


# What nobody expects


def test_an_unexpected_error_is_a_number_that_is_in_the_log(held, caller, cat):
    event = caller.ask("stages", file(caller.upload(cat)), "tiny")
    held.next_run().fail()
    outcome, told = caller.answer("stages", event)
    assert outcome == "error"
    number = re.fullmatch(r"Something went wrong here .* with its number, ([0-9a-f]{8})\.", told["error"]).group(1)
    log = held.served.log.read_text()
    line, traceback = log[log.index(f"failure {number}") :].split("\n", 1)
    assert traceback.startswith("Traceback (most recent call last):")
    assert f"RuntimeError: {SECRET}" in traceback
    assert SECRET not in json.dumps(told) + line
    event = caller.ask("stages", file(caller.upload(cat)), "tiny")
    held.next_run().go_on()
    assert caller.answer("stages", event)[0] == "complete"


def test_a_request_that_gradio_stumbles_over_is_a_number(held, caller):
    asked = {"data": [], "fn_index": 10**6, "session_hash": "a"}
    answer = caller.http.post(f"{API}/queue/join", json=asked)
    assert answer.status_code == 500
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    number = re.search(r"with its number, ([0-9a-f]{8})\.$", answer.json()["detail"]).group(1)
    assert f"failure {number}\nTraceback" in held.served.log.read_text()


# Who waits


def test_a_full_queue_says_so_at_once(held, caller, cat):
    picture = file(caller.upload(cat))
    events = [caller.ask("stages", picture, "tiny") for _ in range(2)]
    runs = [held.next_run() for _ in events]
    events += [caller.ask("stages", picture, "tiny") for _ in range(2)]
    refused = caller.http.post(f"{API}/call/stages", json={"data": [picture, "tiny"]})
    assert refused.status_code == 503
    assert "Queue is full" in refused.json()["detail"]
    client = Client(held.url, verbose=False)
    with pytest.raises(QueueError, match="Queue is full! Please try again"):
        client.predict(image=None, variant="tiny", api_name="/classify")
    for run in runs:
        run.go_on()
    for _ in range(2):
        held.next_run().go_on()
    assert [caller.answer("stages", event)[0] for event in events] == ["complete"] * 4


def test_the_work_of_a_visitor_who_leaves_is_cancelled_and_what_he_waits_for_never_starts(held, caller, cat):
    picture = file(caller.upload(cat))
    stages = next(f["id"] for f in caller.http.get("config").json()["dependencies"] if f["api_name"] == "stages")
    runs = []
    with Visitor(held.url).http as leaver:
        for begins in (True, True, False):
            asked = {"data": [picture, "tiny"], "fn_index": stages, "session_hash": "leaver"}
            leaver.post(f"{API}/queue/join", json=asked).raise_for_status()
            if begins:
                runs.append(held.next_run())
        with leaver.stream("GET", f"{API}/queue/data?session_hash=leaver") as answers:
            next(answers.iter_lines())
            event = caller.ask("stages", picture, "tiny")
    for run in runs:
        run.wait_until_it_ends()
    held.next_run().go_on()  # the other visitor's
    assert caller.answer("stages", event)[0] == "complete"
    assert not held.has_another_run()


def test_a_page_that_is_closed_before_it_waits_for_an_answer_is_noticed_too(held, caller, cat):
    asked = {"data": [file(caller.upload(cat)), "tiny"], "session_hash": "closed"}
    asked["fn_index"] = next(
        f["id"] for f in caller.http.get("config").json()["dependencies"] if f["api_name"] == "stages"
    )
    with caller.stream(f"{API}/heartbeat/closed") as heart:
        next(heart)
        caller.http.post(f"{API}/queue/join", json=asked).raise_for_status()
        run = held.next_run()
    run.wait_until_it_ends()
    caller.http.post(f"{API}/queue/join", json=asked).raise_for_status()  # on its way when the page was closed
    event = caller.ask("stages", asked["data"][0], "tiny")
    held.next_run().go_on()
    assert caller.answer("stages", event)[0] == "complete"
    assert not held.has_another_run()


def test_who_closes_one_of_two_requests_gets_the_other(held, caller, cat):
    picture = file(caller.upload(cat))
    with caller.stream(f"{API}/call/stages/{caller.ask('stages', picture, 'tiny')}"):
        closed = held.next_run()
        event = caller.ask("stages", picture, "tiny")
        other = held.next_run()
    closed.wait_until_it_ends()
    other.go_on()
    assert caller.answer("stages", event)[0] == "complete"


def test_who_cancels_one_of_two_jobs_gets_the_other(held, cat):
    client = Client(held.url, verbose=False)
    jobs, runs = [], []
    for _ in range(2):
        jobs.append(client.submit(image=handle_file(str(cat)), variant="tiny", api_name="/stages"))
        runs.append(held.next_run())
    jobs[0].cancel()
    runs[0].wait_until_it_ends()
    runs[1].go_on()
    assert jobs[1].result(timeout=PATIENCE_S)[0]["variant"] == "tiny"


# How it ends


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_that_runs_gets_its_answer_and_then_the_process_ends(tmp_path, cat, number):
    with serve_held(tmp_path) as demo, ExitStack() as hearts:
        visitor = Visitor(demo.url)
        picture = file(visitor.upload(cat))
        event = visitor.ask("stages", picture, "tiny")
        run, answers = demo.next_run(), []
        waiting = threading.Thread(target=lambda: answers.append(visitor.answer("stages", event)))
        waiting.start()
        next(hearts.enter_context(visitor.stream(f"{API}/heartbeat/visitor")))  # an open page
        demo.served.process.send_signal(number)
        run.go_on()
        waiting.join()
        assert demo.served.process.wait(timeout=10) == 128 + number
        assert answers[0][0] == "complete"
        assert "Traceback" not in demo.served.log.read_text()


def test_a_request_that_does_not_end_is_cancelled_and_the_process_ends_all_the_same(tmp_path, cat):
    with serve_held(tmp_path) as demo:
        visitor = Visitor(demo.url)
        event = visitor.ask("stages", file(visitor.upload(cat)), "tiny")
        run = demo.next_run()
        with visitor.stream(f"{API}/call/stages/{event}"):
            demo.served.process.terminate()
            assert demo.served.process.wait(timeout=10) == 128 + signal.SIGTERM
        run.wait_until_it_ends()
        assert "Traceback" not in demo.served.log.read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--dtype", "float8"], "There is no number type 'float8'; choose float32 or bfloat16."),
        (["--device", "toaster"], "The device 'toaster' cannot be used"),
        (["--checkpoint", "nowhere"], "There is no folder"),
    ],
)
def test_options_that_cannot_be_had_are_one_sentence(arguments, sentence):
    result = subprocess.run([sys.executable, "app.py", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("app.py: ")
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1
