"""The order of a graph's nodes: converters write some that read results of later nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cnnstat.errors import ModelError
from cnnstat.importers.naming import printable
from cnnstat.importers.onnx.inference import captured


def in_order(nodes: Sequence[Any], reference: str, has: Callable[[str], bool]) -> list[Any]:
    """Return nodes in an order in which they can run, the file's own where that is one.

    ``has`` tells of a tensor whether it is there before any of them. Raises ``ModelError`` where
    nodes read each other's results.
    """
    makers = {name: number for number, node in enumerate(nodes) for name in node.output if name}
    reads = [
        [makers[n] for n in (*node.input, *captured(node)) if n in makers and not has(n)]
        for node in nodes
    ]
    if all(maker < number for number, makers in enumerate(reads) for maker in makers):
        return list(nodes)
    order: list[int] = []
    state = [0] * len(nodes)  # 1: entered, 2: done
    for first in range(len(nodes)):
        stack = [first]
        while stack:
            number = stack[-1]
            if state[number] == 0:
                state[number] = 1
                for maker in reads[number]:
                    if state[maker] == 1:
                        node = nodes[number]
                        raise ModelError(
                            f"{reference}: {printable(node.name or node.op_type)} depends "
                            "on its own output; a graph has no cycles"
                        )
                    if state[maker] == 0:
                        stack.append(maker)
                continue
            stack.pop()
            if state[number] == 1:
                state[number] = 2
                order.append(number)
    return [nodes[number] for number in order]
