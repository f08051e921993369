"""What changes in a tree of categories or of places. Pure."""

from collections.abc import Iterator

from app.country.words import DefinitionChange, Say
from app.definitions.trees import Tree
from app.words.pages import N_


def compare_trees(say: Say, before: Tree, after: Tree) -> Iterator[DefinitionChange]:
    """Yield what changes; records keep the codes of the version that they were written with."""
    if before is after:
        return
    old = {node.code: (node, above) for node, above in before.walk()}
    new = {node.code: (node, above) for node, above in after.walk()}
    for code in [code for code in old if code not in new]:
        yield say.caution(
            N_(
                "Gone: %(label)s (%(code)s). Records keep it; new ones, and what asks for this "
                "code, do not find it."
            ),
            label=say.label(old[code][0].label),
            code=code,
        )
    for code, (node, above) in new.items():
        label = say.label(node.label)
        if code not in old:
            yield say.change(N_("New: %(label)s (%(code)s)."), label=label, code=code)
            continue
        was, was_above = old[code]
        if was.label != node.label:
            yield say.renamed(was.label, node.label)
        if was_above != above:
            yield say.change(
                N_("%(label)s (%(code)s) moves to %(place)s."),
                label=label,
                code=code,
                place=" / ".join(above) or "/",
            )
        if (was.counts_as, before.maps_to) != (node.counts_as, after.maps_to):
            yield say.caution(
                N_("%(label)s (%(code)s) counted as %(before)s, and now counts as %(after)s."),
                label=label,
                code=code,
                before=was.counts_as or "-",
                after=node.counts_as or "-",
            )
        if was.cue != node.cue:
            yield say.caution(
                N_("%(label)s (%(code)s) is no longer the same sign of danger."),
                label=label,
                code=code,
            )
        if (was.also, was.aliases) != (node.also, node.aliases):
            yield say.change(
                N_("%(label)s (%(code)s) is found by other words."), label=label, code=code
            )
