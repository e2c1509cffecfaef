"""What the page does when something happens on it: each handler reads inputs, asks the service and returns values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from poolformer.errors import PoolFormerError
from poolformer.service import Classification, PoolFormerService, Run
from poolformer.ui.component import event_value
from poolformer.ui.failures import UnexpectedError, explained
from poolformer.ui.layout import Parts
from poolformer.ui.message import info, problem
from poolformer.ui.outcome import outcome_value
from poolformer.ui.variant_picker import picker_value
from poolformer.ui.visitors import Visitors
from poolformer.weights.variants import BUNDLED_NAME, VARIANTS

NO_PICTURE = "Choose a picture: upload one, take one with the webcam, paste one, or click an example."
Values = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Handlers:
    """The handlers of one page, whose components are `parts`. They keep nothing of any visitor.

    What goes wrong in them is a message where the page has its messages, and everything else stays as it was.
    """

    service: PoolFormerService
    parts: Parts
    visitors: Visitors = field(default_factory=Visitors)

    def run(self, path: str | None, name: str, notice: str, mark: str | None) -> Values:
        """The outcome of the picture at `path` through the variant, or of no picture; see `ui.outcome` for `mark`."""
        note = f"{notice} {variant_note(self.service, name)}".strip()
        if path is None:
            return outcome_value(mark, self.parts.labels, None, info(NO_PICTURE, note), None)
        try:
            with explained(), self.visitors.present() as left:
                result = self.service.run(path, name, left)
                dataset, example = self.service.variant(name).dataset, self.parts.examples.name_of(path)
                return outcome_value(
                    mark,
                    self.parts.labels,
                    label_scores(result.classification),
                    info(describe_run(result), " ".join([*result.classification.notes, note])),
                    self.parts.explorer.value_of(result, dataset, example),
                )
        except PoolFormerError as error:
            return outcome_value(mark, self.parts.labels, None, told(error), None)

    def pick(
        self, name: str, event: gr.EventData, _progress: gr.Progress = gr.Progress(track_tqdm=True)
    ) -> tuple[Values, str, Any, Any]:
        """The table, the variant in use, the notice and the message, after a row was picked while `name` was in use."""
        asked = str(event_value(event, "name"))
        if refusal := self._refusal(asked):
            return picker_value(self.service.variants(), name), name, gr.skip(), told(refusal)
        return picker_value(self.service.variants(), asked), asked, "", gr.skip()

    def greet(
        self, request: gr.Request, _progress: gr.Progress = gr.Progress(track_tqdm=True)
    ) -> tuple[Values, str, str, Values, str | None]:
        """What `pick` returns and the name of an example, for a new visitor: as the page's address says, if it can be.

        An address may hold anything: a variant that is not in the table is as good as none.
        """
        name, asked = self.service.default_variant(), request.query_params.get("variant")
        refusal = self._refusal(asked) if asked in self.service.names else None
        if asked in self.service.names and not refusal:
            name = asked
        greeting = told(refusal) if refusal else info(NO_PICTURE, variant_note(self.service, name))
        notice = str(refusal) if refusal else ""
        return picker_value(self.service.variants(), name), name, notice, greeting, request.query_params.get("example")

    def open_example(self, path: str | None, name: str | None) -> Any:
        """The picture: the example of that name, unless there is none or the visitor already chose a picture."""
        return (None if path else self.parts.examples.linked(name)) or gr.skip()

    def export(self, path: str | None, name: str, event: gr.EventData) -> tuple[Any, Any]:
        """The download and the message: the activations as a file, or why there are none."""
        file_format = str(event_value(event, "format"))
        if path is None:
            return gr.skip(), problem(NO_PICTURE)
        try:
            with explained(), self.visitors.present() as left:
                content = self.service.export(path, name, file_format, left)
                return self.parts.download.value_of(content, f"poolformer-{name}-stages.{file_format}"), gr.skip()
        except PoolFormerError as error:
            return gr.skip(), told(error)

    def _refusal(self, name: str) -> PoolFormerError | None:
        """Why the variant cannot be used; None once it is loaded, after a fetch if need be."""
        try:
            with explained(), self.visitors.present() as left:
                self.service.prepare(name, left)
        except PoolFormerError as error:
            return error
        return None


def told(error: PoolFormerError) -> Values:
    """The message that says what went wrong; what nobody expected may go well the next time."""
    return problem(str(error), again=isinstance(error, UnexpectedError))


def label_scores(result: Classification) -> dict[str | float, float]:
    """The predictions as gr.Label takes them; a label that two classes share is told apart by its rank."""
    names = [prediction.label for prediction in result.predictions]
    return {
        name if names.count(name) == 1 else f"{name} ({rank})": prediction.score
        for rank, (name, prediction) in enumerate(zip(names, result.predictions, strict=True), start=1)
    }


def describe_run(result: Run) -> str:
    """The variant, the size of what it saw, and how long the forward pass took, with how many other pictures."""
    height_px, width_px = result.picture.shape[:2]
    run = result.classification
    company = f" for {run.batch_size} pictures at once" if run.batch_size > 1 else ""
    return f"{run.variant} · {width_px} × {height_px} pixels · forward pass {run.forward_ms:.0f} ms{company}"


def variant_note(service: PoolFormerService, name: str) -> str:
    """What a visitor has to know about the chosen variant before believing it."""
    facts = service.variant(name)
    if name in VARIANTS:
        return f"{name} knows the 1,000 classes of {facts.dataset}."
    labels = facts.config().labels
    if name != BUNDLED_NAME:
        return f"{name} is your own checkpoint; it knows {len(labels)} classes: {', '.join(labels[:20])}."
    return (
        f"{name} is bundled and small: trained by this project on {facts.dataset} ({facts.input_size_px} × "
        f"{facts.input_size_px} pixels), {facts.top1_percent:.1f}% on its test split. It knows only "
        f"{', '.join(labels)}, and answers with one of them whatever the picture shows. "
        "It is not an ImageNet model; s12 to m48 are."
    )
