"""Functions that a module calls before and after its own methods."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from .. import _core
from .._core import Tensor
from ..autograd.hooks import RemovableHandle, watched

_numbers = itertools.count()

Hook = Callable[..., Any]


Entry = tuple[Hook, bool, bool]  # with_kwargs, always_call
Hooks = dict[int, Entry]


class BackwardHooks:
    """One call of a module with backward hooks: the gradients of its output and its arguments, as they arrive."""

    def __init__(self, module: Any, pre: list[Hook], hooks: list[Hook], inputs: int) -> None:
        self._module, self._pre, self._hooks = module, pre, hooks
        self._grad_input: list[Tensor | None] = [None] * inputs
        self._grad_output: tuple[Any, ...] = ()
        self._watched = self._arrived = 0

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, whose gradients come to `_input_gradient`."""
        return tuple(self._watch_input(i, value) for i, value in enumerate(args))

    def _watch_input(self, at: int, value: Any) -> Any:
        if not isinstance(value, Tensor) or not value.requires_grad:
            return value
        self._watched += 1
        return watched(value, lambda gradient: self._input_gradient(at, gradient))

    def watch_output(self, output: Any) -> Any:
        """The output, whose gradient comes first."""
        if not isinstance(output, Tensor):
            raise RuntimeError(f"backward hooks need a module that returns one tensor, got {type(output).__name__}")
        return watched(output, self._output_gradient) if output.requires_grad else output

    def _output_gradient(self, gradient: Tensor) -> Tensor:
        self._grad_output, self._arrived = (gradient,), 0
        for hook in self._pre:
            result = hook(self._module, self._grad_output)
            if result is not None:
                self._grad_output = result if isinstance(result, tuple) else (result,)
        if self._watched == 0:
            self._call()
        return self._grad_output[0]  # type: ignore[no-any-return]

    def _input_gradient(self, at: int, gradient: Tensor) -> Tensor:
        self._grad_input[at] = gradient
        self._arrived += 1
        if self._arrived == self._watched:
            self._call()
        return self._grad_input[at]  # type: ignore[return-value]

    def _call(self) -> None:
        for hook in self._hooks:
            result = hook(self._module, tuple(self._grad_input), self._grad_output)
            if result is None:
                continue
            if self._watched > 1:
                raise RuntimeError("a backward hook of a module with several inputs cannot replace their gradients")
            self._grad_input = list(result) if isinstance(result, tuple) else [result]


class Hooked:
    """A module's hooks by kind; created with the first hook."""

    _hooks: dict[str, Hooks] | None = None

    def _register_hook(
        self, kind: str, hook: Hook, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        if not callable(hook):
            raise TypeError(f"a hook must be callable, got {hook!r}")
        if self._hooks is None:
            self.__dict__["_hooks"] = {}
        hooks = self.__dict__["_hooks"].setdefault(kind, {})
        number = next(_numbers)
        hooks[number] = (hook, with_kwargs, always_call)
        if prepend:
            others = [key for key in hooks if key != number]
            for key in others:
                hooks[key] = hooks.pop(key)
        return RemovableHandle(hooks, number)

    def _entries_of(self, kind: str) -> list[Entry]:
        return list(self._hooks.get(kind, {}).values()) if self._hooks else []

    def hooks_of(self, kind: str) -> list[Hook]:
        """The hooks of a kind, in the order of their calls."""
        return [hook for hook, *_ in self._entries_of(kind)]

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, args)` before each forward; what it returns, unless None, replaces the arguments.

        `with_kwargs`: `hook(module, args, kwargs)`, which returns (args, kwargs) or None. `prepend` puts it before the others.
        A step that calls hooks is captured like any forward: one that reads values or keeps them needs `fit(compile=False)`.
        """
        return self._register_hook("forward_pre", hook, prepend, with_kwargs)

    def register_forward_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, args, output)` after each forward; what it returns, unless None, replaces the output.

        `with_kwargs`: `hook(module, args, kwargs, output)`. `always_call`: also after an exception, with the output None.
        """
        return self._register_hook("forward", hook, prepend, with_kwargs, always_call)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(module, grad_input, grad_output)` in `backward()`, tuples of the gradients of arguments and output.

        What it returns, unless None, replaces the gradient of a single input. The module must return one tensor, and a step
        with it cannot be captured (`fit(compile=False)`).
        """
        return self._register_hook("backward", hook, prepend)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(module, grad_output)` before the module's part of `backward()`; what it returns replaces grad_output."""
        return self._register_hook("backward_pre", hook, prepend)

    def register_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Calls `hook(module, prefix, keep_vars)` before `state_dict` reads this module."""
        return self._register_hook("state_dict_pre", hook)

    def register_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Calls `hook(module, state_dict, prefix, local_metadata)` after `state_dict` has read this module and those below."""
        return self._register_hook("state_dict_post", hook)

    def register_load_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Calls `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)` before loading.

        It may change the dictionary, which is a copy, and add to the lists.
        """
        return self._register_hook("load_state_dict_pre", hook)

    def register_load_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Calls `hook(module, incompatible_keys)` after loading; it may change the lists."""
        return self._register_hook("load_state_dict_post", hook)

    def _forward_with_hooks(self, forward: Hook, args: Any, kwargs: Any) -> Any:
        try:
            for hook, with_kwargs, _ in self._entries_of("forward_pre"):
                if with_kwargs:
                    args, kwargs = self._replaced(hook, args, kwargs)
                else:
                    result = hook(self, args)
                    args = args if result is None else result if isinstance(result, tuple) else (result,)
            backward = self._backward_hooks(len(args))
            watched = args if backward is None else backward.watch_inputs(args)
            output = forward(*watched, **kwargs)
            for hook, with_kwargs, _ in self._entries_of("forward"):
                output = self._replaced_output(hook, with_kwargs, args, kwargs, output)
            if backward is not None:
                output = backward.watch_output(output)
        except BaseException:
            for hook, with_kwargs, always_call in self._entries_of("forward"):
                if always_call:
                    self._replaced_output(hook, with_kwargs, args, kwargs, None)
            raise
        return output

    def _backward_hooks(self, inputs: int) -> BackwardHooks | None:
        pre, hooks = self.hooks_of("backward_pre"), self.hooks_of("backward")
        return BackwardHooks(self, pre, hooks, inputs) if (pre or hooks) and _core.is_grad_enabled() else None

    def _replaced(self, hook: Hook, args: Any, kwargs: Any) -> tuple[Any, Any]:
        result = hook(self, args, kwargs)
        if result is None:
            return args, kwargs
        if isinstance(result, tuple) and len(result) == 2:
            return result
        raise RuntimeError(f"a forward pre-hook with kwargs must return None or (args, kwargs), got {result!r}")

    def _replaced_output(self, hook: Hook, with_kwargs: bool, args: Any, kwargs: Any, output: Any) -> Any:
        result = hook(self, args, kwargs, output) if with_kwargs else hook(self, args, output)
        return output if result is None else result
