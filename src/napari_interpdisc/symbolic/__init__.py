"""Search formulas over latents that part two classes of cells."""
