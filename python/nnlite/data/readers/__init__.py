"""Readers: each says which names are its own (`matches`), reads them (`load`, `inputs`), and describes itself."""
