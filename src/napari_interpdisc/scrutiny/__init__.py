"""Questions put to a model: what would have to change for another answer."""
