"""What a stranger, a crowd or a bug may do to the page, as its visitor sees it."""

import re

import pytest
from holding import serve_held
from playwright.sync_api import expect
from test_page import expect_no_result, expect_result, explorer, open_page, row, upload

# What the browser refused because of the page's policy.
WATCH_POLICY = """
  window.violations = [];
  addEventListener('securitypolicyviolation', (event) => window.violations.push(
    `${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber} ${event.sample}`));
"""


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    with serve_held(tmp_path_factory.mktemp("held"), MAX_RUNS="1", MAX_WAITING="1") as demo:
        yield demo


def open_held(page, url):
    """Opens the page and waits until it has asked for the variant and the example of its address."""
    asked = []
    page.on("response", lambda response: asked.append(response) if "queue/join" in response.url else None)
    page.goto(url)
    while len(asked) < 2:
        page.wait_for_event("response")


def picture_is_there(page):
    return page.get_by_role("button", name="Remove Image")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_works_under_the_page_s_policy(page, offline_app, cat, scheme):
    page.emulate_media(color_scheme=scheme)
    page.add_init_script(WATCH_POLICY)
    open_page(page, offline_app)
    upload(page, cat)
    expect_result(page)
    explorer(page).locator("canvas:visible").first.hover()
    row(page, "s12").click()
    expect(page.get_by_text(re.compile("^s12 cannot be fetched"))).to_be_visible()
    with page.expect_download() as download:
        explorer(page).get_by_role("button", name=".npz", exact=True).click()
    assert download.value.path().stat().st_size > 10_000
    assert page.evaluate("violations") == []


@pytest.fixture
def stranger(browser):
    """A page whose console may show errors: the browser writes one for every answer of 400 or more."""
    page = browser.new_page()
    page.add_init_script(WATCH_POLICY)
    yield page
    page.close()


def test_gradio_s_own_panels_work_under_the_policy(stranger, offline_app):
    for button, content in (("Use via API", "/classify"), ("Settings", "Display Theme")):
        stranger.goto(offline_app)
        stranger.get_by_role("button", name=button).click()
        expect(stranger.get_by_text(content).first).to_be_visible()
        assert stranger.evaluate("violations") == []


def test_what_somebody_smuggles_into_the_page_does_not_run(stranger, offline_app):
    open_page(stranger, offline_app)
    stranger.evaluate("""() => {
      document.body.insertAdjacentHTML('beforeend', '<img src="nothing.png" onerror="window.hit = 1">');
      const script = document.createElement('script');
      script.textContent = 'window.hit = 2';
      document.body.append(script);
      fetch('https://evil.example/').catch(() => null);
    }""")
    stranger.wait_for_function("violations.length >= 3")
    assert stranger.evaluate("window.hit") is None
    directives = {violation.split()[0] for violation in stranger.evaluate("violations")}
    assert directives == {"script-src-attr", "script-src-elem", "connect-src"}


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>.jpg", "😀" * 3 + ".jpg", "c" * 200 + ".jpg", "{{7*7}}${7*7}.jpg"]
)
def test_a_file_name_is_text(page, offline_app, name):
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    open_page(page, offline_app)
    upload(page, {"name": name, "mimeType": "image/jpeg", "buffer": b"<html>"})
    message = page.get_by_role("status").filter(has_text="is no picture that can be opened")
    expect(message).to_be_visible()
    assert message.locator("img").count() == 0
    assert "49" not in message.inner_text()
    expect_no_result(page)


def test_an_unexpected_error_is_a_number_and_can_be_tried_again(page, held, cat):
    open_held(page, held.url)
    upload(page, cat)
    held.next_run().fail()
    expect(page.get_by_role("status").get_by_text(re.compile("with its number, [0-9a-f]{8}\\.$"))).to_be_visible()
    expect(picture_is_there(page)).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    held.next_run().go_on()
    expect_result(page)
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()


def test_a_full_queue_is_a_sentence_and_the_picture_stays(browser, stranger, held, cat):
    crowd = [browser.new_page() for _ in range(2)]
    for visitor in (*crowd, stranger):
        open_held(visitor, held.url)
    upload(crowd[0], cat)
    running = held.next_run()
    with crowd[1].expect_response(re.compile("queue/join")):
        upload(crowd[1], cat)
    row(stranger, "tiny").click()
    busy = stranger.get_by_role("status").get_by_text("Too many others are waiting just now")
    expect(busy).to_be_visible()
    expect(row(stranger, "twin")).to_be_checked()
    expect(row(stranger, "tiny")).not_to_have_attribute("data-pending", "true")
    with stranger.expect_response(re.compile("queue/join")) as refused:  # the message is there from before
        upload(stranger, cat)
    assert not refused.value.ok
    expect(stranger.get_by_role("button", name="Try again")).to_be_visible()
    expect(busy).to_be_visible()
    expect(picture_is_there(stranger)).to_be_visible()
    running.go_on()
    held.next_run().go_on()
    for visitor in crowd:
        expect_result(visitor)
        visitor.close()
    stranger.get_by_role("button", name="Try again").click()
    held.next_run().go_on()
    expect_result(stranger)


def test_closing_the_page_cancels_its_run(browser, held, cat):
    page = browser.new_page()
    open_held(page, held.url)
    upload(page, cat)
    run = held.next_run()
    page.close()
    run.wait_until_it_ends()
