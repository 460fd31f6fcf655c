"""ONNX Runtime: prediction only."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

import onnxruntime

from nnlite.bench.networks import Network
from nnlite.bench.prediction import Prediction
from nnlite.bench.results import Subject
from nnlite.bench.timing import Repeat, repeated

NAME = "ONNX Runtime"
_OPSET, _IR_VERSION = 18, 9  # old enough for every version in use

_threads = 1


def prepare(threads: int, quick: bool) -> str | None:
    """Stores the number of threads; returns the reason why it cannot take part, if any."""
    global _threads
    _threads = threads
    if importlib.util.find_spec("onnx") is None:
        return "onnx, which builds ONNX Runtime's models, is not installed: its columns are omitted"
    return None


def contestants(subject: Subject) -> Mapping[str, Repeat]:
    """Predictions."""
    if not isinstance(subject, Prediction):
        return {}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = _threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph(subject.network), options, providers=["CPUExecutionProvider"])
    x = subject.network.data(subject.rows)[0]
    return {NAME: repeated(lambda: session.run(None, {"x": x}))}


def graph(network: Network) -> bytes:
    """The network as an ONNX model of x (rows, inputs)."""
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, constants, value = [], [], "x"
    weights = network.weights()
    for at, (weight, bias) in enumerate(weights):
        last = at == len(weights) - 1
        constants += [numpy_helper.from_array(weight, f"weight{at}"), numpy_helper.from_array(bias, f"bias{at}")]
        output = "y" if last else f"sum{at}"
        nodes.append(helper.make_node("Gemm", [value, f"weight{at}", f"bias{at}"], [output]))
        if not last:
            value = f"activated{at}"
            nodes.append(helper.make_node("Tanh" if network.activation == "Tanh" else "Relu", [output], [value]))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", size])
        for name, size in (("x", network.sizes[0]), ("y", network.sizes[-1]))
    ]
    body = helper.make_graph(nodes, "network", ends[:1], ends[1:], constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    checker.check_model(model)
    found: bytes = model.SerializeToString()
    return found
