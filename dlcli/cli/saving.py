"""Saving the answers of `dl predict` as files: pictures, or what the codec of the task offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.cli.films import answered_film
from dlcli.core.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from dlcli.data.codec import Answer, Codec, Saver, Source
    from dlcli.visualize.film import FilmWriter

PNG = "png"
"""The format that every task has."""


@contextmanager
def saving(
    codec: Codec, folder: str | None, format: str, inputs: Sequence[str]
) -> Iterator[Callable[[Source, Answer], None]]:
    """Give the function that saves an answer; without a folder it does nothing.

    What was saved is complete in itself also when the block is interrupted.

    Raises:
        UsageError: the format is unknown, or there is no folder for it.
        OSError: the folder cannot be made.
    """
    if folder is None:
        if format != PNG:
            raise UsageError(f"--save-as {format}: where to?", hint="add --save-dir DIR")
        yield _save_nothing
        return
    saver = _saver_of(codec, Path(folder), format, inputs)
    try:
        yield saver.save
    finally:
        saver.close()


def _save_nothing(_source: Source, _answer: Answer) -> None:
    pass


def _saver_of(codec: Codec, folder: Path, format: str, inputs: Sequence[str]) -> Saver:
    from dlcli.data.codec import SavesAnswers
    from dlcli.data.inputs import input_test

    others = codec.formats if isinstance(codec, SavesAnswers) else ()
    if format not in (PNG, *others):
        raise UsageError(f"--save-as {format}: no such format", hint=did_you_mean(format, (PNG, *others)))
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(codec, SavesAnswers) and format != PNG:
        return codec.saver(format, folder, input_test(inputs))
    return Drawings(folder, codec, input_test(inputs))


class Drawings:
    """Saves answers as pictures, those of a film's frames as a film.

    Equal names are numbered, so that neither another answer nor an input is replaced.
    """

    def __init__(self, folder: Path, codec: Codec, is_input: Callable[[Path], bool]) -> None:
        from dlcli.data.inputs import UniqueNames

        self._folder = folder
        self._codec = codec
        self._names = UniqueNames(lambda name: any(is_input(folder / f"{name}{suffix}") for suffix in (".png", ".mp4")))
        self._film: FilmWriter | None = None
        self._place = ("", 0.0)

    def save(self, source: Source, answer: Answer) -> None:
        """Save the answer's own picture, or else its input with the answer drawn on it."""
        from dlcli.visualize.canvas import write_png

        picture = answer.picture if answer.picture is not None else self._codec.draw(source, answer)
        if source.film:
            self._film_of(source).write(picture)
            return
        write_png(self._folder / f"{self._names.of(source.name)}.png", picture)

    def _film_of(self, source: Source) -> FilmWriter:
        """Return the film to which a frame belongs: the open one, or a new one of the same speed."""
        from dlcli.visualize.film import SUFFIX, FilmWriter

        place, self._place = self._place, (source.film, source.time or 0.0)
        if self._film is None or place[0] != source.film or place[1] > self._place[1]:  # or the same film once more
            self.close()
            name = self._names.of(source.film)
            self._film = FilmWriter(self._folder / f"{name}{SUFFIX}", answered_film(self._codec, source).rate)
        return self._film

    def close(self) -> None:
        """Finish the film that is open."""
        if self._film is not None:
            film, self._film = self._film, None
            film.close()
