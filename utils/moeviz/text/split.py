"""The honest split: whole pieces are held out, without what the training text holds word by word."""

import zlib

SHARE = 10  # one byte in ten
LEAST = 32  # bytes: what is shorter repeats by chance


def split(groups, *, border="\n\n"):
    """Split groups of pieces [(name, text)] into (training text, held-out text), a tenth of each group.

    Which pieces are held out hangs on their names alone, and each group is split for itself, so a longer
    list of groups holds out what a shorter one did. border: what parts a piece, "\\n\\n" paragraphs, "\\n"
    lines; a part of 32 characters or more that the training text holds too is taken out of the held-out one.

    >>> pieces = [(name, f"This is the whole text of {name}.") for name in "abcdefghij"]
    >>> [len(text) for text in split([pieces])]
    [260, 28]
    """
    sides = [], []
    for group in groups:
        held = _held_out(group)
        for name, text in group:
            sides[name in held].append(text)
    known = {part for text in sides[0] for part in text.split(border)}
    held_out = (border.join(part for part in text.split(border) if len(part) < LEAST or part not in known)
                for text in sides[1])
    return "\n".join(sides[0]), "\n".join(held_out)


def split_names(found):
    """Split [(key, name)] into (training names, held-out names): one key in ten, the same in each language.

    A held-out name that another key has in training is left out.

    >>> split_names([("country DE", "Germany"), ("country FR", "France"), ("country BE", "Belgium")])
    (['Germany', 'France'], ['Belgium'])
    """
    sides = [], []
    for key, name in found:
        sides[_place(key) % SHARE == 0].append(name)
    known = set(sides[0])
    return sides[0], [name for name in sides[1] if name not in known]


def _held_out(group):
    """Return the names of the pieces that are held out: in an order by hash, as many as fit into a tenth."""
    room = sum(len(text) for _, text in group) / SHARE
    chosen = set()
    for name, text in sorted(group, key=lambda piece: (_place(piece[0]), piece[0])):
        if len(text) <= room:
            chosen.add(name)
            room -= len(text)
    return chosen or {min(group, key=lambda piece: (len(piece[1]), piece[0]))[0]}


def _place(name):
    return zlib.crc32(name.encode())
