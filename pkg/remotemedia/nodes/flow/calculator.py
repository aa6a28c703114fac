"""Calculator: one operation on two numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

from remotemedia.data import Json
from remotemedia.errors import DataError
from remotemedia.node import Node, NodeParams

Number = int | float
Operation = Literal["add", "subtract", "multiply", "divide"]

OPERATIONS: dict[str, Callable[[Number, Number], Number]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
}


class Calculator(Node):
    """Adds, subtracts, multiplies or divides two numbers.

    Input cases. ``{"operation": "add", "operands": [a, b]}`` names everything. What it leaves out
    comes from the parameters: the operation, and the second operand where `operands` has one
    number. A bare number is the first operand. The output is ``{"result": number}``, with the time
    stamp, stream and metadata of the input. Integers stay integers except in a division. Anything
    else, a division by zero, and a result beyond the range of 64 bits are errors.

    Latency: none.

    Examples
    --------
    ::

        - {id: double, node_type: Calculator, params: {operation: multiply, operand: 2}}
    """

    class Params(NodeParams, frozen=True):
        operation: (
            Annotated[
                Operation, msgspec.Meta(description="What to do where the data does not say it.")
            ]
            | None
        ) = None
        operand: (
            Annotated[
                int | float,
                msgspec.Meta(description="The second number, where the data has just one."),
            ]
            | None
        ) = None

    input_caps = "json"
    output_caps = "json"

    params: Params

    def process(self, data: Json) -> Json:
        """The result."""
        operation, operands = self._read(data.value)
        if not isinstance(operation, str) or operation not in OPERATIONS:
            given = "none is given" if operation is None else f"not {operation!r:.100}"
            raise DataError(
                f"Calculator: operation must be one of {', '.join(OPERATIONS)}; {given}"
            )
        for number in operands:
            if type(number) not in (int, float):
                raise DataError(f"Calculator: operands must be numbers, not {number!r:.100}")
        if len(operands) != 2:
            raise DataError(
                f"Calculator: {operation} takes two operands, not {len(operands)}: give both in "
                "the data, or the second as parameter 'operand'"
            )
        a, b = operands
        try:
            result = OPERATIONS[operation](a, b)  # type: ignore[arg-type]
        except ZeroDivisionError:
            raise DataError(f"Calculator: division by zero: {a!r} / {b!r}") from None
        except OverflowError:
            raise DataError(f"Calculator: the result of {operation} is out of range") from None
        return Json({"result": result}, data.pts_us, data.stream_id, data.metadata)

    def _read(self, value: object) -> tuple[object, list[object]]:
        operation: object = self.params.operation
        operands: list[object] = [value]
        if isinstance(value, dict):
            operation = value.get("operation", operation)
            given = value.get("operands")
            if not isinstance(given, list | tuple):
                raise DataError(
                    f"Calculator: operands must be a list, not {given!r:.100}: "
                    'give {"operands": [1, 2]}'
                )
            operands = list(given)
        if len(operands) == 1 and self.params.operand is not None:
            operands.append(self.params.operand)
        return operation, operands
