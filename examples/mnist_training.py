"""The training shared by both MNIST examples."""

import time
from pathlib import Path

import nnlite as nl
from nnlite import nn, optim


def train_mnist(folder: Path, hidden: int, epochs: int) -> float:
    """Trains 784-hidden-10 with momentum and a cosine schedule; returns the test accuracy in %."""
    x, y, test_x, test_y = (
        nl.data.read_idx(folder / f"{name}-ubyte.gz")
        for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    )
    pixels = (x.reshape(-1, 784) / 255).astype("float32")
    nl.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, hidden), nn.ReLU(), nn.Dropout(0.2), nn.Linear(hidden, 10))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-5)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=epochs)
    trainer = nl.Trainer(model, nn.CrossEntropyLoss(), optimizer, metrics=["accuracy"], seed=0)
    start = time.perf_counter()
    trainer.fit(pixels, y, epochs=epochs, batch_size=64, scheduler=schedule)
    seconds = time.perf_counter() - start
    figures = trainer.evaluate((test_x.reshape(-1, 784) / 255).astype("float32"), test_y)
    print(f"{epochs} epochs in {seconds:.1f} s, test loss {figures['loss']:.4f}")
    return 100 * figures["accuracy"]
