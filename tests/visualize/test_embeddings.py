"""Word vectors: neighbours, the plane of largest variance, the map."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import normalize

from dlcli.visualize import embeddings
from dlcli.visualize.embeddings import (
    DOT,
    HEIGHT_PX,
    MARGIN_PX,
    MOST_WORDS,
    WIDTH_PX,
    draw_embeddings,
    nearest_neighbours,
    principal_plane,
)


def test_nearest_neighbours_are_those_of_largest_cosine() -> None:
    vectors = np.array([[1, 0], [2, 0.1], [0, 3], [-1, 0], [0, 0], [1, 1]], np.float32)
    found = nearest_neighbours(vectors, 0, 3)
    assert [index for index, _ in found] == [1, 5, 2]
    assert found[1][1] == pytest.approx(np.sqrt(0.5))
    assert len(nearest_neighbours(vectors, 0, 99)) == 5
    assert dict(nearest_neighbours(vectors, 0, 99))[3] == pytest.approx(-1)
    assert all(cosine == 0 for _, cosine in nearest_neighbours(vectors, 4, 5))


@pytest.mark.parametrize(("index", "k"), [(-1, 1), (3, 1), (0, 0)])
def test_neighbours_of_no_row_are_refused(index: int, k: int) -> None:
    with pytest.raises(ValueError, match="neighbours"):
        nearest_neighbours(np.eye(3), index, k)


def test_principal_plane_keeps_the_distances_of_flat_vectors() -> None:
    angles = np.array([0.1, 0.7, 2.0, 4.0])
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    turned = circle @ np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0][:2]
    points, share = principal_plane(turned * [[1.0], [2.0], [3.0], [4.0]])
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    assert distances == pytest.approx(np.linalg.norm(circle[:, None] - circle, axis=2))
    assert share == pytest.approx(1)


def test_map_does_not_depend_on_the_sign_of_the_components() -> None:
    vectors = np.random.default_rng(0).normal(size=(30, 8))
    rotated = vectors @ np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0]
    assert principal_plane(vectors)[0] == pytest.approx(principal_plane(rotated)[0])


@pytest.mark.parametrize("vectors", [np.ones((3, 4)), np.zeros((3, 4)), np.eye(3), np.arange(3.0)[:, None]])
def test_map_of_vectors_without_spread_is_drawn(vectors: np.ndarray) -> None:
    picture = draw_embeddings(["好", "😀", "\ud800"], vectors, title="词")
    assert (picture.dtype, picture.shape[1:]) == (np.uint8, (WIDTH_PX, 3))
    assert (picture[-HEIGHT_PX:] == DOT).all(axis=2).any()


def test_names_on_the_map_never_overlap() -> None:
    # All points on one place: one name has room at its right, one at its left.
    words = ["的", "了", "是", "我"]
    together = draw_embeddings(words, np.ones((4, 3)), title="t")
    two = draw_embeddings(words[:2], np.ones((2, 3)), title="t")
    assert np.array_equal(together[-1000:], two[-1000:])


@pytest.mark.parametrize("vectors", [np.eye(2), np.array([[np.nan], [1], [2]])])
def test_map_refuses_what_are_no_vectors(vectors: np.ndarray) -> None:
    with pytest.raises(ValueError, match="vector"):
        draw_embeddings(["a", "b", "c"], vectors, title="t")


def test_cosines_and_their_order_equal_scikit_learn_s() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 6))
    expected = cosine_similarity(vectors)[7]
    found = nearest_neighbours(vectors, 7, 39)
    assert [index for index, _ in found] == [index for index in np.argsort(-expected) if index != 7]
    assert [cosine for _, cosine in found] == pytest.approx([expected[index] for index, _ in found])


def test_neither_the_length_of_a_vector_nor_its_number_format_changes_its_neighbours() -> None:
    vectors = np.random.default_rng(1).normal(size=(30, 5)).astype(np.float32)
    scaled = vectors * np.random.default_rng(2).uniform(0.5, 900, (30, 1)).astype(np.float32)
    first, second = nearest_neighbours(vectors, 3, 10), nearest_neighbours(scaled, 3, 10)
    assert [index for index, _ in first] == [index for index, _ in second]
    assert [cosine for _, cosine in first] == pytest.approx([cosine for _, cosine in second], abs=1e-5)


def test_equal_neighbours_come_in_the_order_of_their_rows() -> None:
    vectors = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 0.0], [1.0, 0.0], [0.5, 0.0]])
    assert [index for index, _ in nearest_neighbours(vectors, 3, 4)] == [1, 2, 4, 0]


def test_plane_and_its_share_equal_scikit_learn_s_principal_components() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 7)) * np.arange(1, 8)
    points, share = principal_plane(vectors)
    peer = PCA(2).fit(normalize(vectors))
    np.testing.assert_allclose(np.abs(points), np.abs(peer.transform(normalize(vectors))), atol=1e-10)
    assert share == pytest.approx(peer.explained_variance_ratio_.sum())


def test_the_point_farthest_out_is_positive_along_each_axis() -> None:
    for seed in range(5):
        points, _ = principal_plane(np.random.default_rng(seed).normal(size=(20, 4)))
        assert (points.max(axis=0) == np.abs(points).max(axis=0)).all()


@pytest.mark.parametrize("vectors", [np.zeros((4, 3)), np.ones((4, 3)), np.array([[1.0], [5.0]])])
def test_a_plane_without_variance_holds_none(vectors: np.ndarray) -> None:
    points, share = principal_plane(vectors)
    assert points.shape == (len(vectors), 2)
    assert not points.any()
    assert share == 0


def dot_centres(picture: np.ndarray) -> np.ndarray:
    """Return the bounds of the dots in the map, (2, 2): least and largest (x, y)."""
    rows, columns = np.nonzero((picture[-HEIGHT_PX:] == DOT).all(axis=2))
    return np.array([[columns.min(), rows.min()], [columns.max(), rows.max()]])


def test_dots_reach_from_margin_to_margin() -> None:
    # Names without a glyph hide no dot.
    picture = draw_embeddings([" "] * 40, np.random.default_rng(0).normal(size=(40, 5)), title="t")
    sides = np.array([WIDTH_PX, HEIGHT_PX])
    np.testing.assert_allclose(dot_centres(picture), [[MARGIN_PX - 2] * 2, sides - MARGIN_PX + 2], atol=2)


@pytest.fixture
def captions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gathers the second line over each map."""
    found: list[str] = []
    add_title = embeddings.add_title
    monkeypatch.setattr(
        embeddings, "add_title", lambda picture, lines: (found.append(lines[1]), add_title(picture, lines))[1]
    )
    return found


def test_the_caption_counts_words_names_and_variance(captions: list[str]) -> None:
    draw_embeddings(["a", "b", "c", "d"], np.ones((4, 3)), title="t")
    angles = np.array([0.0, 1.5, 3.0, 4.5])
    draw_embeddings(["好", "b", "c", "d"], np.stack([np.cos(angles), np.sin(angles)], axis=1), title="t")
    assert captions == [
        "4 words, 2 of them named; the two principal components, 0% of the variance",
        "4 words, 4 of them named; the two principal components, 100% of the variance",
    ]


def test_only_the_most_frequent_words_are_on_the_map(captions: list[str]) -> None:
    count = MOST_WORDS + 5
    vectors = np.random.default_rng(0).normal(size=(count, 3))
    vectors[MOST_WORDS:] *= -1e6
    more = draw_embeddings(["."] * count, vectors, title="t")
    first = draw_embeddings(["."] * MOST_WORDS, vectors[:MOST_WORDS], title="t")
    assert np.array_equal(more, first)
    assert captions[0].startswith("2,000 words")
