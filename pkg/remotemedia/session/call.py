"""Call: what a chain calls for an input port, the node's `process` in what was put around it.

From the inside: the node, its policy, the join of its inputs, or what its state (bypass, disabled)
puts in its place; intercepts and taps of its outputs, the watch over the format, the check of the
format, intercepts and taps of the port. Nothing of it is there unless it is
used; what changes while the session runs, changes by composing the call anew.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any, Literal, NamedTuple

import msgspec

from remotemedia.caps import Caps
from remotemedia.data import DATA_TYPES, Audio, Data
from remotemedia.errors import NodeError
from remotemedia.node import Emit, Node, is_async
from remotemedia.session.adapter import Adapter, adapted
from remotemedia.session.chain import Step
from remotemedia.session.guard import describe, make_guard, refuse
from remotemedia.session.policies.join import has_process_joined
from remotemedia.session.results import items_of, outputs_of
from remotemedia.session.timers import JOIN, OUT, WAKE

Call = Callable[[Data], Any]
State = Literal["enabled", "bypass", "disabled"]
"""Of a node: at work; handing its input on; dropping it."""


class Port(NamedTuple):
    """What does not change about an input port.

    Attributes
    ----------
    name : str
    caps : Caps
        What it accepts.
    process : callable
        What the node does with an item.
    checked : bool
        Whether what arrives may be something that is not accepted.
    auto : bool
        Whether it is converted then.
    """

    name: str
    caps: Caps
    process: Call
    checked: bool = False
    auto: bool = False


def compose(step: Step, port: Port) -> Call:
    """The call of a port, as things are now."""
    call = port.process
    own = port.name.startswith("\0")  # of the session
    if step.state != "enabled" and not port.name.startswith(OUT):
        call = _instead(step, port)
    elif not own:
        if step.policy is not None:
            call = step.policy.wrap(call)
        if step.outer is not None:
            call = step.outer.wrap(call, port.name, _together(step))
    for name, filters in step.output_filters.items():
        for each in filters:
            call = each.behind(call, name, step.default)
    if step.output_taps and not is_async(step.node):
        call = _tapped_behind(call, step)
    if type(step.node).reconfigure is not Node.reconfigure:
        call = _watched(call, step, port.name)
    if port.checked:
        call = _checked(call, step, port)
    for each in step.input_filters.get(port.name, ()):
        call = each.before(call)
    taps = step.input_taps.get(port.name)
    return _tapped_before(call, taps) if taps else call


def tail_of(result: Any, step: Step) -> Any:
    """What a synchronous node returned at its end, as it leaves it."""
    for name, filters in step.output_filters.items():
        for each in filters:
            result = each.each(result, name, step.default)
    return tapped(result, step) if step.output_taps else result


def tapped(result: Any, step: Step) -> Any:
    """What a node returned, shown to the taps of its outputs as it flows on."""
    if result is None:
        return None
    kind = result.__class__
    if kind in DATA_TYPES or kind is Emit:
        _show(result, step)
        return result
    if kind is list or kind is tuple:
        for item in result:
            _show(item, step)
        return result
    return _each_shown(result, step) if hasattr(result, "__next__") else result


def _each_shown(items: Iterator[Any], step: Step) -> Iterator[Any]:
    for item in items:
        _show(item, step)
        yield item


def _show(item: Any, step: Step) -> None:
    port: Any = step.default
    if item.__class__ is Emit:
        port, item = item
    if item.__class__ in DATA_TYPES:
        for tap in step.output_taps.get(port, ()):
            tap(item)


def _tapped_behind(call: Call, step: Step) -> Call:
    return lambda data: tapped(call(data), step)


def _tapped_before(call: Call, taps: tuple[Callable[[Data], None], ...]) -> Call:
    def shown(data: Data) -> Any:
        for tap in taps:
            tap(data)
        return call(data)

    shown.__wrapped__ = call  # type: ignore[attr-defined]
    return shown


def _instead(step: Step, port: Port) -> Call:
    """What is done in the place of a call of a node that is not enabled."""
    if port.name == WAKE:
        return _unheard(step, port.process)
    hands_on = step.state == "bypass"
    dropped = step.dropped

    def call(data: Data) -> Data | None:
        if hands_on:
            return data
        dropped["disabled"] = dropped.get("disabled", 0) + 1
        return None

    async def answer(data: Data) -> Data | None:
        return call(data)

    return answer if is_async(step.node) else call


def _unheard(step: Step, wake: Call) -> Call:
    """A node's own timers ring even if it is not enabled, so that it sets them again."""

    def call(token: Data) -> None:
        if token.text != JOIN:  # type: ignore[attr-defined]
            for _ in outputs_of(wake(token)):
                pass

    async def answer(token: Data) -> None:
        if token.text != JOIN:  # type: ignore[attr-defined]
            async with aclosing(items_of(wake(token))) as items:
                async for _ in items:
                    pass

    return answer if is_async(step.node) else call


def _together(step: Step) -> Call | None:
    """What a node does with a set of items, if it takes them so."""
    if not has_process_joined(step.node):
        return None
    call: Any = step.node.process_joined
    together: Call = step.policy.wrap(call) if step.policy is not None else call
    return together


def _watched(call: Call, step: Step, port: str) -> Call:
    """The call of a node that is told when the format of a port changes."""
    seen = step.seen

    def watched(data: Data) -> Any:
        if data.__class__ is Audio:
            samples = data.samples
            now: tuple[object, ...] = (data.sample_rate, samples.dtype, len(samples))
        else:
            now = (data.__class__, *map(str, data.caps_fields().items()))
        last = seen.get(port)
        if now != last:
            if last and step.context is not None:
                inputs = {**step.context.inputs, port: describe(data)}
                step.context = msgspec.structs.replace(step.context, inputs=inputs)
                step.node.reconfigure(step.context)
            seen[port] = now
        return call(data)

    watched.__wrapped__ = call  # type: ignore[attr-defined]
    return watched


def _checked(call: Call, step: Step, port: Port) -> Call:
    """The call of a port that may be given what it does not accept."""
    caps, name = port.caps, port.name
    if port.auto:
        adapter = step.adapters.get(name)
        if adapter is None:
            adapter = step.adapters[name] = Adapter(step.id, name, caps, step.clock)
        return adapted(call, adapter)
    accepts = make_guard(caps)

    def checked(data: Data) -> Any:
        if accepts(data):
            return call(data)
        raise refuse(data, caps, step.id, name)

    checked.__wrapped__ = call  # type: ignore[attr-defined]
    return checked


def process_of(node: Node, port: str, several: bool) -> Call:
    """What a node does with an item of a port."""
    process: Callable[..., Any] = node.process
    if not several:
        return process
    if has_process_joined(node) and type(node).process is Node.process:

        def refuse_alone(data: Data) -> Any:
            raise NodeError(
                f"{type(node).__name__} takes only what belongs together, by process_joined(): "
                "say what does by a policy, {join: {mode: zip}} for example"
            )

        return refuse_alone

    def call(data: Data) -> Any:
        return process(data, port)

    call.__wrapped__ = process  # type: ignore[attr-defined]
    return call


def wake_of(step: Step) -> Call:
    """What is done when a timer has run out: that of a join, or one that the node has set."""
    node, wake = step.node, step.node.wake
    outer = step.outer

    async def answer(token: str) -> Any:
        return wake(token)

    waits = inspect.iscoroutinefunction(wake) or inspect.isasyncgenfunction(wake)
    own = answer if is_async(node) and not waits else wake

    def call(token: Data) -> Any:
        text = token.text  # type: ignore[attr-defined]
        return outer.expire() if text == JOIN else own(text)

    call.__wrapped__ = own  # type: ignore[attr-defined]
    return call


def publish_of(step: Step, name: str) -> Call:
    """What is done with an item that is put in behind an output port."""

    async def answer(data: Data) -> Emit:
        return Emit(name, data)

    return answer if is_async(step.node) else lambda data: Emit(name, data)


def sets_timers(node: Node) -> bool:
    """Whether a node may be woken by timers of its own."""
    return type(node).wake is not Node.wake


def can_wake(step: Step) -> bool:
    """Whether there may be timers: the node's own, or of the join of its inputs."""
    return step.outer is not None or sets_timers(step.node)
