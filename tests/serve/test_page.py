"""The page to try a model, in a real browser: each kind of input, each kind of answer, both widths, no other server."""

from __future__ import annotations

import base64
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import pytest
from serve.conftest import STORED, TOKEN, Halving, open_stored

from dlcli.answering.opening import Opened
from dlcli.data.annotated.masks import from_pixels
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Source, by_shape
from dlcli.data.images.sources import ImageValues, read_pixels
from dlcli.serve.options import ServeOptions
from dlcli.serve.plan import plan_of
from dlcli.serve.running import Hooks, Running, address_of, open_socket

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium")]

RED, GREEN = (230, 25, 75), (60, 180, 75)  # of the first two classes
DISC = np.fromfunction(lambda row, column: (row - 50) ** 2 + (column - 150) ** 2 < 900, (100, 200))


class Finding:
    """A codec that finds the same box and the same disc in every image; with `paints`, it answers with a picture."""

    fields: tuple[str, ...] = ("label", "score", "box")
    listed: str | None = "objects"
    values = ImageValues()

    def __init__(self, *, paints: bool = False) -> None:
        self.labels = ("cat", "<b>dog</b>")
        self.paints = paints
        if paints:
            self.fields, self.listed = ("width",), None

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        return iter(())

    def encode(self, source: Source) -> Encoded:
        return Encoded(source, {"images": read_pixels(source)})

    def batches(self, items: Sequence[Encoded]) -> Batches:
        return by_shape(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        if self.paints:
            return [Answer({"width": 200}, np.full((100, 200, 3), GREEN, np.uint8)) for _ in items]
        mask = from_pixels(DISC)
        objects = [
            {"label": "cat", "score": 0.9, "box": [20.0, 40.0, 60.0, 80.0]},
            {"label": "<b>dog</b>", "score": 0.8, "box": [120.0, 20.0, 180.0, 80.0], "mask": mask},
        ]
        return [Answer({"width": 200, "height": 100, "objects": objects}) for _ in items]

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        return read_pixels(source)


class Nothing:
    """A model that says nothing."""

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        return {}


def opens(target: str) -> Opened:
    if target in ("find", "paint"):
        return Opened(target, Finding(paints=target == "paint"), Nothing())
    return Opened("halving", Halving(), Halving()) if target == "toy" else open_stored(target)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a server with a model of each kind."""
    kinds = ("classification", "sentiment", "regression", "table-classification")
    words = [f"{kind}={STORED / kind / 'model.onnx'}" for kind in kinds]
    yield from _serve(ServeOptions(port=0), ["find", "paint", *words])


@pytest.fixture
def guarded() -> Iterator[str]:
    """The address of a server that wants a token."""
    yield from _serve(ServeOptions(port=0, token=TOKEN), ["toy"])


def _serve(options: ServeOptions, words: Sequence[str]) -> Iterator[str]:
    ready = threading.Event()
    running = Running(options, plan_of(words, None, None), opens, Hooks(ready.set, print, print))
    listener = open_socket(options)
    thread = threading.Thread(target=running.serve, args=(listener,), kwargs={"is_worker": True})
    thread.start()
    assert ready.wait(60)
    yield address_of(listener, options)
    running.stop()
    thread.join(60)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=BROWSER, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["desk", "phone"])
def page(request: pytest.FixtureRequest, browser: Any, url: str) -> Iterator[Any]:
    """The page, at a width and in a scheme; its errors, and requests to other servers, are faults of the test."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    opened, faults = context.new_page(), []
    opened.set_default_timeout(120_000)
    opened.on("console", lambda message: faults.append(message.text) if _is_fault(message) else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "request", lambda asked: None if asked.url.startswith((url, "data:", "blob:")) else faults.append(asked.url)
    )
    opened.goto(url)
    opened.wait_for_selector("#form:not([hidden])")
    yield opened
    assert opened.evaluate("document.documentElement.scrollWidth") <= width  # nothing is cut off
    context.close()
    assert faults == []


def _is_fault(message: Any) -> bool:
    """Return whether the console has an error, other than that an answer's status says that an input was none."""
    return message.type == "error" and "status of 422" not in message.text


def upload(page: Any, height: int = 100, width: int = 200) -> None:
    data = cv2.imencode(".png", np.full((height, width, 3), 128, np.uint8))[1].tobytes()
    page.set_input_files("#file", {"name": "x.png", "mimeType": "image/png", "buffer": data})
    page.wait_for_selector("#answer:not([hidden])")
    page.wait_for_function("document.getElementById('status').textContent.startsWith('answered')")


def pixels(page: Any) -> np.ndarray:
    """Return what is drawn, (H, W, 3) uint8 RGB."""
    text = page.evaluate("document.getElementById('canvas').toDataURL('image/png')")
    data = np.frombuffer(base64.b64decode(text.partition(",")[2]), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1].astype(int)


def test_boxes_and_masks_are_drawn_where_they_are(page: Any) -> None:
    page.select_option("#model", "find@1")
    upload(page)
    drawn = pixels(page)
    assert drawn.shape == (100, 200, 3)
    assert tuple(drawn[60, 20]) == RED == tuple(drawn[79, 40])  # the sides of the box
    assert tuple(drawn[60, 40]) == (128, 128, 128)  # inside of it
    mixed = np.array([round((128 + value) / 2) for value in GREEN])
    inside = np.abs(drawn - mixed).max(axis=2) <= 2
    clear = np.zeros((100, 200), bool)
    clear[26:78, 123:178] = True  # of the box and its label
    assert (inside == DISC)[clear].mean() > 0.99
    assert page.locator("#result tr").count() == 3
    assert "<b>dog</b>" in page.inner_text("#result")  # a name is text, whatever it holds
    assert '"size"' in page.text_content("#json")


def test_a_picture_that_is_the_answer_is_shown(page: Any) -> None:
    page.select_option("#model", "paint@1")
    upload(page)
    assert (pixels(page) == GREEN).all()
    assert "base64" in page.text_content("#json")


def test_probabilities_are_bars(page: Any) -> None:
    page.select_option("#model", "classification@1")
    upload(page, 8, 8)
    shown = page.inner_text("#result .number")
    width = page.get_attribute("#result rect", "width")
    assert shown == f"{float(width):.1f} %"
    assert page.evaluate("document.getElementById('canvas').width") == 256  # an icon, enlarged


def test_a_sentence_is_typed_and_an_empty_one_is_refused_with_the_reason(page: Any) -> None:
    page.select_option("#model", "sentiment@1")
    page.fill("#text", "so fine")
    page.click("#send")
    page.wait_for_selector("#result .bars")
    page.fill("#text", " ")
    page.press("#text", "Control+Enter")
    page.wait_for_selector("#status.bad")
    assert page.inner_text("#status") == "an empty text"
    assert page.is_hidden("#answer")


@pytest.mark.parametrize("kind", ["regression", "table-classification"])
def test_a_row_is_filled_in_field_by_field(page: Any, kind: str) -> None:
    page.select_option("#model", f"{kind}@1")
    names = page.eval_on_selector_all("[data-name]", "all => all.map((each) => each.dataset.name)")
    assert names
    for name in names:
        place = page.locator(f"[data-name={name}]")
        if place.evaluate("each => each.tagName") == "INPUT":
            place.fill("3")
    page.click("#send")
    page.wait_for_selector("#result .bars" if kind == "table-classification" else "#result td")


def test_with_a_token_the_page_asks_for_it(browser: Any, guarded: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(guarded)
    page.wait_for_selector("#token-form:not([hidden])")
    assert page.is_hidden("#form")
    page.fill("#token", "wrong")
    page.press("#token", "Enter")
    page.wait_for_selector("#status.bad")
    page.fill("#token", TOKEN)
    page.press("#token", "Enter")
    page.fill("#text", "7")
    page.click("#send")
    page.wait_for_selector("#result td")
    assert page.inner_text("#result td") == "3.5"
    assert TOKEN not in page.content()
    context.close()
