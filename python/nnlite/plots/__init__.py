"""Pictures of a training, by matplotlib (the extra `plot`)."""
