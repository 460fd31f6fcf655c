"""Plots the share of the machine's peak, and the ratio to each peer, against the width of the layers."""

from __future__ import annotations

from collections.abc import Sequence

from nnlite.bench.results import Result

from .findings import peers_of

COMPARED_BATCH = 32


def save_plot(results: Sequence[Result], path: str) -> None:
    """Writes the plot of the section `widths`."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot
    from matplotlib.ticker import PercentFormatter, StrMethodFormatter

    sweep = [result for result in results if result.section == "widths"]
    if not sweep:
        raise ValueError("there is nothing to plot: the section widths was not measured")
    batches = sorted({result.details["batch"] for result in sweep})
    figure, (share, ratio) = pyplot.subplots(1, 2, figsize=(13, 4.8), layout="constrained")
    colours = pyplot.get_cmap("viridis")
    for at, batch in enumerate(batches):
        points = _points(sweep, batch)
        colour = colours(0.85 * at / max(1, len(batches) - 1))
        share.plot(
            *zip(*((width, r.share or 0.0) for width, r in points), strict=True), "o-", color=colour, label=batch
        )
    share.set(title="Share of the peak FMA rate that a step's products reach", ylabel="share", ylim=(0, 1))
    share.yaxis.set_major_formatter(PercentFormatter(1))
    share.legend(title="batch", loc="upper left", frameon=False)

    batch = COMPARED_BATCH if COMPARED_BATCH in batches else batches[-1]
    points = _points(sweep, batch)
    for name in dict.fromkeys(name for _, result in points for name in peers_of(result)):
        there = [(width, result.ratio(name)) for width, result in points if name in result.seconds]
        ratio.plot(*zip(*there, strict=True), "o-", label=name)
    ratio.axhline(1, color="black", linewidth=1, linestyle="--", label="nnlite")
    ratio.set(title=f"Peers' time over nnlite's, batch {batch}", ylabel="ratio", yscale="log")
    ratio.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ratio.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    ticks = [2**power for power in range(9)]
    for axes in (share, ratio):
        axes.set_xscale("log", base=2)
        axes.set_xlabel("width of both layers")
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _points(sweep: Sequence[Result], batch: int) -> list[tuple[int, Result]]:
    chosen = [result for result in sweep if result.details["batch"] == batch]
    return sorted(((result.details["network"]["sizes"][0], result) for result in chosen), key=lambda point: point[0])
