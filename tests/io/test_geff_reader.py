"""Cells of GEFF stores and of TrackMate XML: axes, hints, units, tracks and parents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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
