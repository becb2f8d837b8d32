"""Files in and out, one module a kind."""
