"""MNIST with 784-128-10: at least 98.0 % test accuracy (Simard, Steinkraus, Platt 2003: 98.3 % with 128 units)."""

from common import data_folder, judge
from mnist_training import train_mnist

if __name__ == "__main__":
    folder = data_folder("mnist", __doc__ or "")
    judge("test accuracy of 784-128-10", train_mnist(folder, hidden=128, epochs=20), 98.0, at_least=True)
