"""Pictures of results, drawn by matplotlib without a window."""
