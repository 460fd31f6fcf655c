"""The targets as data, and how each is judged. One thread unless a target says otherwise; all within one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from nnlite.bench import startup
from nnlite.bench.prediction import PREDICT
from nnlite.bench.report import aligned, microseconds
from nnlite.bench.results import OWN, Result
from nnlite.bench.steps import OWN_LOOP, TWO_THREADS

from .findings import Findings, contested, fastest_peer, peers_of

PYTORCH, ONNX_RUNTIME = "PyTorch", "ONNX Runtime"


@dataclass(frozen=True)
class Evidence:
    """The figure, the subject it comes from (the worst of several), and the peers' figures."""

    value: float
    where: str = ""
    peers: str = ""
    bound: float | None = None  # replaces the target's, if it depends on the machine


@dataclass(frozen=True)
class Target:
    """A bound on a figure."""

    name: str
    bound: float
    unit: str
    at_least: bool
    evidence: Callable[[Findings], Evidence | None]


@dataclass(frozen=True)
class Verdict:
    """A target's result in a run; `met` is None if the run did not measure it."""

    name: str
    target: str
    figure: str
    where: str
    peers: str
    met: bool | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def _peers_text(result: Result, only: str | None = None) -> str:
    """The three fastest peers, or one."""
    others = sorted(peers_of(result).items(), key=lambda item: item[1])
    shown = [(name, seconds) for name, seconds in others if only in (None, name)][:3]
    return ", ".join(f"{name} {microseconds(seconds)}" for name, seconds in shown)


def _worst(
    results: Iterable[Result], figure: Callable[[Result], float], largest: bool = False, peer: str | None = None
) -> Evidence | None:
    found = list(results)
    if not found:
        return None
    worst = (max if largest else min)(found, key=figure)
    return Evidence(figure(worst), worst.name, _peers_text(worst, peer))


def _named(findings: Findings, section: str, name: str) -> list[Result]:
    return [result for result in findings.section(section) if result.name == name]


def _share(result: Result) -> float:
    return 100 * (result.share or 0.0)


def _lead(result: Result) -> float:
    fastest = fastest_peer(result)
    return fastest[1] if fastest else float("inf")


def _products(isa: str, group: str) -> Callable[[Findings], list[Result]]:
    def choose(findings: Findings) -> list[Result]:
        reports = [report for report in (findings.main, findings.avx2) if report is not None]
        return [
            result
            for report in reports
            if report.environment["instruction set"] == isa
            for result in report.results
            if result.section == "products" and result.details["group"] == group
        ]

    return choose


def _cube_share(isa: str, dtype: str) -> Callable[[Findings], Evidence | None]:
    choose = _products(isa, "cube")
    return lambda findings: _worst((r for r in choose(findings) if r.details["dtype"] == dtype), _share)


def _layer_lead(findings: Findings) -> Evidence | None:
    products = (r for r in findings.section("products") if r.details["group"] == "layer")
    return _worst(contested(products), _lead)


def _time(section: str, name: str, *contestants: str) -> Callable[[Findings], Evidence | None]:
    def microseconds(result: Result) -> float:
        return 1e6 * min(result.seconds[contestant] for contestant in contestants)

    return lambda findings: _worst(_named(findings, section, name), microseconds)


def _scaled_step(name: str, bound: float, pytorch: float) -> Callable[[Findings], Evidence | None]:
    """The same figure; its bound is scaled by PyTorch's time here over its time on the reference machine."""
    plain = _time("steps", name, OWN)

    def evidence(findings: Findings) -> Evidence | None:
        found, results = plain(findings), _named(findings, "steps", name)
        if found is None or PYTORCH not in results[0].seconds:
            return None
        return Evidence(found.value, found.where, found.peers, bound * 1e6 * results[0].seconds[PYTORCH] / pytorch)

    return evidence


def _over_floor(name: str) -> Callable[[Findings], Evidence | None]:
    return lambda findings: _worst(_named(findings, "steps", name), lambda result: 1 / (result.share or 1e-9))


def _adam_lead(findings: Findings) -> Evidence | None:
    steps = (r for r in findings.section("steps") if r.details.get("optimizer") == "Adam")
    return _worst(contested(steps), _lead)


def _width_lead(findings: Findings) -> Evidence | None:
    return _worst(contested(findings.section("widths")), _lead)


def _cliff(contestant: str) -> Callable[[Findings], Evidence | None]:
    """The largest increase in time from one width to the next, relative to the increase in arithmetic."""

    def evidence(findings: Findings) -> Evidence | None:
        series: dict[int, list[tuple[int, float]]] = {}
        for result in findings.section("threads"):
            sizes = result.details["network"]["sizes"]
            if len(set(sizes)) == 1:
                series.setdefault(result.details["batch"], []).append((sizes[0], result.seconds[contestant]))
        found = [
            ((after / before) / (wide / narrow) ** 2, f"width {narrow} to {wide}, batch {batch}")
            for batch, points in series.items()
            for (narrow, before), (wide, after) in zip(sorted(points), sorted(points)[1:], strict=False)
        ]
        return Evidence(*max(found)) if found else None

    return evidence


def _speed_up(result: Result) -> float:
    return result.seconds[OWN] / result.seconds[TWO_THREADS]


def _speed_up_of(*names: str) -> Callable[[Findings], Evidence | None]:
    return lambda findings: _worst((r for r in findings.section("threads") if not names or r.name in names), _speed_up)


def _own_loop_time(findings: Findings) -> Evidence | None:
    chosen = (r for r in findings.section("steps") if r.name in SMALL)
    return _worst(chosen, lambda result: 1e6 * result.seconds[OWN_LOOP], largest=True)


def _own_loop_lead(findings: Findings) -> Evidence | None:
    chosen = (r for r in findings.section("steps") if r.name in SMALL and PYTORCH in r.seconds)
    return _worst(chosen, lambda result: result.seconds[PYTORCH] / result.seconds[OWN_LOOP], peer=PYTORCH)


def _lead_of(section: str, peer: str, choose: Callable[[Result], bool]) -> Callable[[Findings], Evidence | None]:
    def evidence(findings: Findings) -> Evidence | None:
        chosen = (r for r in findings.section(section) if peer in r.seconds and choose(r))

        def lead(result: Result) -> float:
            return result.seconds[peer] / min(result.seconds[name] for name in (OWN, PREDICT) if name in result.seconds)

        return _worst(chosen, lead, peer=peer)

    return evidence


def _figure(name: str) -> Callable[[Findings], Evidence | None]:
    def evidence(findings: Findings) -> Evidence | None:
        value = findings.figure(name)
        return None if value is None else Evidence(value)

    return evidence


TINY, SMALLER, SMALLEST_CLASSIFIER = "24-8-2 Tanh (batch 200)", "64-128-10 (batch 32)", "2-16-16-2 (batch 32)"
SMALL = (TINY, SMALLEST_CLASSIFIER, SMALLER)
MNIST, WIDE, WIDEST = "784-128-10 (batch 64)", "784-512-512-10 (batch 128)", "784-2048-2048-10 (batch 512)"
COMPARED_FUNCTIONS = ("exp", "log", "tanh", "sigmoid", "erf")
SLACK = 0.95  # noise of the machine where two threads are expected to tie with one
LARGEST_CLIFF = 2.0  # one register tile more than the previous width: less than twice the time

# Name, bound in µs on the reference machine, and PyTorch's µs there.
_STEPS = ((TINY, 4.0, 129.0), (SMALLEST_CLASSIFIER, 2.5, 142.0), (SMALLER, 9.0, 140.0))

TARGETS = (
    *(
        Target(f"product {dtype} of 512³ to 2048³, {isa}", bound, "% of FMA peak", True, _cube_share(isa, dtype))
        for isa, bound in (("avx512", 92), ("avx2", 90))
        for dtype in ("float32", "float64")
    ),
    Target("products of layers, fastest peer's time", 1.1, "x", True, _layer_lead),
    *(Target(f"step {name}", bound, "µs", False, _time("steps", name, OWN)) for name, bound, _ in _STEPS),
    *(
        Target(f"step {name}, scaled by PyTorch's time", bound, "µs", False, _scaled_step(name, bound, pytorch))
        for name, bound, pytorch in _STEPS
    ),
    *(
        Target(f"step {name}", bound, "x FMA floor", False, _over_floor(name))
        for name, bound in ((MNIST, 1.25), (WIDE, 1.18), (WIDEST, 1.15))
    ),
    Target("steps with Adam, fastest peer's time", 1.0, "x", True, _adam_lead),
    Target("widths 1 to 256, batches 1 to 1024, fastest peer's time", 1.0, "x", True, _width_lead),
    Target("no cliff from width to width", LARGEST_CLIFF, "x the arithmetic's growth", False, _cliff(OWN)),
    Target("the same on two threads", LARGEST_CLIFF, "x the arithmetic's growth", False, _cliff(TWO_THREADS)),
    Target("two threads on the two largest networks", 1.85, "x one thread", True, _speed_up_of(WIDE, WIDEST)),
    Target("two threads anywhere", SLACK, "x one thread", True, _speed_up_of()),
    Target("own loop on the three smallest networks", 15, "µs", False, _own_loop_time),
    Target("the same, PyTorch's time", 8, "x", True, _own_loop_lead),
    Target("one row of 784-128-10", 4, "µs", False, _time("prediction", "1 row of 784-128-10", OWN, PREDICT)),
    Target("one row of 24-8-2", 2, "µs", False, _time("prediction", "1 row of 24-8-2", OWN, PREDICT)),
    Target(
        "10,000 rows of 784-512-10, ONNX Runtime's time", 1.2, "x", True,
        _lead_of("prediction", ONNX_RUNTIME, lambda result: result.details["rows"] > 1),
    ),
    Target(
        "exp, log, tanh, sigmoid, erf, PyTorch's time", 1.0, "x", True,
        _lead_of("functions", PYTORCH, lambda result: result.details["function"] in COMPARED_FUNCTIONS),
    ),
    Target("epoch of MNIST in a fresh process", 0.5, "s", False, _figure(startup.EPOCH)),
    Target("its peak memory above the data", 40, "MB", False, _figure(startup.EPOCH_MEMORY)),
)  # fmt: skip


def judge(findings: Findings, quick: bool = False) -> list[Verdict]:
    """Judges every target; a quick run's figures are too uncertain to judge."""
    verdicts = [_verdict(target, target.evidence(findings)) for target in TARGETS]
    return [replace(verdict, met=None) for verdict in verdicts] if quick else verdicts


def _verdict(target: Target, evidence: Evidence | None) -> Verdict:
    bound = target.bound if evidence is None or evidence.bound is None else evidence.bound
    wanted = f"{'≥' if target.at_least else '≤'} {bound:.4g} {target.unit}"
    if evidence is None:
        return Verdict(target.name, wanted, "-", "", "", None)
    met = evidence.value >= bound if target.at_least else evidence.value <= bound
    return Verdict(target.name, wanted, f"{evidence.value:.4g}", evidence.where, evidence.peers, met)


def table(verdicts: list[Verdict]) -> str:
    """The targets measured, and how many were not; after a quick run, none are judged."""
    measured = [verdict for verdict in verdicts if verdict.met is not None]
    if not measured and any(verdict.figure != "-" for verdict in verdicts):
        return "not judged: --quick measurements are too short to judge targets"
    rows = [["target", "wanted", "figure", "", "at", "peers there, µs"]]
    rows += [[v.name, v.target, v.figure, "met" if v.met else "NOT MET", v.where, v.peers] for v in measured]
    met = sum(verdict.met is True for verdict in measured)
    return f"{aligned(rows)}\n\n{met} of {len(measured)} met; {len(verdicts) - len(measured)} not measured"
