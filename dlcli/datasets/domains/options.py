"""Options of `dl prepare` for images of two domains, separate from the importers so that help pages import no numpy."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import MAX_SEED, option


def read_names(text: str) -> tuple[str, str]:
    """Return the names of two domains, such as `apple,orange`.

    Raises:
        ValueError: they are not two.
    """
    names = tuple(name.strip() for name in text.split(","))
    if len(names) != 2 or not all(names) or names[0].casefold() == names[1].casefold():
        raise ValueError(f"{text[:100]!r} is not two names, such as apple,orange")
    return names[0], names[1]


@dataclass(frozen=True)
class DomainsOptions:
    """Options of `dl prepare domains` and `dl prepare pairs`."""

    a: str | None = option(None, "folder of the first domain's images, in place of SOURCE", metavar="DIR")
    b: str | None = option(
        None, "folder of the second domain's images; of pairs, with the names of the first", metavar="DIR"
    )
    names: str | None = option(
        None, "names of the domains (default: those in the folder's name)", metavar="NAME,NAME", read=read_names
    )
    test_fraction: float = option(
        0.2, "fraction of the images for the test split, if SOURCE has none", minimum=0.01, maximum=0.9
    )
    seed: int = option(0, "seed of the split", minimum=0, maximum=MAX_SEED)
    max_bad: int = option(100, "stop when more than N files cannot be read", minimum=0, maximum=10**9)
