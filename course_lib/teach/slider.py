"""One parameter, one picture, one number: a slider over a plain drawing function.

An executed widget stores no picture, so a chapter first shows the same function at one or two settings.
"""

import os
import time
from collections.abc import Callable, Hashable, Sequence

from ipywidgets import HTML, Image, Layout, SelectionSlider, VBox

from ..errors import CourseError
from .picture import Picture

Draw = Callable[[Hashable], Picture]
PATIENCE = 0.3  # seconds that a learner waits for a picture
SLACK = 5  # times as long is too long: of computing, so that a busy machine does not matter


class Slider(VBox):
    """A picture that follows a slider. `draw` is called once for each setting, when it is first chosen."""

    def __init__(self, label: str, draw: Draw, settings: Sequence[Hashable], start: Hashable):
        self._draw, self._drawn, self._settings = draw, {}, list(settings)
        self.slider = SelectionSlider(
            options=list(settings), value=start, description=label, continuous_update=False,
            style={"description_width": "initial"}, layout=Layout(width="32em"),
        )  # fmt: skip
        self.image, self.words = Image(format="png", layout=Layout(max_width="100%")), HTML()
        self.slider.observe(lambda change: self.show(change["new"]), names="value")
        self.show(start)
        super().__init__([self.slider, self.image, self.words], layout=Layout(align_items="flex-start"))

    def show(self, setting: Hashable) -> None:
        """Draw a setting; the words below the picture say what is to be seen."""
        if setting not in self._drawn:
            picture = self._draw(setting)
            self._drawn[setting] = picture.png(), picture.alt
        self.image.value, self.words.value = self._drawn[setting]

    def try_out(self) -> None:
        """Draw the first, middle and last setting. Raises `CourseError` where nothing changes or a draw takes long."""
        tried = {self._settings[i]: None for i in (0, len(self._settings) // 2, -1)}
        for setting in tried:
            began = time.process_time()
            self.show(setting)
            if (seconds := time.process_time() - began) > SLACK * PATIENCE:
                wanted = f"about {PATIENCE} s a setting"
                raise CourseError("slider", wanted, f"{seconds:.1f} s at {setting}", "compute before, draw here")
        for what, values in zip(("picture", "text alternative"), zip(*(self._drawn[setting] for setting in tried))):
            if len(set(values)) < len(tried):
                raise CourseError("slider", f"another {what} at each of {list(tried)}", "the same one twice")
        self.show(self.slider.value)


def slider(label: str, draw: Draw, settings: Sequence[Hashable], start: Hashable | None = None) -> Slider:
    """A slider over `settings`; it begins in the middle unless `start` says otherwise.

    With COURSE_STRICT, as the course's own chapters are run, it is tried out: nobody moves it there.
    """
    made = Slider(label, draw, settings, settings[len(settings) // 2] if start is None else start)
    if os.environ.get("COURSE_STRICT"):
        made.try_out()
    return made
