"""Films among the inputs of `dl predict`: what is answered of them, and how far that is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.core.console import Console, has_colour, shorten

if TYPE_CHECKING:
    from collections.abc import Callable

    from dlcli.data.codec import Codec, Source
    from dlcli.data.images.films import Film
    from dlcli.engine.observers.progress import StepBar

_MAX_NAME = 40


def answered_film(codec: Codec, source: Source) -> Film:
    """Return the rate and the number of those frames of a source's film that the codec answers.

    Raises:
        DataError: the film cannot be read any more.
    """
    from dlcli.data.codec import ReadsFilms
    from dlcli.data.images.films import Film, describe_film

    film = describe_film(Path(source.film))
    step = codec.frame_step if isinstance(codec, ReadsFilms) else 1
    return Film(film.rate / step, -(-film.num_frames // step))


@contextmanager
def film_progress(console: Console, codec: Codec, *, prints: bool) -> Iterator[Callable[[Source], None]]:
    """Give the function that is called with each answered source, and shows the progress of films on a terminal.

    Args:
        console: shows no progress if it is quiet.
        codec: of the model.
        prints: whether answers are printed as they come, so that no bar may stand among them on a terminal.
    """
    bar = _FilmBar(codec)
    is_shown = has_colour(sys.stderr) and not console.is_quiet and not (prints and sys.stdout.isatty())
    try:
        yield bar.show if is_shown else _show_nothing
    finally:
        bar.close()


def _show_nothing(_source: Source) -> None:
    pass


class _FilmBar:
    """A bar for the film that is being answered; it is erased when the film ends."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._film = ""
        self._done = 0
        self._bar: StepBar | None = None

    def show(self, source: Source) -> None:
        if source.film != self._film:
            self.close()
            self._film, self._done = source.film, 0
            if source.film and source.time is not None:
                self._open(source)
        self._done += 1
        if self._bar is not None:
            self._bar.show(shorten(Path(source.film).name, _MAX_NAME), self._done)

    def _open(self, source: Source) -> None:
        from dlcli.core.errors import DataError
        from dlcli.engine.observers.progress import StepBar

        try:
            num_frames = answered_film(self._codec, source).num_frames
        except DataError:
            return
        if num_frames:
            self._bar = StepBar(num_frames)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
