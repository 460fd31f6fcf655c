"""Commands called from Python: any objects as standard streams, and nothing changed afterwards."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import types

import pytest

from nnlite.cli import main
from nnlite.cli.streams import json_text, say, usable_streams

TRAIN = ["train", "moons", "--epochs", "2", "--hidden", "4", "--progress", "plain"]


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


class Broken(io.StringIO):
    """A pipe without a reader."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


MAKE = {
    "none": lambda: None, "closed": closed, "text": io.StringIO, "broken": Broken, "full": Full,
    "bare": lambda: types.SimpleNamespace(write=len, flush=lambda: None),
}  # fmt: skip


@pytest.mark.parametrize("err", MAKE)
@pytest.mark.parametrize(
    ("out", "code"), [("none", 0), ("closed", 0), ("text", 0), ("bare", 0), ("broken", 141), ("full", 1)]
)
def test_train(monkeypatch, out, err, code):
    streams = MAKE[out](), MAKE[err]()
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    assert main(TRAIN) == code
    assert (sys.stdout, sys.stderr) == streams
    if out == "text":
        assert "held-out accuracy" in streams[0].getvalue()
        assert "epoch 2/2" not in streams[0].getvalue()


@pytest.mark.parametrize("err", MAKE)
@pytest.mark.parametrize(
    ("arguments", "code"), [(["train", "--hidden", "x"], 2), (["info", "nosuch"], 1), (["--help"], 0)]
)
def test_errors_and_help(monkeypatch, err, arguments, code):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", MAKE[err]())
    try:
        found = main(arguments)
    except SystemExit as stop:
        found = stop.code
    assert found == code
    assert "error" not in out.getvalue()
    assert bool(out.getvalue()) == (code == 0)


def test_characters_outside_the_encoding_are_escaped_and_the_stream_is_unchanged(monkeypatch):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", stream)
    with usable_streams():
        print("é猫\udce9", flush=True)
    assert raw.getvalue() == b"\xe9\\u732b\\udce9\n"
    assert (sys.stdout, stream.errors) == (stream, "strict")


def test_no_message_without_standard_error_goes_to_standard_output(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    say("nothing")
    assert capsys.readouterr().out == ""


def test_paths_of_numbers_that_json_cannot_represent(capsys):
    text = json_text({"a": [float("nan")] * 5, "b": {"c": float("inf")}})
    assert json.loads(text, parse_constant=pytest.fail) == {"a": [None] * 5, "b": {"c": None}}
    assert (
        capsys.readouterr().err == "nnlite: note: a[0], a[1], a[2] and 3 more: not a finite number, null in the JSON\n"
    )


def test_a_program_that_only_imports_the_library_keeps_its_ctrl_c(tmp_path):
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / "__init__.py").write_text("import nnlite\n")
    (tmp_path / "tool" / "__main__.py").write_text("import signal; print(signal.getsignal(signal.SIGINT).__name__)\n")
    command = [sys.executable, "-m", "tool", "nnlite"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "default_int_handler"


def test_a_report_on_standard_output_is_ascii(monkeypatch, capsys):
    from nnlite.bench import suite

    found = types.SimpleNamespace(as_dict=lambda: {"environment": {"unit": "µs"}, "seconds": float("nan")})
    monkeypatch.setattr(suite, "run", lambda *_, **__: found)
    assert main(["bench", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert out.isascii()
    assert json.loads(out) == {"environment": {"unit": "µs"}, "seconds": None}
    assert "seconds: not a finite number" in err
