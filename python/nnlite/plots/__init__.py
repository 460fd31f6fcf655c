"""Plots of a training, by matplotlib (needs the extra `plot`)."""
