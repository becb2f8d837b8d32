"""Train the β-TCVAE: data, loop, run folder, report."""
