"""The benchmarks: arithmetic, fairness and command line; no test depends on a time."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nnlite.bench import SECTIONS
from nnlite.bench.limits import Limits
from nnlite.bench.networks import Network
from nnlite.bench.products import FORMS, Product
from nnlite.bench.results import OWN, Figure, Result, Work, measure
from nnlite.bench.startup import training_data
from nnlite.bench.steps import Step, threads, widths
from nnlite.bench.suite import SUBJECTS, Report, Settings
from nnlite.bench.timing import Pace, calibrate, repeated, take_turns

ROOT = Path(__file__).parents[2]
LIMITS = Limits(float32=100e9, float64=50e9, bandwidth=10e9)
SHORT = Pace(rounds=2, least_seconds=1e-5)

needs_sources = pytest.mark.skipif(not (ROOT / "bench").is_dir(), reason="needs the sources")


@pytest.fixture
def bench(monkeypatch):
    """Imports a module of bench/, which wheels do not contain."""
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: importlib.import_module(f"bench.{name}")


class TestTiming:
    def test_contestants_run_in_turn(self):
        calls = []
        contestants = {name: (lambda times, name=name: calls.append((name, times))) for name in "abc"}
        timings = take_turns(contestants, Pace(rounds=4, least_seconds=1e-7))
        assert [name for name, _ in calls[-12:]] == list("abc" * 4)
        assert all(len(timing.seconds) == 4 for timing in timings.values())

    def test_short_work_is_repeated_until_it_can_be_measured(self):
        seen = []
        times = calibrate(lambda n: seen.append(n) or sum(range(1000 * n)), 1e-3)
        assert times == seen[-1] > 1
        assert seen == sorted(seen)

    def test_repeated(self):
        calls = []
        repeated(lambda: calls.append(1))(5)
        assert len(calls) == 5

    def test_a_contestant_that_ignores_its_argument(self):
        with pytest.raises(RuntimeError, match="does the contestant honour"):
            calibrate(lambda _: None, 1.0)

    def test_the_garbage_collector_is_restored(self):
        import gc

        def fail(times: int) -> None:
            if not gc.isenabled():
                raise RuntimeError

        with pytest.raises(RuntimeError):
            take_turns({OWN: fail}, SHORT)
        assert gc.isenabled()

    @pytest.mark.parametrize(("field", "value"), [("rounds", 0), ("least_seconds", 0.0)])
    def test_bad_pace(self, field, value):
        with pytest.raises(ValueError, match=field):
            dataclasses.replace(SHORT, **{field: value})


class TestFloors:
    def test_flops_of_a_step(self):
        """Forward and weight gradients of both layers, the input gradient of only the second."""
        network = Network((3, 5, 2))
        assert network.step_flops(7) == 2 * 7 * (3 * 5 + 5 * 2) * 2 + 2 * 7 * 5 * 2
        assert network.forward_flops(7) == 2 * 7 * (3 * 5 + 5 * 2)
        assert Network((784, 128, 10)).step_flops(64) == 2 * 64 * (2 * 101632 + 1280)

    @pytest.mark.parametrize("form", FORMS)
    def test_products_multiply_what_their_name_says(self, form):
        product = Product(form, "float64", 3, 4, 5)
        a, b = product.operands()
        left, right = a.T if form == "TN" else a, b.T if form == "NT" else b
        assert (left @ right).shape == (3, 4)
        assert product.work() == Work(1, 2.0 * 3 * 4 * 5, 8 * (3 * 5 + 5 * 4 + 3 * 4), "float64")

    def test_the_larger_limit_decides(self):
        assert LIMITS.floor("float32", 100e9, 1e9) == (1.0, "fma")
        assert LIMITS.floor("float64", 100e9, 1e9) == (2.0, "fma")
        assert LIMITS.floor("float32", 1e9, 1e9) == (0.1, "bandwidth")

    def test_time_is_that_of_one_unit(self):
        result = measure(Step(Network((2, 3, 2)), 4, 5), LIMITS, SHORT)
        assert result.unit == "step"
        assert set(result.seconds) == {OWN, "own loop"}
        assert result.share == result.floor / result.seconds[OWN]

    def test_the_floor_is_of_the_peak_in_the_same_rounds(self):
        step = Step(Network((2, 3, 2)), 4, 5)
        one = measure(step, LIMITS, SHORT)
        two = measure(step, dataclasses.replace(LIMITS, threads=1000), SHORT)
        assert 0 < two.floor < one.floor / 100  # a thousand threads, and a wide margin for noise


class TestSubjects:
    @pytest.mark.parametrize("section", SUBJECTS)
    def test_names_are_unique_and_in_their_section(self, section):
        for quick in (True, False):
            subjects = SUBJECTS[section](quick)
            assert {subject.section for subject in subjects} == {section}
            assert len({subject.name for subject in subjects}) == len(subjects)

    @pytest.mark.parametrize("section", SUBJECTS)
    def test_every_quick_subject_runs(self, section):
        for subject in SUBJECTS[section](True):
            for run in subject.contestants().values():
                run(1)

    def test_peers_are_listed_beside_nnlite(self):
        subject = SUBJECTS["functions"](True)[0]
        result = measure(subject, LIMITS, SHORT, lambda _: {"peer": repeated(lambda: None)})
        assert list(result.seconds) == [OWN, "peer"]
        assert result.ratio("peer") == result.seconds["peer"] / result.seconds[OWN]

    def test_the_sweeps_reach_from_one_to_256(self):
        for sweep in (widths, threads):
            found = [s for s in sweep() if len(set(s.network.sizes)) == 1]
            assert {1, 45, 46, 256} <= {s.network.sizes[0] for s in found}
            assert {1, 1024} <= {s.batch for s in found}


class TestSettings:
    def test_an_unknown_section_lists_the_known_ones(self):
        with pytest.raises(ValueError, match=r"section 'speed' is unknown.*limits, products"):
            Settings(("speed",))

    def test_no_thread(self):
        with pytest.raises(ValueError, match="threads must be at least 1"):
            Settings(threads=0)


def report(*results: Result, isa: str = "avx512", figures: list[Figure] | None = None) -> Report:
    return Report({"instruction set": isa}, LIMITS, list(results), figures or [])


def program(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **environment},
    )  # fmt: skip


class TestCommand:
    def test_only_json_on_standard_output(self):
        sections = ["limits", "widths", "prediction"]
        found = program("nnlite", "bench", *sections, "--quick", "--rounds", "1", "--json", "-")
        assert found.returncode == 0, found.stderr
        fields = json.loads(found.stdout)
        assert {item["section"] for item in fields["results"] + fields["figures"]} == set(sections)
        assert fields["limits"]["float32"] > fields["limits"]["float64"] > 0
        assert Report.from_dict(fields).as_dict() == fields
        assert "widths: 16-16-16 (batch 1)" in found.stderr

    def test_table_and_file(self, tmp_path):
        found = program("nnlite", "bench", "functions", "--quick", "--rounds", "1", "--json", str(tmp_path / "b.json"))
        assert "exp of 65,536 elements" in found.stdout
        assert "share" in found.stdout
        assert json.loads((tmp_path / "b.json").read_text())["environment"]["threads"] == 1

    @pytest.mark.parametrize("arguments", [["speed"], ["--rounds", "0"], ["--threads", "x"]])
    def test_wrong_usage(self, arguments, capsys):
        from nnlite.cli import main

        with pytest.raises(SystemExit, match="2"):
            main(["bench", *arguments])
        assert "error: " in capsys.readouterr().err

    def test_no_folder_for_the_report(self, capsys):
        from nnlite.cli import main

        assert main(["bench", "limits", "--quick", "--json", "/nosuch/report.json"]) == 1
        assert "the folder does not exist" in capsys.readouterr().err

    def test_a_folder_without_mnist(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="there is no train-images-idx3-ubyte"):
            training_data(tmp_path)

    def test_the_library_does_not_import_it(self, run_python):
        assert run_python("import nnlite, sys; print([m for m in sys.modules if 'nnlite.bench' in m])") == "[]"

    def test_every_section_is_known(self):
        assert set(SECTIONS) == {*SUBJECTS, "limits", "startup"}


@needs_sources
class TestWithPeers:
    def test_peers_join_the_quick_sections(self, bench):
        numpy_by_hand = bench("peers.numpy_by_hand")
        for section in ("products", "steps", "prediction"):
            for subject in SUBJECTS[section](True):
                for run in numpy_by_hand.contestants(subject).values():
                    run(1)

    def test_every_installed_peer_does_the_work(self, run_python):
        """In a separate process: settings and threads of the peers must not affect other tests."""
        code = """
import sys
sys.path.insert(0, ROOT)
from bench import peers
from nnlite.bench import calls, functions, kernels, prediction, products, steps
load = peers.load(1, True, lambda _: None)
tiny = [
    steps.Step(steps.Network((2, 3, 2)), 4, 2, "widths"), steps.square(1, 1, "widths"), products.Product("TN", "float32", 3, 4, 5),
    prediction.Prediction(steps.Network((2, 3, 2)), 1), kernels.Kernel("gather of shuffled rows", 16, 3),
    *(calls.Call(steps.Network((2, 3, 2)), 4, 2, what) for what in (calls.FIT, calls.EVALUATE, calls.PREDICT)),
    *(calls.Epoch(steps.Network((2, 3, 2)), 4, 2, between) for between in calls.BETWEEN),
    *(functions.Function(name, 8) for name in functions.FUNCTIONS), *(kernels.Kernel(name, 16, 3) for name in kernels.KERNELS),
]
names = set()
for subject in tiny:
    for name, run in load(subject).items():
        run(2)
        names.add(name)
print(" ".join(sorted(name.replace(" ", "") for name in names)))
"""
        names = run_python(code.replace("ROOT", repr(str(ROOT)))).split()
        assert {"NumPy", "PyTorch", "scikit-learn"} <= set(names)

    def test_the_command(self):
        pytest.importorskip("torch")
        found = program("bench", "functions", "--quick", "--rounds", "1", "--json", "-")
        assert found.returncode == 0, found.stderr
        fields = json.loads(found.stdout)
        assert all("PyTorch" in result["seconds"] for result in fields["results"])
        found = {target["name"]: target for target in fields["targets"]}
        assert found["exp, log, tanh, sigmoid, erf, PyTorch's time"]["figure"] != "-"
        assert found["epoch of MNIST in a fresh process"]["figure"] == "-"
        assert {target["met"] for target in found.values()} == {None}  # --quick measurements are too short to judge

    def test_wrong_arguments(self):
        for arguments, message in ((["--threads", "999"], "cores"), (["limits", "--plot", "x.png"], "--plot shows")):
            found = program("bench", *arguments)
            assert found.returncode in (1, 2)
            assert message in found.stderr
            assert found.stderr.count("\n") == 1

    def test_plot_without_matplotlib_is_an_error_before_any_measurement(self, bench, monkeypatch, capsys):
        command = bench("command")
        monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
        monkeypatch.setattr(command, "collect", lambda settings: pytest.fail("it measured"))
        assert command.main(["--plot", "widths.png"]) == 1
        assert "pip install matplotlib" in capsys.readouterr().err


@needs_sources
class TestTargets:
    def step(self, name: str, floor: float, **seconds: float) -> Result:
        return Result("steps", name, "step", seconds, floor, "fma")

    def verdicts(self, bench, *results: Result, figures: list[Figure] | None = None) -> dict[str, object]:
        findings = bench("findings").Findings(report(*results, figures=figures))
        return {verdict.name: verdict for verdict in bench("targets").judge(findings)}

    def test_a_target_not_measured_is_neither_met_nor_missed(self, bench):
        assert {verdict.met for verdict in self.verdicts(bench).values()} == {None}

    def test_a_quick_run_is_not_judged(self, bench):
        step = self.step("784-128-10 (batch 64)", 1e-4, nnlite=1.2e-4)
        targets, findings = bench("targets"), bench("findings")
        found = findings.Findings(report(step))
        assert any(verdict.met is not None for verdict in targets.judge(found))
        verdicts = targets.judge(found, quick=True)
        assert {verdict.met for verdict in verdicts} == {None}
        assert "1.2" in {verdict.figure for verdict in verdicts}
        assert targets.table(verdicts).startswith("not judged: --quick")

    @pytest.mark.parametrize(("seconds", "met"), [(1.2e-4, True), (1.3e-4, False)])
    def test_times_the_floor(self, bench, seconds, met):
        name = "784-128-10 (batch 64)"
        assert self.verdicts(bench, self.step(name, 1e-4, nnlite=seconds))[f"step {name}"].met is met

    def test_a_bound_scaled_by_pytorch(self, bench):
        name = "24-8-2 Tanh (batch 200)"
        found = self.verdicts(bench, self.step(name, 1e-6, nnlite=7e-6, **{"PyTorch": 258e-6, "own loop": 1e-5}))
        assert found[f"step {name}"].met is False
        assert found[f"step {name}, scaled by PyTorch's time"].met is True
        assert found[f"step {name}, scaled by PyTorch's time"].target.startswith("≤ 8 ")

    def test_the_worst_of_several_counts(self, bench):
        results = [
            Result("widths", name, "step", {OWN: 1.0, "JAX": jax, "NumPy": 9.0})
            for name, jax in (("a", 3.0), ("b", 0.5), ("c", 2.0))
        ]
        verdict = self.verdicts(bench, *results)["widths 1 to 256, batches 1 to 1024, fastest peer's time"]
        assert (verdict.figure, verdict.where, verdict.met) == ("0.5", "b", False)

    @pytest.mark.parametrize(("last", "met"), [(1.1, True), (9.0, False)])
    def test_a_cliff(self, bench, last, met):
        results = [
            Result("threads", str(width), "step", {OWN: t, "two threads": t}, details=dataclasses.asdict(step))
            for width, t in ((44, 0.9), (45, 1.0), (46, last))
            if (step := Step(Network((width,) * 3), 32, 4, "threads"))
        ]
        assert self.verdicts(bench, *results)["no cliff from width to width"].met is met

    def test_figures(self, bench):
        figures = [Figure("startup", "epoch of 784-128-10, import included", 0.4, "s")]
        assert self.verdicts(bench, figures=figures)["epoch of MNIST in a fresh process"].met is True

    def test_the_table_shows_what_was_measured(self, bench):
        targets = bench("targets")
        assert len(targets.TARGETS) == len({target.name for target in targets.TARGETS})
        figures = [Figure("startup", "epoch of 784-128-10, import included", 0.6, "s")]
        table = targets.table(list(self.verdicts(bench, figures=figures).values()))
        assert "epoch of MNIST in a fresh process  ≤ 0.5 s     0.6  NOT MET" in table
        assert table.endswith(f"0 of 1 met; {len(targets.TARGETS) - 1} not measured")

    def test_named_subjects_exist(self, bench):
        targets = bench("targets")
        names = {subject.name for section in ("steps", "threads") for subject in SUBJECTS[section](False)}
        assert {*targets.SMALL, targets.MNIST, targets.WIDE, targets.WIDEST} <= names


@needs_sources
class TestInstructions:
    @pytest.mark.parametrize(("factor", "flagged"), [(1.0, 0), (1.02, 0), (0.98, 0), (1.04, 1), (0.96, 1)])
    def test_moves_of_more_than_three_percent_are_flagged(self, bench, factor, flagged):
        recorded = {"a": 100_000, "b": 50_000}
        found = bench("instructions").differences(recorded, {**recorded, "b": round(50_000 * factor)})
        assert len(found) == flagged
        assert all("b: " in line and "recorded 50,000" in line for line in found)

    def test_missing_figures_are_flagged(self, bench):
        found = bench("instructions").differences({"a": 100_000, "b": 50_000}, {"a": 100_000, "c": 1})
        assert found == ["b: recorded, but no longer measured", "c: not recorded"]

    def test_other_tools_are_not_comparable(self, bench, monkeypatch, tmp_path, capsys):
        guard = bench("instructions")
        record = tmp_path / "instructions.json"
        record.write_text(json.dumps({"toolchain": {"compiler": "another"}, "instructions per step": {}}))
        monkeypatch.setattr(guard, "RECORD", record)
        monkeypatch.setattr(guard.shutil, "which", lambda _: "valgrind")
        monkeypatch.setattr(guard, "instructions_per_step", lambda: pytest.fail("nothing to count"))
        assert guard.main([]) == 0
        assert capsys.readouterr().out.startswith("not comparable: recorded with compiler another; here is compiler")

    def test_the_report_names_what_moved_and_how_to_record(self, bench, monkeypatch, tmp_path, capsys):
        guard = bench("instructions")
        monkeypatch.setattr(guard, "RECORD", tmp_path / "instructions.json")
        monkeypatch.setattr(guard.shutil, "which", lambda _: "valgrind")
        monkeypatch.setattr(guard.nl, "show_config", lambda: {"compiler": "c", "available_isas": ["avx2"]})
        monkeypatch.setattr(guard, "instructions_per_step", lambda: {"a": 100})
        assert guard.main(["--record"]) == 0
        assert guard.main([]) == 0
        monkeypatch.setattr(guard, "instructions_per_step", lambda: {"a": 120})
        assert guard.main([]) == 1
        out = capsys.readouterr().out
        assert "a: 120 instructions per step, +20.0 % from the recorded 100" in out
        assert "python -m bench.instructions --record" in out

    def test_workloads_run(self, bench):
        for work, _ in bench("workload").workloads().values():
            work(2)

    def test_the_record_covers_the_workloads(self, bench):
        guard = bench("instructions")
        if not guard.RECORD.is_file():
            pytest.skip("nothing is recorded yet")
        recorded = json.loads(guard.RECORD.read_text())
        assert recorded["instructions per step"].keys() == bench("workload").workloads().keys()
        assert recorded["toolchain"].keys() == guard.toolchain().keys()
