"""From annotated cells to heads and formulas: labels, training, comparison."""
