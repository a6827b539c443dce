"""The web console's frame: pages that domains declare in `console`, with the surroundings that they share."""
