"""Pictures of a head taken apart: its graph, and responses of its parts (paper, Figs 2-6)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill, wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import withStroke

from napari_interpdisc._types import Float64Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.figures.canvas import GREYS, save_figure
from napari_interpdisc.figures.palette import ON_WHITE
from napari_interpdisc.scrutiny.anatomy import Anatomy, Panel
from napari_interpdisc.scrutiny.anatomy_graph import Place, layout
from napari_interpdisc.scrutiny.anatomy_parts import NeuronOutput
from napari_interpdisc.scrutiny.anatomy_response import RULE_OF_EMPTY, Population, Response

DIVERGING = "PuOr_r"
"""Purple below 0, orange above: told apart by colour-blind eyes, white at 0."""

NEGATIVE, POSITIVE = "#5E3C99", "#E66101"
"""Colours of weights, those of the maps."""

COLUMNS = 3
"""Panels side by side."""

HALO = [withStroke(linewidth=2.5, foreground="white")]
"""A rim of white, so that text on lines can be read."""

ARROWS = 7
"""Gradient arrows along each side of a map."""

LINES = 8
"""Contours of a map, evenly from the least to the largest value where cells are."""

SUFFIXES = (".png", ".svg")
"""What every picture is written as."""


def draw_graph(stem: Path, anatomy: Anatomy) -> None:
    """Write :func:`graph_figure` as PNG and SVG.

    Parameters
    ----------
    stem
        File names without their suffix.
    anatomy
        The head; a formula has no graph, and nothing is drawn of it.

    Raises
    ------
    InvalidInput
        If a file cannot be written.
    """
    if anatomy.graph is not None:
        _save(graph_figure(anatomy), stem)


def graph_figure(anatomy: Anatomy) -> Figure:
    """Draw a sparse head as a graph, its sub-networks in colours.

    Raises
    ------
    InvalidInput
        If the head is a formula, which has no graph.
    """
    graph, sub = anatomy.graph, anatomy.cut
    if graph is None or sub is None:
        raise InvalidInput(f"Head '{anatomy.head}' is a formula, which has no graph.")
    at = layout(graph)
    layers = max(layer for layer, _ in at) + 1
    widest = max(sum(layer == place[0] for place in at) for layer in range(layers))
    figure = Figure(figsize=(2.0 * layers + 2.6, max(0.62 * widest + 1.4, 3.6)))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(-1.25, layers - 0.3)
    axes.set_ylim(-0.2, 1.12)
    largest = max(abs(edge.weight) for edge in graph.edges) if graph.edges else 1.0
    for edge in sorted(graph.edges, key=lambda one: abs(one.weight)):
        (x0, y0), (x1, y1) = at[edge.source], at[edge.target]
        share = abs(edge.weight) / largest
        axes.plot(
            [x0, x1], [y0, y1], color=POSITIVE if edge.weight > 0 else NEGATIVE,
            lw=0.6 + 4 * share, alpha=0.35 + 0.6 * share, solid_capstyle="round", zorder=1,
        )  # fmt: skip
    owner: dict[Place, int] = {}
    for number, one in reversed(list(enumerate(sub.sub_networks))):
        owner.update({place: number for place in one.neurons if place in graph.biases})
    heads = {one.place: number for number, one in enumerate(sub.sub_networks)}
    for place, (x, y) in at.items():
        if place in graph.inputs:
            axes.plot(x, y, "s", ms=8, color="0.25", zorder=2)
            axes.text(x - 0.07, y, graph.inputs[place].label, ha="right", va="center", fontsize=9)
            continue
        color = ON_WHITE[owner[place] % len(ON_WHITE)] if place in owner else "white"
        axes.plot(x, y, "o", ms=19, mfc=color, mec="0.25", mew=1.2, zorder=2)
        ink = "white" if place in owner else "black"
        axes.text(
            x, y, f"{place[0]}.{place[1]}", color=ink, ha="center", va="center", fontsize=7,
            zorder=3,
        )  # fmt: skip
        if place in heads:
            axes.annotate(
                f"sub-network {heads[place] + 1}", (x, y), (0, 12), textcoords="offset points",
                ha="center", fontsize=8, color=color, zorder=4, path_effects=HALO,
            )  # fmt: skip
        elif place in graph.outputs:
            axes.annotate(
                graph.label(place).removeprefix("score of "), (x, y), (14, 0), fontsize=9,
                textcoords="offset points", va="center", zorder=4,
            )  # fmt: skip
    axes.text(
        0.5, 0.99, f"{anatomy.head} of {anatomy.model}: {len(graph.edges)} weights",
        transform=axes.transAxes, ha="center", va="top", fontsize=11,
    )  # fmt: skip
    axes.text(
        0.5, 0.015,
        "orange: positive weight, purple: negative; width: its size; numbers: layer.neuron\n"
        "coloured neurons: sub-networks of at most two inputs; white: the trunk above them",
        transform=axes.transAxes, ha="center", va="bottom", fontsize=8, color="0.3",
    )  # fmt: skip
    return figure


def draw_panels(
    stem: Path,
    panels: Sequence[Panel],
    cells: Population,
    title: str,
    columns: int | None = None,
) -> None:
    """Write :func:`panels_figure` as PNG and SVG; nothing for no panels.

    Parameters
    ----------
    stem
        File names without their suffix.
    panels, cells, title, columns
        As :func:`panels_figure` takes them.

    Raises
    ------
    InvalidInput
        If a file cannot be written.
    """
    if panels:
        _save(panels_figure(panels, cells, title, columns), stem)


def panels_figure(
    panels: Sequence[Panel], cells: Population, title: str, columns: int | None = None
) -> Figure:
    """Draw curves and maps side by side.

    Parameters
    ----------
    panels
        What to draw, at least one.
    cells
        Where the axes and the density come from.
    title
        What they are of.
    columns
        Panels side by side; as many as there are, but three at most, if left out.
    """
    spaced = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06, wspace=0.02, hspace=0.02)
    wide = min(COLUMNS, len(panels)) if columns is None else columns
    rows = -(-len(panels) // wide)
    figure = Figure(figsize=(4.6 * wide, 4.3 * rows + 1.0), layout=spaced)
    grid = figure.add_gridspec(rows, wide)
    for k, panel in enumerate(panels):
        place = grid[divmod(k, wide)]
        if len(panel.response.ground.axes) == 1:
            _draw_curve(figure, place, panel)
        else:
            _draw_map(figure, place, panel)
    figure.suptitle(title, fontsize=11)
    figure.supxlabel(_legend(panels, cells, wide), fontsize=8, color="0.3")
    return figure


def _legend(panels: Sequence[Panel], cells: Population, wide: int) -> str:
    maps = any(len(panel.response.ground.axes) == 2 for panel in panels)
    decides = any(panel.response.part.decides for panel in panels)
    told = ["dot: the selected cell"]
    if any(panel.traversals for panel in panels):
        told.append("pictures: it, decoded along an axis")
    if maps:
        zero = "0, which is the decision boundary of a score" if decides else "0"
        told += [f"thick line: {zero}", "thin lines: contours", "arrows: gradient"]
    if cells.is_real:
        told += [
            f"{'dotted' if maps else 'grey hill'}: density of {len(cells)} cells",
            RULE_OF_EMPTY,
        ]
    else:
        told += [f"no cells given: axes from {cells.source}"]
    return fill("; ".join(told), 75 * wide)


def _axis_label(response: Response, k: int) -> str:
    one = response.part.inputs[response.ground.axes[k]]
    return one.label if isinstance(one, NeuronOutput) else f"{one.label} (prior SD)"


def _draw_curve(figure: Figure, place: SubplotSpec, panel: Panel) -> None:
    found = panel.response
    (line,) = found.ground.points
    drawn = bool(panel.traversals)
    inner = place.subgridspec(2, 1, height_ratios=(5, 1), hspace=0.02)
    axes = figure.add_subplot(inner[0] if drawn else place)
    for start, end in _runs(found.ground.empty):
        half = (line[1] - line[0]) / 2
        axes.axvspan(line[start] - half, line[end] + half, color="0.88", lw=0)
    axes.axhline(0, color="0.2", lw=0.8, ls="--")
    axes.plot(line, found.values, color=ON_WHITE[0], lw=2)
    for points in found.boundary:
        axes.plot(points[:, 0], np.zeros(len(points)), "D", ms=5, color="black")
    axes.plot(found.dot[0], found.value, "o", ms=8, mfc="white", mec="black", mew=1.5)
    if found.ground.density is not None:
        low, high = axes.get_ylim()
        tall = found.ground.density / max(float(found.ground.density.max()), 1e-12)
        axes.fill_between(line, low, low + 0.15 * (high - low) * tall, color="0.55", lw=0)
        axes.set_ylim(low, high)
    axes.set_xlim(line[0], line[-1])
    axes.set_xlabel(_axis_label(found, 0), fontsize=9)
    axes.set_ylabel("score" if found.part.decides else "response", fontsize=9)
    _finish(axes, found)
    if drawn:
        _strips(figure, panel, inner[1], None)


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """First and last position of each run of True."""
    padded = np.concatenate([[False], flags, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]


def _draw_map(figure: Figure, place: SubplotSpec, panel: Panel) -> None:
    found = panel.response
    x, y = found.ground.points
    inner = place.subgridspec(
        2, 2, height_ratios=(5, 1), width_ratios=(1, 5), hspace=0.02, wspace=0.02
    )
    axes = figure.add_subplot(inner[0, 1] if panel.traversals else place)
    values = np.ma.masked_invalid(found.values)
    shown = values[~found.ground.empty] if not found.ground.empty.all() else values
    far = float(np.quantile(np.abs(shown.compressed()), 0.98)) if shown.count() else 1.0
    norm = Normalize(-max(far, 1e-9), max(far, 1e-9))
    extent = (x[0], x[-1], y[0], y[-1])
    image = axes.imshow(
        values, norm=norm, cmap=DIVERGING, origin="lower", extent=extent, aspect="auto",
        interpolation="bilinear",
    )  # fmt: skip
    if shown.count() and shown.max() > shown.min():
        levels = np.linspace(float(shown.min()), float(shown.max()), LINES + 2)[1:-1]
        axes.contour(x, y, values, levels=levels, colors="0.4", linewidths=0.5, linestyles="solid")
    if found.ground.density is not None:
        tall = found.ground.density / max(float(found.ground.density.max()), 1e-12)
        axes.contour(
            x, y, tall, levels=(0.1, 0.4, 0.8), colors="black", linewidths=1.1,
            linestyles="dotted",
        )  # fmt: skip
    shade = np.zeros((*found.ground.empty.shape, 4))
    shade[found.ground.empty] = (0.6, 0.6, 0.6, 0.72)
    axes.imshow(shade, origin="lower", extent=extent, aspect="auto", interpolation="nearest")
    for piece in found.boundary:
        axes.plot(piece[:, 0], piece[:, 1], color="black", lw=2.2)
    _arrows(axes, found)
    axes.plot(*found.dot, "o", ms=8, mfc="white", mec="black", mew=1.5)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    axes.set_xlabel(_axis_label(found, 0), fontsize=9)
    axes.set_ylabel(_axis_label(found, 1), fontsize=9)
    bar = figure.colorbar(image, ax=axes, fraction=0.05, pad=0.02)
    bar.ax.tick_params(labelsize=7)
    _finish(axes, found)
    _strips(figure, panel, inner[1, 1], inner[0, 0])


def _arrows(axes: Axes, found: Response) -> None:
    """Arrows along the gradient where cells are, in units of the axes and all of one length."""
    x, y = found.ground.points
    at = np.linspace(0, len(x) - 1, ARROWS + 2).round().astype(int)[1:-1]
    rows, columns = np.meshgrid(at, at, indexing="ij")
    dx = found.gradient[0][rows, columns] * (x[-1] - x[0])
    dy = found.gradient[1][rows, columns] * (y[-1] - y[0])
    length = np.hypot(dx, dy)
    seen = ~found.ground.empty[rows, columns] & np.isfinite(length) & (length > 0)
    if seen.any():
        strength = np.clip(length[seen] / length[seen].max(), 0.3, 1)
        scale = strength / length[seen]
        axes.quiver(
            x[columns[seen]], y[rows[seen]], dx[seen] * scale, dy[seen] * scale, angles="uv",
            scale=14, width=0.006, color="0.25", pivot="mid", zorder=3,
        )  # fmt: skip


def _finish(axes: Axes, found: Response) -> None:
    lines = [found.part.name]
    # of a slice through the whole head there is no more to say
    lines += [] if found.is_slice and found.part.decides else wrap(found.part.about, 50)[:3]
    if found.is_slice:
        lines.append("a slice, the other inputs held")
    axes.set_title("\n".join(lines), fontsize=9)
    axes.tick_params(labelsize=8)


def _strips(figure: Figure, panel: Panel, below: SubplotSpec, beside: SubplotSpec | None) -> None:
    """Decoded pictures below the x axis and beside the y axis."""
    places = {panel.response.ground.axes[0]: below}
    if beside is not None:
        places[panel.response.ground.axes[1]] = beside
    for one in panel.traversals:
        axes = figure.add_subplot(places[one.axis])
        upright = places[one.axis] is beside
        # gaps of white between the pictures
        pictures = np.pad(one.pictures, ((0, 0), (2, 2), (2, 2)), constant_values=np.nan)
        strip = np.concatenate(list(pictures[::-1] if upright else pictures), 0 if upright else 1)
        axes.imshow(np.ma.masked_invalid(strip), **GREYS)
        axes.set_axis_off()


def _save(figure: Figure, stem: Path) -> None:
    for suffix in SUFFIXES:
        save_figure(figure, stem.with_name(stem.name + suffix), dpi=130)


def table_of(panels: Sequence[Panel]) -> list[dict[str, Float64Array | str]]:
    """What is drawn, as columns of a table for each panel: place, value, gradient, cells."""
    found: list[dict[str, Float64Array | str]] = []
    for panel in panels:
        one = panel.response
        labels, points = one.labels, one.ground.points
        two = len(points) == 2
        x, y = np.meshgrid(*points) if two else (points[0], np.full(len(points[0]), np.nan))
        density = one.ground.density
        found.append(
            {
                "part": one.part.name,
                "x_name": labels[0],
                "y_name": labels[1] if two else "",
                "x": x.ravel(),
                "y": y.ravel(),
                "value": one.values.ravel(),
                "gradient_x": one.gradient[0].ravel(),
                "gradient_y": one.gradient[1].ravel() if two else np.full(x.size, np.nan),
                "density": np.full(x.size, np.nan) if density is None else density.ravel(),
                "no_cells": one.ground.empty.ravel().astype(float),
            }
        )
    return found
