"""The paper that figures are drawn on: sizes, colours, one slice as a plane, panels, colour bars."""

from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine
from torch import Tensor

from ..errors import CourseError, ShapeError

DPI = 100
WIDTH = 9.6  # inches: a notebook's column
PANEL = 2.2  # inches: the widest panel
SIZE = {"title": 10, "text": 9}  # points
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#000000", "#CC79A7", "#56B4E9", "#E69F00")  # Okabe & Ito
STYLES = ("-", "--", "-.", ":")
Window = tuple[float | int, float | int]  # black, white
Box = tuple[int, int, int, int]  # first row, first column, rows, columns


class Picture(Figure):
    """A figure that a notebook shows as PNG of at most 100 dpi; `alt` says in words what is to be seen."""

    alt: str = ""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        return {"image/png": self.png(), "text/plain": self.alt}, {"image/png": {"alt": self.alt}}

    def png(self) -> bytes:
        """The file that a notebook shows. 256 colours, within 2 % of those drawn, keep a chapter's file small."""
        from PIL import Image  # comes with matplotlib

        drawn, small = BytesIO(), BytesIO()
        self.savefig(drawn, dpi=DPI, bbox_inches="tight", pad_inches=0.04)
        few = Image.open(drawn).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(small, format="png", optimize=True)
        return small.getvalue()

    def saying(self, what: str) -> "Picture":
        """The same picture, its text alternative begun with `what` is to be seen."""
        self.alt = f"{what} {self.alt}".strip()
        return self


def plane(x: Tensor, flip: bool) -> Tensor:
    """The one slice in `x`, (height, width), on the CPU. Raises ShapeError if there are more."""
    if x.ndim < 2 or x.shape[:-2].numel() != 1:
        raise ShapeError("a figure shows one slice", "(1, height, width)", f"{tuple(x.shape)}", "pick one, as x[:1]")
    x = x.detach().reshape(x.shape[-2:]).cpu().resolve_conj()
    return x.flip(0) if flip else x


def part(x: Tensor, box: Box) -> Tensor:
    """The rows and columns of a box (first row, first column, rows, columns) of (height, width)."""
    row, column, rows, columns = box
    if min(box) < 0 or 0 in (rows, columns) or row + rows > x.shape[0] or column + columns > x.shape[1]:
        raise CourseError(
            "zoom", f"a box inside {tuple(x.shape)}", f"{box}", "(first row, first column, rows, columns)"
        )
    return x[row : row + rows, column : column + columns]


def same_size(panels: dict[str, Tensor]) -> None:
    """Raise ShapeError unless all panels have one size."""
    if len({x.shape for x in panels.values()}) != 1:
        found = ", ".join(f"{name} {tuple(x.shape)}" for name, x in panels.items()) or "nothing"
        raise ShapeError("panels of one figure differ in size", "one (height, width)", found)


def grid(rows: int, columns: int, aspect: float, spare: float) -> tuple[Picture, list[list[Axes]]]:
    """Empty panels without ticks; `spare` inches of height are left for texts."""
    panel = min(PANEL, (WIDTH - 0.9) / columns)
    size = (panel * columns + 0.9, rows * (panel * aspect + 0.06) + spare)
    picture = Picture(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.01))
    axes = picture.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    return picture, [list(row) for row in axes]


def draw(axis: Axes, x: Tensor, scale: Colormap, low: float | int, high: float | int) -> AxesImage:
    """Values (height, width) on a colour scale; pixels stay squares unless the screen has fewer."""
    smooth = "auto" if max(x.shape) > DPI * PANEL else "nearest"
    return axis.imshow(x.numpy(), cmap=scale, vmin=low, vmax=high, interpolation=smooth, interpolation_stage="data")


def colour_bar(
    picture: Picture, drawn: AxesImage, axes: list[Axes], label: str, beyond: bool = False, signed: bool = False
) -> None:
    extend = "neither" if not beyond else "both" if signed else "max"
    bar = picture.colorbar(drawn, ax=axes, label=label, extend=extend, fraction=0.05, pad=0.01, aspect=15)
    bar.ax.tick_params(labelsize=SIZE["text"])
    bar.set_label(label, fontsize=SIZE["text"])


def chart(width: float) -> tuple[Picture, Axes]:
    """One empty chart, `width` inches wide."""
    picture = Picture(figsize=(width, 3.2), layout="constrained")
    return picture, picture.subplots()


def label_axes(axis: Axes, x_label: str, y_label: str) -> None:
    """Name the axes, in letters that can be read; add the legend."""
    axis.set_xlabel(x_label, fontsize=SIZE["text"])
    axis.set_ylabel(y_label, fontsize=SIZE["text"])
    axis.tick_params(labelsize=SIZE["text"])
    axis.grid(alpha=0.3)
    axis.legend(fontsize=SIZE["text"])
