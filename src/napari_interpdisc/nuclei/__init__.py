"""Nuclei of a frame or a crop: detection, segmentation, typical diameter."""
