"""An order in which the calls of a network can run, and the shapes that a file records of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cnnstat.errors import ModelError
from cnnstat.importers.keras.structure import Arguments, LayerConfig, Network, Source


def in_order(network: Network, reference: str) -> list[tuple[LayerConfig, int]]:
    """Return the calls of a network in an order in which they can run, the file's where it can.

    Raises ``ModelError`` where calls wait for each other, or for a layer that does not exist.
    """
    calls = {
        (layer.name, number): (layer, {(s.layer, s.call) for s in call.sources()})
        for layer in network.layers
        for number, call in enumerate(layer.calls or (Arguments((), {}),))
    }
    ready = {(end.layer, end.call) for end in network.inputs}
    waiting = {key: len(sources - ready) for key, (_, sources) in calls.items()}
    readers: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for key, (_, sources) in calls.items():
        for source in sources - ready:
            readers.setdefault(source, []).append(key)
    queue = [key for key, count in reversed(waiting.items()) if count == 0]
    ordered: list[tuple[LayerConfig, int]] = []
    while queue:
        key = queue.pop()
        ordered.append((calls[key][0], key[1]))
        for reader in reversed(readers.get(key, ())):
            waiting[reader] -= 1
            if waiting[reader] == 0:
                queue.append(reader)
    if len(ordered) < len(calls):
        stuck = [name for (name, _), count in waiting.items() if count > 0]
        raise ModelError(f"{reference}: {', '.join(stuck[:3])} read tensors that no layer produces")
    return ordered


Recorded = Mapping[int, Source]
"""A call's results that are read, by number: their shapes, as far as the file records them."""


def recorded_shapes(
    network: Network, leaving: Sequence[tuple[int | None, ...] | None]
) -> dict[tuple[str, int], dict[int, Source]]:
    """Return the results of each call that are read, with their shapes where they are known.

    ``leaving`` are the shapes of the results that leave the network, where they are known.
    """
    recorded: dict[tuple[str, int], dict[int, Source]] = {}
    inside = [
        source for layer in network.layers for call in layer.calls for source in call.sources()
    ]
    known = [*leaving, *[None] * (len(network.outputs) - len(leaving))]
    outside = [s._replace(shape=shape) for s, shape in zip(network.outputs, known, strict=False)]
    for source in (*inside, *outside):
        results = recorded.setdefault((source.layer, source.call), {})
        if source.shape is not None or source.result not in results:
            results[source.result] = source
    return recorded
