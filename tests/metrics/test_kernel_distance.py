"""KID and FID against loops, against other libraries, and against what must hold of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dlcli.metrics import kernel_distance as module
from dlcli.metrics.kernel_distance import frechet_distance, kernel_distance

RANDOM = np.random.default_rng(0)
REAL, MADE = RANDOM.normal(size=(12, 5)), RANDOM.normal(0.7, 1.3, size=(9, 5))


def by_loops(real: np.ndarray, made: np.ndarray) -> float:
    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return (sum(a * b for a, b in zip(x, y, strict=True)) / len(x) + 1) ** 3

    within = [
        sum(kernel(x, y) for x, y in itertools.permutations(of, 2)) / (len(of) * (len(of) - 1)) for of in (real, made)
    ]
    between = sum(kernel(x, y) for x, y in itertools.product(real, made)) / (len(real) * len(made))
    return float(within[0] + within[1] - 2 * between)


@pytest.mark.parametrize("rows", [1000, 5])
def test_the_value_is_the_sum_over_all_pairs(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROWS", rows)
    found = kernel_distance(REAL, MADE)
    assert found.value == pytest.approx(by_loops(REAL, MADE), rel=1e-12)
    assert kernel_distance(MADE, REAL).value == pytest.approx(found.value, rel=1e-12)
    assert (found.num_real, found.num_made) == (12, 9)


def test_two_points_by_hand() -> None:
    """D = 1, real 0 and 1, made 2 and 2: kernels 1 within real, (4 + 1)^3 within made, 1 and (2 + 1)^3 between."""
    found = kernel_distance(np.array([[0.0], [1.0]]), np.array([[2.0], [2.0]]))
    assert found.value == 1 + 125 - 2 * (1 + 1 + 27 + 27) / 4
    assert np.isnan(found.standard_error)


def test_of_halves_of_one_set_the_mean_is_zero() -> None:
    """Exactly so over all divisions into halves, which is what unbiased means; single values are below 0 too."""
    features = RANDOM.normal(size=(8, 3)) + 2
    values = []
    for chosen in itertools.combinations(range(8), 4):
        rest = [row for row in range(8) if row not in chosen]
        values.append(kernel_distance(features[list(chosen)], features[rest], subsets=0).value)
    assert np.mean(values) == pytest.approx(0, abs=1e-9 * np.abs(values).max())
    assert min(values) < 0 < max(values)


def test_the_standard_error_is_the_spread_over_new_samples() -> None:
    random = np.random.default_rng(3)

    def draw(count: int, shift: float) -> np.ndarray:
        return random.normal(shift, 1, size=(count, 4))

    found = [kernel_distance(draw(60, 0.0), draw(40, 1.0), subsets=30) for _ in range(150)]
    spread = np.std([each.value for each in found])
    assert np.mean([each.standard_error for each in found]) == pytest.approx(spread, rel=0.2)
    smaller = [kernel_distance(draw(60, 0.0), draw(40, 1.0), subsets=30, subset_size=20) for _ in range(40)]
    assert np.mean([each.standard_error for each in smaller]) == pytest.approx(spread, rel=0.25)


def test_the_seed_chooses_the_subsets_and_never_the_value() -> None:
    first, again, other = (kernel_distance(REAL, MADE, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.value == other.value and first.standard_error != other.standard_error


@pytest.mark.slow
def test_the_value_equals_torchmetrics_with_one_subset_of_all() -> None:
    image = pytest.importorskip("torchmetrics.image.kid", reason="torchmetrics is not installed")
    torch = pytest.importorskip("torch")
    expected = image.poly_mmd(torch.from_numpy(REAL[:9]), torch.from_numpy(MADE)).item()
    assert kernel_distance(REAL[:9], MADE).value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("counts", [(40, 60), (4, 60), (40, 3), (3, 2)])
def test_the_frechet_distance_equals_its_definition(counts: tuple[int, int]) -> None:
    linalg = pytest.importorskip("scipy.linalg")
    real, made = (RANDOM.normal(0.3 * count, 1 + count % 3, size=(count, 6)) for count in counts)
    covariances = [np.cov(each, rowvar=False) for each in (real, made)]
    # The root of a product of singular matrices does not converge, so both are moved a little.
    root = linalg.sqrtm((covariances[0] + 1e-9 * np.eye(6)) @ (covariances[1] + 1e-9 * np.eye(6))).real
    difference = real.mean(axis=0) - made.mean(axis=0)
    expected = difference @ difference + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(real, made) == pytest.approx(expected, abs=3e-3)


def test_the_frechet_distance_of_a_shift_is_its_square() -> None:
    assert frechet_distance(REAL, REAL) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(REAL, REAL + np.arange(5)) == pytest.approx(0 + 1 + 4 + 9 + 16)
    assert frechet_distance(REAL, 3 * (REAL - REAL.mean(axis=0)) + REAL.mean(axis=0)) == pytest.approx(
        4 * REAL.var(axis=0, ddof=1).sum()
    )


@pytest.mark.parametrize("function", [kernel_distance, frechet_distance])
@pytest.mark.parametrize(
    ("real", "made", "reason"),
    [
        (REAL[:1], MADE, "at least two"),
        (REAL, MADE[:, :4], "shapes"),
        (REAL, MADE * np.nan, "not finite"),
        (REAL[0], MADE, "shapes"),
    ],
)
def test_what_has_no_distance_is_refused(function: object, real: np.ndarray, made: np.ndarray, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        function(real, made)  # type: ignore[operator]
