"""What others said, made fit for a terminal."""


def plain(text: object) -> str:
    """Text of others for a terminal: what is not printable (escape sequences, marks that turn the direction) is spelled out."""
    said = str(text)
    return said if said.isprintable() else "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in said)
