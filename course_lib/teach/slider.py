"""One parameter, one picture, one number: a slider over a plain drawing function.

An executed widget stores no picture, so a chapter first shows the same function at one or two settings.
"""

from collections.abc import Callable, Hashable, Sequence

from ipywidgets import HTML, Image, Layout, SelectionSlider, VBox

from .picture import Picture

Draw = Callable[[Hashable], Picture]


class Slider(VBox):
    """A picture that follows a slider. `draw` is called once for each setting, when it is first chosen."""

    def __init__(self, label: str, draw: Draw, settings: Sequence[Hashable], start: Hashable):
        self._draw, self._drawn = draw, {}
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


def slider(label: str, draw: Draw, settings: Sequence[Hashable], start: Hashable | None = None) -> Slider:
    """A slider over `settings`; it begins in the middle unless `start` says otherwise."""
    return Slider(label, draw, settings, settings[len(settings) // 2] if start is None else start)
