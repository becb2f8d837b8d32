"""``python -m napari_interpdisc.cli``."""

from napari_interpdisc.cli import main

main()
