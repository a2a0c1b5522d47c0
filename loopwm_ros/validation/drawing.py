"""How our pages' plots are drawn: colours, style, and SVG that follows the reader's light or dark theme."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

ACTUAL = "#0072b2"  # what happened (Okabe and Ito's blue and orange: told apart in every colour vision)
IMAGINED = "#e69f00"  # what the model said
MOVED = "#cc79a7"  # what the model said of the object that is moved
FAILED = "#d55e00"
INK, FAINT = "#1b2026", "#c9ced6"  # stand-ins in the drawing for the theme's colours
_THEME = """<style>
svg { --ink: #1b2026; --faint: #dfe3e8; --actual: #0072b2; }
@media (prefers-color-scheme: dark) { svg { --ink: #e6e9ee; --faint: #39414d; --actual: #56b4e9; } }
</style>"""
_STYLE = Path(__file__).parent / "templates" / "plots.mplstyle"
_FONTS = "system-ui, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans'"


@contextmanager
def drawing(height: float = 1.0) -> Iterator[tuple[Figure, Axes]]:
    """A figure of one plot in the report's style, `height` times as high as usual."""
    with style.context(_STYLE):
        figure = Figure()
        figure.set_figheight(figure.get_figheight() * height)
        yield figure, figure.add_subplot()


@contextmanager
def panels(rows: int, columns: int) -> Iterator[tuple[Figure, NDArray[np.object_]]]:
    """A figure of several plots of the usual size that share their axes, and those (rows, columns)."""
    with style.context(_STYLE):
        figure = Figure(layout="constrained")
        width, height = figure.get_size_inches()
        figure.set_size_inches(columns * width, rows * height)
        yield figure, figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)


def svg(figure: Figure) -> str:
    """The figure as SVG text, stand-in colours replaced by the theme's variables."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace("'DejaVu Sans'", _FONTS)
    for colour, name in ((INK, "ink"), (FAINT, "faint"), (ACTUAL, "actual")):
        text = text.replace(colour, f"var(--{name})")
    return re.sub(r"(<svg[^>]*>)", lambda match: match[1] + _THEME, text, count=1)
