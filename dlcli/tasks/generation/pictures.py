"""The pictures of a generator: their table, options and drawing functions.

Torch and numpy are not imported until a picture is drawn, so that the help page is fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dlcli.core.config import MAX_SEED, option
from dlcli.visualize.pictures import Picture
from dlcli.visualize.subject import Drawn, Subject

SECONDS = 0.08


@dataclass(frozen=True)
class InterpolateOptions:
    """Options of `interpolate`."""

    walks: int = option(6, "walks from one draw to another: rows of the grid", minimum=1, maximum=32)
    steps: int = option(10, "images of a walk", minimum=2, maximum=64)
    seed: int = option(0, "seed of the draws", minimum=0, maximum=MAX_SEED)
    label: str | None = option(None, "the class (default: the walks are of all in turn)", flag="class")


def draw_interpolation(subject: Subject, options: InterpolateOptions) -> Drawn:
    """Yield a grid of walks between draws of noise, and an animation of one that passes several."""
    import numpy as np

    from dlcli.tasks.generation.codec import as_picture, requested_class
    from dlcli.tasks.generation.sampling import draw_noise
    from dlcli.visualize.interpolate import animate_walk, draw_walks

    task = subject.task()
    label = requested_class(options.label, task.labels)
    draws = draw_noise(options.seed, range(2 * options.walks), task.sampling.latent)
    own = np.arange(options.walks) % max(1, len(task.labels)) if label is None else np.full(options.walks, label)

    def make_rows(noise: np.ndarray) -> list[np.ndarray]:
        return [as_picture(image) for image in task.make(noise, np.repeat(own, len(noise) // options.walks))]

    yield "interpolate", draw_walks(draws.reshape(options.walks, 2, -1), options.steps, make_rows)

    def make_frames(noise: np.ndarray) -> list[np.ndarray]:
        return [as_picture(image) for image in task.make(noise, np.full(len(noise), own[0]))]

    stops = draws[::2] if options.walks > 1 else draws
    yield "interpolate", animate_walk(stops, options.steps, SECONDS, make_frames)


PICTURES: Mapping[str, Picture] = {
    "interpolate": Picture(
        "images on the way from one draw of noise to another", "RUN", InterpolateOptions, draw_interpolation
    ),
}
