"""``cnnstat info MODEL``: the card: paper, training, results, what the sources err in."""

from __future__ import annotations

from cnnstat.cli.options import FormatOption, ModelArgument, OutputOption


def info(model: ModelArgument, format: FormatOption = None, output: OutputOption = None) -> None:
    """Show a model's card: paper, ideas, training, accuracy with its source, corrections."""
    from cnnstat import api
    from cnnstat.cli.output import destination, emit
    from cnnstat.engine.expected import expected
    from cnnstat.render.info import info_document
    from cnnstat.zoo.catalog import ALIASES, find

    to = destination(format, output)
    card = find(model)
    aliases = [alias for alias, name in ALIASES.items() if name == card.name]
    average = expected(api.analyze(card.name).shaped)
    emit(info_document(card, aliases=aliases, average=average), to)
