"""`python -m nnlite` is `nnlite`."""

from .cli import program

if __name__ == "__main__":
    program()
