"""Qt parts that several dock widgets share."""
