"""The drawings of the page: SVG that takes the page's colours, each with its title and what it shows in words.

Drawn narrow, so that letters stay legible where a phone shows a chart at its full width. Colours are classes of the
page, ``s0`` .. ``s9``, one a metric; ``s0 again`` and so on are those of metrics beyond ten.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["COLOURS", "bars", "cost", "curves", "intervals", "scatter"]

COLOURS = 10
WIDTH = 340
LETTER = 6.7  # mean width of a letter at the size of text that charts use, in the widest of the usual fonts
LINE = 12  # from one line of such text to the next
NAME = 18  # letters of a metric's name in one line

Points = Sequence[tuple[float, float]]


class Canvas:
    """A rectangle of the plane in a rectangle of pixels.

    Args:
        x, y: the ends of the axes.
        height: of the drawing, in pixels.
        left, bottom, top, right: room around the plane; None for what numbers and the name of y need.
        log: whether x is logarithmic.
    """

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        *,
        height: int,
        left: int | None = None,
        bottom: int = 40,
        top: int = 8,
        right: int = 16,
        log: bool = False,
    ) -> None:
        self.log, self.height = log, height
        self.x = (math.log10(x[0]), math.log10(x[1])) if log else x
        self.y = y
        if left is None:
            left = 24 + round(LETTER * max(len(f"{value:g}") for value in ticks(*y)))
        self.left, self.right, self.top, self.bottom = left, WIDTH - right, top, height - bottom
        self.drawn: list[str] = []

    def across(self, value: float) -> float:
        """The pixel of a value of x."""
        low, high = self.x
        share = ((math.log10(value) if self.log else value) - low) / ((high - low) or 1)
        return round(self.left + share * (self.right - self.left), 1)

    def down(self, value: float) -> float:
        """The pixel of a value of y."""
        low, high = self.y
        return round(self.bottom - (value - low) / ((high - low) or 1) * (self.bottom - self.top), 1)

    def text(self, x: float, y: float, content: str, *, anchor: str = "start", kind: str = "") -> None:
        """Letters that begin, are centred or end at a pixel."""
        anchored = "" if anchor == "start" else f' text-anchor="{anchor}"'
        named = f' class="{kind}"' if kind else ""
        self.drawn.append(f'<text x="{x:g}" y="{y:g}"{anchored}{named}>{escape(content)}</text>')

    def lines(
        self, x: float, y: float, lines: Sequence[str], *, anchor: str = "start", kind: str = ""
    ) -> None:
        """Lines of text below each other, the first at a pixel."""
        for number, line in enumerate(lines):
            self.text(x, y + LINE * number, line, anchor=anchor, kind=kind)

    def line(self, points: Points, kind: str) -> None:
        """A line through pixels."""
        steps = " ".join(f"{x:g},{y:g}" for x, y in points)
        self.drawn.append(f'<polyline points="{steps}" class="{kind}"/>')

    def dots(self, points: Points, kind: str) -> None:
        """Many small dots at pixels, as one path of strokes of no length."""
        self.drawn.append(f'<path d="{"".join(f"M{x:g} {y:g}h0" for x, y in points)}" class="{kind}"/>')

    def dot(self, x: float, y: float, kind: str, radius: float = 4) -> None:
        """One dot at a pixel."""
        self.drawn.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" class="{kind}"/>')

    def axes(self, *x_label: str, y_label: str = "", y_ticks: bool = True) -> None:
        """Grid lines with numbers, and what the axes are; that of x in lines."""
        marks = decades(*self.x) if self.log else ticks(*self.x)
        for value in marks:
            at = self.across(value)
            self.line(((at, self.top), (at, self.bottom)), "grid")
            self.text(at, self.bottom + 14, f"{value:g}", anchor="middle")
        for value in ticks(*self.y) if y_ticks else ():
            at = self.down(value)
            self.line(((self.left, at), (self.right, at)), "grid")
            self.text(self.left - 5, at + 4, f"{value:g}", anchor="end")
        self.lines((self.left + self.right) / 2, self.bottom + 31, x_label, anchor="middle", kind="axis")
        if y_label:
            middle = (self.top + self.bottom) / 2
            self.drawn.append(
                f'<text transform="translate(11 {middle:g}) rotate(-90)" text-anchor="middle" class="axis">'
                f"{escape(y_label)}</text>"
            )

    def svg(self, title: str, description: str) -> str:
        """The drawing, with its title and what it shows in words."""
        return (
            f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{escape(f"{title}. {description}")}">'
            f"<title>{escape(title)}</title>{''.join(self.drawn)}</svg>"
        )


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two ends, at most so many.

    Example:
        >>> ticks(0.12, 0.93)
        [0.2, 0.4, 0.6, 0.8]
    """
    if not high > low:
        return [low]
    rough = (high - low) / most
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{k * step:.10g}") for k in range(first, last + 1)]


def decades(low: float, high: float) -> list[float]:
    """Powers of ten between two logarithms, with their thirds where few fit."""
    powers = [10.0**k for k in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)]
    if len(powers) > 2:
        return powers
    between = [m * 10.0**k for k in range(math.floor(low), math.ceil(high) + 1) for m in (1, 2, 5)]
    return [value for value in between if low - 1e-9 <= math.log10(value) <= high + 1e-9]


def wrapped(name: str, most: int = NAME) -> list[str]:
    """A name in lines of at most so many letters, each ending after a mark where there is one.

    Example:
        >>> wrapped("gap+pixels=weights/november.safetensors")
        ['gap+pixels=', 'weights/november.', 'safetensors']
    """
    lines = []
    while len(name) > most:
        end = max((at for at in range(1, most + 1) if name[at - 1] in " +=/:._-"), default=most)
        lines.append(name[:end].rstrip())
        name = name[end:]
    return [*lines, name]


def scatter(title: str, points: Points, fit: Points, *, x_label: str, y_label: str, colour: str) -> str:
    """People's scores over a metric's values, with the fitted curve.

    Args:
        points, fit: (value, score); the fit in the order of its values.
    """
    values, scores = zip(*points, strict=True)
    labels = wrapped(x_label, round((WIDTH - 60) / LETTER))
    more = LINE * (len(labels) - 1)
    ends = (min(values), max(values)), (min(scores), max(scores))
    canvas = Canvas(*ends, height=230 + more, bottom=40 + more)
    canvas.axes(*labels, y_label=y_label)
    few = " few" if len(points) < 300 else ""
    canvas.dots([(canvas.across(x), canvas.down(y)) for x, y in points], f"dots{few} {colour}")
    bounded = [(x, min(max(y, canvas.y[0]), canvas.y[1])) for x, y in fit]
    canvas.line([(canvas.across(x), canvas.down(y)) for x, y in bounded], "fit")
    return canvas.svg(title, f"{len(points)} pairs: {y_label} over {x_label}, with the fitted curve")


def intervals(
    title: str, rows: Sequence[tuple[str, float, Sequence[float] | None, float | None, str]], label: str
) -> str:
    """A row for each metric: its figure, its interval, and what was published.

    Args:
        rows: name, figure, interval, published figure, colour.
        label: of the figure.
    """
    found = [
        value
        for _, figure, ends, other, _ in rows
        for value in (figure, *(ends or ()), other)
        if value is not None
    ]
    low, high = min(found), max(found)
    room = max(0.02, 0.08 * (high - low))
    names = [wrapped(name) for name, *_ in rows]
    left = 12 + round(LETTER * max(len(line) for lines in names for line in lines))
    height = 52 + sum(LINE + LINE * len(lines) for lines in names)
    canvas = Canvas((low - room, min(1.0, high + room)), (0, 1), height=height, left=left)
    canvas.axes(label, y_ticks=False)
    said = []
    top = canvas.top + 2
    for lines, (name, figure, ends, other, colour) in zip(names, rows, strict=True):
        y = top + LINE / 2 * (1 + len(lines))  # the middle of the lines
        canvas.lines(left - 8, top + LINE + 4, lines, anchor="end")
        top += LINE + LINE * len(lines)
        if ends is not None:
            canvas.line(((canvas.across(ends[0]), y), (canvas.across(ends[1]), y)), f"whisker {colour}")
        if other is not None:
            x = canvas.across(other)
            canvas.drawn.append(f'<path d="M{x:g} {y - 6:g}l5 6l-5 6l-5 -6z" class="published"/>')
        canvas.dot(canvas.across(figure), y, f"mark {colour}")
        said.append(f"{name} {figure:.3f}")
    return canvas.svg(title, "; ".join(said))


def bars(
    title: str,
    groups: Mapping[str, Sequence[float | None]],
    names: Sequence[str],
    label: str,
    colours: Sequence[str],
) -> str:
    """A group of lying bars for each kind, one bar a metric.

    Args:
        groups: kind -> a figure for each metric, None where there is none.
        names, colours: of the metrics.
        label: of the figure.
    """
    found = [value for values in groups.values() for value in values if value is not None]
    thick, gap = (8 if len(names) < 6 else 6), 8
    step = 16 + thick * len(names) + gap
    low = min(0.0, *found) if found else 0.0
    canvas = Canvas((low, 1), (0, 1), height=48 + step * len(groups), left=12)
    canvas.axes(label, y_ticks=False)
    for number, (kind, values) in enumerate(groups.items()):
        y = canvas.top + number * step + 12
        canvas.text(canvas.left, y, kind, kind="kind")
        for k, value in enumerate(values):
            if value is not None:
                start, end = sorted((canvas.across(0), canvas.across(value)))
                told = escape(f"{kind}, {names[k]}: {value:.3f}")
                canvas.drawn.append(
                    f'<rect x="{start:g}" y="{y + 4 + k * thick:g}" width="{max(end - start, 0.5):g}" '
                    f'height="{thick - 1}" class="bar {colours[k]}"><title>{told}</title></rect>'
                )
    return canvas.svg(
        title, f"{label} of {', '.join(names)} for {len(groups)} kinds; the table holds the numbers"
    )


def curves(title: str, lines: Sequence[tuple[str, Points, str]], *, x_label: str, y_label: str) -> str:
    """Responses over the size of a change, a line each.

    Args:
        lines: name, (size, response) in the order of the sizes, and the class of the line.
    """
    every = [point for _, points, _ in lines for point in points]
    canvas = Canvas(
        (0, max(x for x, _ in every)),
        (min(0.0, *(y for _, y in every)), max(y for _, y in every)),
        height=240,
    )
    canvas.axes(x_label, y_label=y_label)
    for _, points, kind in lines:
        at = [(canvas.across(x), canvas.down(y)) for x, y in points]
        canvas.line(at, f"curve {kind}")
        for x, y in at:
            canvas.dot(x, y, f"mark {kind}", 2.6)
    ends = "; ".join(f"{name} {points[-1][1]:.2f}" for name, points, _ in lines)
    return canvas.svg(title, f"{y_label} at the largest size: {ends}")


def cost(
    title: str,
    points: Mapping[str, tuple[float, float]],
    *,
    x_label: str,
    y_label: str,
    colours: Mapping[str, str],
) -> str:
    """Agreement over cost, a named dot for each metric.

    Args:
        points: name -> (milliseconds, agreement).
        colours: name -> its colour.
    """
    times, figures = [x for x, _ in points.values()], [y for _, y in points.values()]
    room = max(0.02, 0.1 * (max(figures) - min(figures)))
    span = (min(times) / 1.6, max(times) * 1.6)
    canvas = Canvas(span, (min(figures) - room, min(1.0, max(figures) + room)), height=300, log=True, top=12)
    canvas.axes(x_label, y_label=y_label)
    at = {name: (canvas.across(time), canvas.down(figure)) for name, (time, figure) in points.items()}
    for name, (x, y) in at.items():
        canvas.dot(x, y, f"mark {colours[name]}", 5)
    taken = [(x - 6, x + 6, y, y) for x, y in at.values()]  # left, right, top, bottom: not for letters
    for name, (x, y) in sorted(at.items(), key=lambda item: item[1][1]):
        lines = wrapped(name)
        size = LETTER * max(map(len, lines)), LINE * (len(lines) - 1)
        start, first = _free_place(x, y, size, taken, (canvas.top + 6, canvas.bottom - 6))
        taken.append((start, start + size[0], first, first + size[1]))
        canvas.lines(start, first + 4, lines, kind=f"named {colours[name]}")
    said = "; ".join(f"{name} {figure:.3f} at {time:.3g} ms" for name, (time, figure) in points.items())
    return canvas.svg(title, said)


def _free_place(
    x: float,
    y: float,
    size: tuple[float, float],
    taken: Sequence[tuple[float, float, float, float]],
    height: tuple[float, float],
) -> tuple[float, float]:
    """Where lines beside a dot begin, and the middle of the first: right or left of it, as near as nothing else stands.

    Args:
        x, y: of the dot.
        size: length of the lines, and from the middle of the first to that of the last.
        taken: left, right, and the middles of the first and last line of what stands there.
        height: between which middles may lie.
    """
    for step in (k for far in range(0, 100, 4) for k in (far, -far)):
        for start in (x + 9, x - 9 - size[0]):
            first = y + step - size[1] / 2
            last = first + size[1]
            if start < 2 or start + size[0] > WIDTH or first < height[0] or last > height[1]:
                continue
            if all(
                start > right or start + size[0] < left or first > bottom + 11 or last < top - 11
                for left, right, top, bottom in taken
            ):
                return start, first
    return max(2.0, min(x + 9, WIDTH - size[0])), y - size[1] / 2
