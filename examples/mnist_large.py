"""MNIST with 784-800-10: at least 98.4 % test accuracy, the published figure (Simard, Steinkraus, Platt 2003)."""

from common import data_folder, judge
from mnist_training import train_mnist

if __name__ == "__main__":
    folder = data_folder("mnist", __doc__ or "")
    judge("test accuracy of 784-800-10", train_mnist(folder, hidden=800, epochs=20), 98.4, at_least=True)
