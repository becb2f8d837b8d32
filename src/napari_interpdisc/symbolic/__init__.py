"""Search formulas over latents that separate two classes of cells."""
