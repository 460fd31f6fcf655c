"""Callbacks: users find them in `nnlite.callbacks`."""
