"""napari dock widgets: the only modules that import napari, Qt or magicgui."""
