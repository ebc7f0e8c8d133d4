"""Labels next to points so that none covers another, computed in the finished layout.

Each label tries places around its point, near ones first, and takes the first that is free of other
labels, markers and the edge of the plot; the points in the densest company choose first. A label
that had to move away gets a line to its point.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, hypot, pi, sin
from typing import TYPE_CHECKING, NamedTuple

from cnnstat.render.safe_text import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DIRECTIONS = 16
STEPS = (2, 6, 10, 15, 21, 28, 36, 46, 60, 80, 105, 135, 170, 210)
"""Points between a marker's edge and its label; from the second on a line leads to it."""

GAP = 1.5
"""Points kept free around a label."""

Spot = tuple[float, float]
Line = tuple[Spot, Spot]


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """Return the area that two rectangles share."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return width * height if width > 0 and height > 0 else 0.0

    def holds(self, other: Box) -> bool:
        """Return whether another lies inside."""
        return (
            self.left <= other.left
            and self.bottom <= other.bottom
            and other.right <= self.right
            and other.top <= self.top
        )

    def crossed(self, line: Line | None) -> bool:
        """Return whether a line has a part inside (Liang and Barsky 1984)."""
        if line is None:
            return False
        (x0, y0), (x1, y1) = line
        enter, leave = 0.0, 1.0
        for step, before, behind in (
            (x1 - x0, self.left - x0, self.right - x0),
            (y1 - y0, self.bottom - y0, self.top - y0),
        ):
            if step == 0:
                if before > 0 or behind < 0:
                    return False
                continue
            first, last = sorted((before / step, behind / step))
            enter, leave = max(enter, first), min(leave, last)
        return enter < leave


class Point(NamedTuple):
    """A marker in data coordinates, its radius in points, and its label."""

    x: float
    y: float
    radius: float
    label: str


class _Scene(NamedTuple):
    """Everything that a new label must not cover, in pixels."""

    frame: Box
    discs: list[Box]
    labels: list[Box]
    lines: list[Line]
    avoid: list[Line]


class _Place(NamedTuple):
    box: Box
    line: Line | None


def label_points(axes: Axes, points: Sequence[Point], avoid: Sequence[Line] = ()) -> None:
    """Write the labels of points, off the lines to ``avoid`` (data coordinates).

    The limits of the axes and the layout must be final.
    """
    from matplotlib.figure import Figure

    figure = axes.get_figure()
    if not isinstance(figure, Figure):
        raise TypeError("labels need a figure, not a subfigure")
    figure.draw_without_rendering()  # carries the layout out
    scale = figure.dpi / 72
    centres: list[Spot] = [
        tuple(axes.transData.transform((point.x, point.y)).tolist()) for point in points
    ]
    discs = [_around(*c, p.radius * scale) for c, p in zip(centres, points, strict=True)]
    corners = [axes.transData.transform(line).tolist() for line in avoid]
    lines = [((x0, y0), (x1, y1)) for (x0, y0), (x1, y1) in corners]
    scene = _Scene(Box(*axes.get_window_extent().extents), discs, [], [], lines)
    for index in _crowded_first(centres):
        point = points[index]
        text = axes.text(
            point.x, point.y, shown(point.label), fontsize=7.5, ha="center", va="center"
        )
        extent = text.get_window_extent()
        size = (extent.width + 2 * GAP * scale, extent.height + 2 * GAP * scale)
        place = _place(centres[index], point.radius * scale, size, scale, scene, own=index)
        scene.labels.append(place.box)
        middle = ((place.box.left + place.box.right) / 2, (place.box.bottom + place.box.top) / 2)
        x, y = axes.transData.inverted().transform(middle)
        text.set_position((float(x), float(y)))
        if place.line is not None:
            scene.lines.append(place.line)
            ends = axes.transData.inverted().transform(place.line)
            axes.plot(ends[:, 0], ends[:, 1], color="#888888", linewidth=0.6, zorder=1.5)


def _place(
    centre: Spot, radius: float, size: Spot, scale: float, scene: _Scene, *, own: int
) -> _Place:
    """Return the first free place around a marker.

    Where none is free of discs, the one that covers them least; where all are taken, a free place
    anywhere in the plot.
    """
    others = [disc for place, disc in enumerate(scene.discs) if place != own]
    best: tuple[float, _Place] | None = None
    for number, distance in enumerate(STEPS):
        for direction in range(DIRECTIONS):
            angle = 2 * pi * direction / DIRECTIONS
            box = _touching(centre, radius + distance * scale, size, angle)
            line = _line(centre, box, radius) if number else None
            if not _is_free(box, line, scene):
                continue
            cost = sum(box.overlap(disc) for disc in others)
            if cost == 0:
                return _Place(box, line)
            if best is None or cost < best[0]:
                best = (cost, _Place(box, line))
    return _anywhere(centre, radius, size, scene) if best is None else best[1]


def _is_free(box: Box, line: Line | None, scene: _Scene) -> bool:
    """Return whether a label keeps off labels and lines, and its line off labels."""
    return (
        scene.frame.holds(box)
        and not any(box.overlap(label) or label.crossed(line) for label in scene.labels)
        and not any(map(box.crossed, (*scene.lines, *scene.avoid)))
    )


def _anywhere(centre: Spot, radius: float, size: Spot, scene: _Scene) -> _Place:
    """Return the nearest free place on a grid; lines may cross labels only where nothing else is.

    In a plot that is full of labels, the place next to the marker.
    """
    width, height = size
    columns = int((scene.frame.right - scene.frame.left) / (width / 3))
    rows = int((scene.frame.top - scene.frame.bottom) / (height / 2))
    boxes = [
        Box(x, y, x + width, y + height)
        for x in (scene.frame.left + column * width / 3 for column in range(columns))
        for y in (scene.frame.bottom + row * height / 2 for row in range(rows))
    ]
    boxes.sort(key=lambda box: hypot(box.left + width / 2 - centre[0], box.bottom - centre[1]))
    for bare in (scene, scene._replace(lines=[])):
        for box in boxes:
            line = _line(centre, box, radius)
            if _is_free(box, line, bare):
                return _Place(box, line)
    apart = (box for box in boxes if _is_free(box, None, scene._replace(lines=[])))
    box = next(apart, _touching(centre, radius, size, 0.0))
    return _Place(box, _line(centre, box, radius))


def _touching(centre: Spot, distance: float, size: Spot, angle: float) -> Box:
    """Return the rectangle that touches a circle of this radius around the centre from outside."""
    width, height = size
    x = centre[0] + cos(angle) * (distance + width / 2)
    y = centre[1] + sin(angle) * (distance + height / 2)
    return Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _around(x: float, y: float, radius: float) -> Box:
    """Return the square inside which a label would cover a disc noticeably."""
    side = 0.9 * radius
    return Box(x - side, y - side, x + side, y + side)


def _crowded_first(centres: Sequence[Spot]) -> list[int]:
    def company(index: int) -> float:
        x, y = centres[index]
        near = (hypot(x - a, y - b) for place, (a, b) in enumerate(centres) if place != index)
        return sum(1 / (distance + 1) for distance in near)

    return sorted(range(len(centres)), key=lambda index: -company(index))


def _line(centre: Spot, box: Box, radius: float) -> Line | None:
    """Return the line from a marker's edge to the nearest place of a label."""
    x = min(max(centre[0], box.left), box.right)
    y = min(max(centre[1], box.bottom), box.top)
    length = hypot(x - centre[0], y - centre[1])
    if length <= radius:
        return None
    share = radius / length
    start = (centre[0] + (x - centre[0]) * share, centre[1] + (y - centre[1]) * share)
    return start, (x, y)
