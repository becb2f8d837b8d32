"""Cells of GEFF stores and of TrackMate XML: axes, hints, units, tracks and parents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.columns import Asked, Movie
from napari_interpdisc.io.tracks import read_cells


@pytest.mark.parametrize("with_ids", [True, False])
def test_geff(tmp_path: Path, with_ids: bool) -> None:
    import geff
    import networkx as nx

    graph = nx.DiGraph()
    for node, (t, y, x) in enumerate([(0, 1, 2), (1, 1.5, 2), (2, 1, 1), (2, 3, 3), (3, 3, 4)]):
        graph.add_node(node, t=t, y=float(y), x=float(x), **({"track_id": 9} if with_ids else {}))
    graph.add_edges_from([(0, 1), (1, 2), (1, 3), (3, 4)])
    store = tmp_path / "tracks.geff"
    geff.write(graph, store, axis_names=["t", "y", "x"], axis_types=["time", "space", "space"])
    cells = read_cells(store)
    order = np.lexsort((cells.yx[:, 0], cells.t))
    np.testing.assert_array_equal(cells.t[order], [0, 1, 2, 2, 3])
    np.testing.assert_array_equal(cells.yx[order][:, 0], [1, 1.5, 1, 3, 3])
    ids = cells.track_id[order]
    if with_ids:
        np.testing.assert_array_equal(ids, 9)
    else:
        # a division ends one track and starts two
        assert ids[0] == ids[1]
        assert ids[3] == ids[4]
        assert len(set(ids)) == 3


def test_geff_with_gaps_depth_and_other_names(tmp_path: Path) -> None:
    import geff
    import networkx as nx

    graph = nx.DiGraph([(0, 1)])
    for node in graph:
        graph.nodes[node].update(t=node, row=1.0 + node, col=5.0)
    graph.nodes[0]["track_id"] = 7  # node 1 has none: the graph decides
    flat = tmp_path / "flat.geff"
    geff.write(graph, flat, axis_names=["t", "row", "col"], axis_types=["time", "space", "space"])
    cells = read_cells(flat)
    np.testing.assert_array_equal(cells.yx, [[1, 5], [2, 5]])
    assert cells.track_id[0] == cells.track_id[1] == 1

    for node in graph:
        graph.nodes[node].update(z=float(node), y=1.0, x=2.0)
    deep = tmp_path / "deep.geff"
    kinds = ["time", "space", "space", "space"]
    geff.write(graph, deep, axis_names=["t", "z", "y", "x"], axis_types=kinds)
    np.testing.assert_array_equal(read_cells(deep).extra["z"], [0, 1])


def write_geff(
    path: Path, nodes: list[dict[str, Any]], edges: list[tuple[int, int]], **how: Any
) -> Path:
    import geff
    import networkx as nx

    graph = nx.DiGraph()
    for i, node in enumerate(nodes):
        graph.add_node(i, **node)
    graph.add_edges_from(edges)
    geff.write(graph, path, **how)
    return path


AXES: dict[str, Any] = {"axis_names": ["t", "y", "x"], "axis_types": ["time", "space", "space"]}


def test_units_of_axes(tmp_path: Path) -> None:
    nodes = [{"t": t, "y": 1.0 + t, "x": 2.0, "area": 5 + t} for t in range(3)]
    store = write_geff(
        tmp_path / "a.geff", nodes, [(0, 1), (1, 2)], **AXES,
        axis_units=["second", "micrometer", "micrometer"],
    )  # fmt: skip
    with pytest.raises(InvalidInput, match=r"'y' of 'a.geff' is in µm.*give --pixel-size"):
        read_cells(store)
    with pytest.raises(InvalidInput, match=r"'t' is in s\. Give --frame-interval"):
        read_cells(store, asked=Asked(pixel_size=0.5))
    for cells in (
        read_cells(store, asked=Asked(pixel_size=0.5, frame_interval=1)),
        read_cells(store, movie=Movie(3, 9, 9, (0.5, 0.5))),
    ):
        order = np.argsort(cells.t)
        np.testing.assert_array_equal(cells.t[order], [0, 1, 2])
        np.testing.assert_array_equal(cells.yx[order], [[2, 4], [4, 4], [6, 4]])
        np.testing.assert_array_equal(cells.extra["area"][order], [5, 6, 7])


def test_display_hints_say_which_is_x(tmp_path: Path) -> None:
    import json

    nodes = [{"t": 0, "x": 1.0, "y": 2.0}, {"t": 1, "x": 3.0, "y": 4.0}]
    store = write_geff(
        tmp_path / "a.geff", nodes, [(0, 1)], **{**AXES, "axis_names": ["t", "x", "y"]}
    )
    np.testing.assert_array_equal(read_cells(store).yx, [[2, 1], [4, 3]])
    hints = {"display_horizontal": "y", "display_vertical": "x", "display_time": "t"}
    for name in (".zattrs", "zarr.json"):
        file = store / name
        if file.exists():
            said = json.loads(file.read_text())
            (said.get("attributes", said))["geff"]["display_hints"] = hints
            file.write_text(json.dumps(said))
    np.testing.assert_array_equal(read_cells(store).yx, [[1, 2], [3, 4]])


def test_a_division_in_the_graph(tmp_path: Path) -> None:
    nodes = [{"t": t, "y": y, "x": 1.0} for t, y in ((0, 1.0), (1, 1.0), (1, 5.0))]
    cells = read_cells(write_geff(tmp_path / "a.geff", nodes, [(0, 1), (0, 2)], **AXES))
    mother, *daughters = cells.track_id.tolist()
    assert cells.graph == {daughter: (mother,) for daughter in daughters}
    np.testing.assert_array_equal(cells.extra["parent_id"], [0, mother, mother])
    assert "unbranched stretches" in cells.taken.sentence


XML = """<?xml version="1.0" encoding="UTF-8"?>
<TrackMate version="7.11.1"><Model spatialunits="{unit}" timeunits="sec">
<FeatureDeclarations><SpotFeatures>{features}</SpotFeatures><EdgeFeatures>
<Feature feature="SPOT_SOURCE_ID" name="s" shortname="s" dimension="NONE" isint="true" />
<Feature feature="SPOT_TARGET_ID" name="t" shortname="t" dimension="NONE" isint="true" />
</EdgeFeatures><TrackFeatures>
<Feature feature="TRACK_ID" name="Track ID" shortname="ID" dimension="NONE" isint="true" />
</TrackFeatures></FeatureDeclarations>
<AllSpots nspots="{n}">{spots}</AllSpots>
<AllTracks><Track name="Track_0" TRACK_ID="0">{edges}</Track></AllTracks>
<FilteredTracks><TrackID TRACK_ID="0" /></FilteredTracks></Model>
<Settings><ImageData filename="a.tif" folder="" width="20" height="20" nslices="1" nframes="3"
 pixelwidth="0.5" pixelheight="0.5" voxeldepth="1.0" timeinterval="60.0"/></Settings></TrackMate>
"""
POSITION = ("POSITION_X", "POSITION_Y", "POSITION_Z")


def trackmate(unit: str, edges: list[tuple[int, int]], frames: list[int]) -> str:
    features = "".join(
        f'<Feature feature="{name}" name="{name}" shortname="{name}" dimension="{kind}" '
        f'isint="{"true" if name in ("FRAME", "VISIBILITY") else "false"}" />'
        for name, kind in (
            *((name, "POSITION") for name in POSITION),
            *(("POSITION_T", "TIME"), ("FRAME", "NONE"), ("VISIBILITY", "NONE")),
        )
    )
    spots = "".join(
        f'<SpotsInFrame frame="{t}">'
        + "".join(
            f'<Spot ID="{i}" name="ID{i}" POSITION_X="{4 + i}" POSITION_Y="{2 * i}" POSITION_Z="0" '
            f'POSITION_T="{60 * t}" FRAME="{t}" VISIBILITY="1" />'
            for i, at in enumerate(frames)
            if at == t
        )
        + "</SpotsInFrame>"
        for t in sorted(set(frames))
    )
    lines = "".join(f'<Edge SPOT_SOURCE_ID="{a}" SPOT_TARGET_ID="{b}" />' for a, b in edges)
    return XML.format(unit=unit, features=features, spots=spots, n=len(frames), edges=lines)


def test_trackmate_xml(tmp_path: Path) -> None:
    path = tmp_path / "tracks.xml"
    path.write_text(trackmate("micron", [(0, 1), (1, 2)], [0, 1, 2, 2]))
    cells = read_cells(path)
    order = np.argsort(cells.extra["ID"])
    np.testing.assert_array_equal(cells.t[order], [0, 1, 2, 2])
    # the file says how large a pixel is
    np.testing.assert_array_equal(cells.yx[order], [[0, 8], [4, 10], [8, 12], [12, 14]])
    np.testing.assert_array_equal(cells.track_id[order], [0, 0, 0, 1])
    assert "1 of 4 cells in 'tracks.xml' have no track" in cells.taken.notes[0]
    # the image says it, too, and is believed
    half = read_cells(path, movie=Movie(3, 99, 99, (0.25, 0.25)))
    np.testing.assert_array_equal(half.yx, 2 * cells.yx)
    # a spot that a filter hides
    path.write_text(
        path.read_text().replace('FRAME="2" VISIBILITY="1"', 'FRAME="2" VISIBILITY="0"')
    )
    assert sorted(read_cells(path).t) == [0, 1]
    assert "2 of 4 spots in 'tracks.xml' are hidden by a filter" in read_cells(path).taken.notes[1]


def test_a_division_in_trackmate_xml(tmp_path: Path) -> None:
    path = tmp_path / "tracks.xml"
    path.write_text(trackmate("pixel", [(0, 1), (1, 2), (1, 3)], [0, 1, 2, 2]))
    cells = read_cells(path)
    tracks = cells.track_id[np.argsort(cells.extra["ID"])].tolist()
    assert tracks[0] == tracks[1]
    assert len(set(tracks)) == 3
    assert cells.graph == {tracks[2]: (tracks[0],), tracks[3]: (tracks[0],)}
    np.testing.assert_array_equal(cells.extra["TRACK_ID"], 0)


def test_other_xml_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<TrackMate><b/></TrackMate>")
    with pytest.raises(InvalidInput, match="cannot be read as TrackMate XML"):
        read_cells(tmp_path / "a.xml")


def test_cells_that_nothing_links_are_not_tracked(tmp_path: Path) -> None:
    nodes = [{"t": t, "y": 1.0, "x": 2.0 + t} for t in range(3)]
    write_geff(tmp_path / "a.geff", nodes, [], **AXES)
    cells = read_cells(tmp_path / "a.geff")
    assert not cells.taken.tracked
    write_geff(tmp_path / "b.geff", nodes, [(0, 1)], **AXES)
    assert read_cells(tmp_path / "b.geff").taken.tracked
