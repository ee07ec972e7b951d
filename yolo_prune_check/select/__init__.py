"""Choosing the channels that a pruned layer keeps: activations, criteria, clusters. Scores channels, prunes nothing."""
