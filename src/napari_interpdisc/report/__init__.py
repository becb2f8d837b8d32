"""One HTML file on one head: what it does, how well, and whether a biologist would accept it."""
