"""Classical image processing: the operations, and a labelled sheet of their results. Torch-free.

Images are (H, W, 3) uint8 RGB; a result is (H, W) grey or (H, W, 3) RGB, uint8, values outside 0..255 clipped. Edges
are continued by reflection without repeating the last pixel, OpenCV's default.

Sources: Gonzalez & Woods, "Digital Image Processing"; Canny 1986; Tomasi & Manduchi 1998 (bilateral); the kernels of
Roberts 1963, Prewitt 1970 and Sobel 1968. Luma weights are those of ITU-R BT.601.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dlcli.visualize.canvas import MAX_PICTURE_PX, add_title, tile

Results = Mapping[str, np.ndarray]
"""Label -> image."""

CANNY_LOW, CANNY_HIGH = 100, 200
"""Gradients above the second are edges, and those above the first that touch one (OpenCV's tutorial)."""

BRIGHTER, STRONGER = 40, 1.5
"""Grey levels that are added; and the factor of contrast (about 128) and of saturation."""

BILATERAL_SIGMA = 75
"""Grey levels and pixels (OpenCV's tutorial): neighbours that differ by more count little."""

SHARPEN = ((0, -1, 0), (-1, 5, -1), (0, -1, 0))
PREWITT_X = ((-1, 0, 1), (-1, 0, 1), (-1, 0, 1))
SOBEL_GAIN = 4
"""What Sobel's 3 x 3 kernel makes of a step of height 1."""

GAP_PX = 8


@dataclass(frozen=True)
class Filter:
    """An operation.

    Attributes:
        summary: one line for the list.
        apply: (image, side of the neighbourhood in pixels, odd) -> its results.
        has_size: whether the side has an effect.
    """

    summary: str
    apply: Callable[[np.ndarray, int], Results]
    has_size: bool = False


def clipped(values: np.ndarray) -> np.ndarray:
    """Return values rounded and clipped to 0..255, as uint8."""
    rounded: np.ndarray = np.clip(np.rint(values), 0, 255)
    return rounded.astype(np.uint8)


def luma(image: np.ndarray) -> np.ndarray:
    """Return (H, W) uint8 grey by BT.601's weights, 0.299 R + 0.587 G + 0.114 B."""
    grey: np.ndarray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return grey


def correlate(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return each channel's correlation with a kernel, float64: the kernel is not turned, as in convolution layers."""
    return cv2.filter2D(image.astype(np.float64), cv2.CV_64F, np.asarray(kernel, np.float64))


def greys(image: np.ndarray) -> dict[str, np.ndarray]:
    """Return (H, W) uint8 grey by the five usual formulas; those with integers round down, as they do in C."""
    red, green, blue = np.moveaxis(image.astype(np.int64), 2, 0)
    return {
        "grey, real weights\n0.3R+0.59G+0.11B": clipped(0.3 * red + 0.59 * green + 0.11 * blue),
        "grey, integers\n(30R+59G+11B) / 100": ((30 * red + 59 * green + 11 * blue) // 100).astype(np.uint8),
        "grey, shifted\n(77R+151G+28B) >> 8": ((77 * red + 151 * green + 28 * blue) >> 8).astype(np.uint8),
        "grey, mean\n(R+G+B) / 3": ((red + green + blue) // 3).astype(np.uint8),
        "grey\nG alone": image[:, :, 1].copy(),
    }


def _hsv(image: np.ndarray) -> dict[str, np.ndarray]:
    hue, saturation, value = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))
    pure = cv2.merge([hue, np.full_like(hue, 255), np.full_like(hue, 255)])
    return {"hue": cv2.cvtColor(pure, cv2.COLOR_HSV2RGB), "saturation": saturation, "value": value}


def _yuv(image: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(("Y", "U", "V"), cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2YUV)), strict=True))


def _saturated(image: np.ndarray) -> np.ndarray:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hsv[:, :, 1] = clipped(STRONGER * hsv[:, :, 1].astype(np.float64))
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def _roberts(image: np.ndarray) -> np.ndarray:
    grey = luma(image)
    one, other = (correlate(grey, kernel) for kernel in (np.array([[-1, 0], [0, 1]]), np.array([[0, -1], [1, 0]])))
    return clipped(np.hypot(one, other))


def _prewitt(image: np.ndarray) -> np.ndarray:
    grey, kernel = luma(image), np.array(PREWITT_X)
    return clipped(np.hypot(correlate(grey, kernel), correlate(grey, kernel.T)))


def sobel_gradients(grey: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the signed gradients of (H, W) grey along x and y by Sobel's kernels, float64.

    A step of height h gives 4 h with a kernel of any size, as with that of 3 x 3.
    """
    gradients = []
    for x, y in ((1, 0), (0, 1)):
        along_x, along_y = cv2.getDerivKernels(x, y, size, ktype=cv2.CV_64F)
        kernel = along_y @ along_x.T
        gradients.append(correlate(grey, kernel * (SOBEL_GAIN / kernel[kernel > 0].sum())))
    return gradients[0], gradients[1]


def _sobel(image: np.ndarray, size: int) -> dict[str, np.ndarray]:
    x, y = sobel_gradients(luma(image), max(size, 3))
    results = {"x": np.abs(x), "y": np.abs(y), "magnitude": np.hypot(x, y)}
    return {f"Sobel {name} {size} x {size}": clipped(values) for name, values in results.items()}


def _laplacian(image: np.ndarray) -> np.ndarray:
    return clipped(np.abs(correlate(luma(image), np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]))))


def spectrum(image: np.ndarray) -> np.ndarray:
    """Return (H, W) float64, log(1 + magnitude) of the grey image's Fourier transform, frequency 0 in the centre."""
    magnitude: np.ndarray = np.abs(np.fft.fftshift(np.fft.fft2(luma(image).astype(np.float64))))
    logarithm: np.ndarray = np.log1p(magnitude)
    return logarithm


def _shown_spectrum(image: np.ndarray) -> np.ndarray:
    values = spectrum(image)
    return clipped(values * (255 / max(values.max(), 1e-12)))


def _morphology(operation: int) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda image, size: cv2.morphologyEx(image, operation, np.ones((size, size), np.uint8))


def _flips(image: np.ndarray) -> dict[str, np.ndarray]:
    return {"flip left-right": image[:, ::-1], "flip up-down": image[::-1], "flip both": image[::-1, ::-1]}


def _fixed(apply: Callable[[np.ndarray], Results]) -> Callable[[np.ndarray, int], Results]:
    """Return an operation whose neighbourhood, if any, has a fixed size."""

    def of_any_size(image: np.ndarray, size: int) -> Results:
        del size
        return apply(image)

    return of_any_size


def _plain(label: str, apply: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, int], Results]:
    return _fixed(lambda image: {label: apply(image)})


def _sized(label: str, apply: Callable[[np.ndarray, int], np.ndarray]) -> Callable[[np.ndarray, int], Results]:
    return lambda image, size: {f"{label} {size} x {size}": apply(image, size)}


FILTERS: Mapping[str, Filter] = {
    "grey": Filter("grey by five formulas", _fixed(greys)),
    "hsv": Filter("hue, saturation and value", _fixed(_hsv)),
    "yuv": Filter("luma and two differences of colour", _fixed(_yuv)),
    "brightness": Filter(
        "grey levels added", _plain(f"brightness + {BRIGHTER}", lambda image: clipped(image + float(BRIGHTER)))
    ),
    "contrast": Filter(
        "distance from 128 multiplied",
        _plain(f"contrast x {STRONGER}", lambda image: clipped(STRONGER * (image - 128.0) + 128)),
    ),
    "saturation": Filter("saturation multiplied", _plain(f"saturation x {STRONGER}", _saturated)),
    "mean": Filter("mean of the neighbourhood", _sized("mean", lambda image, n: cv2.blur(image, (n, n))), True),
    "box": Filter(
        "sum of the neighbourhood, not divided",
        _sized("box sum", lambda image, n: cv2.boxFilter(image, -1, (n, n), normalize=False)),
        True,
    ),
    "gaussian": Filter("Gaussian blur", _sized("Gaussian", lambda image, n: cv2.GaussianBlur(image, (n, n), 0)), True),
    "median": Filter("median of the neighbourhood", _sized("median", cv2.medianBlur), True),
    "bilateral": Filter(
        "mean of neighbours of similar colour",
        _sized("bilateral", lambda image, n: cv2.bilateralFilter(image, n, BILATERAL_SIGMA, BILATERAL_SIGMA)),
        True,
    ),
    "sharpen": Filter(
        "5 in the centre, -1 beside it", _plain("sharpen", lambda image: clipped(correlate(image, np.array(SHARPEN))))
    ),
    "roberts": Filter("gradient over the diagonals of 2 x 2", _plain("Roberts", _roberts)),
    "prewitt": Filter("gradient, 3 x 3, all rows alike", _plain("Prewitt", _prewitt)),
    "sobel": Filter("gradient along x, along y, and its magnitude", _sobel, True),
    "laplacian": Filter("second derivative, 4 neighbours", _plain("Laplacian", _laplacian)),
    "canny": Filter(
        f"thin edges, thresholds {CANNY_LOW} and {CANNY_HIGH}",
        _plain("Canny", lambda image: cv2.Canny(luma(image), CANNY_LOW, CANNY_HIGH)),
    ),
    "erode": Filter("minimum of the neighbourhood", _sized("erode", _morphology(cv2.MORPH_ERODE)), True),
    "dilate": Filter("maximum of the neighbourhood", _sized("dilate", _morphology(cv2.MORPH_DILATE)), True),
    "open": Filter("erode, then dilate: removes bright specks", _sized("open", _morphology(cv2.MORPH_OPEN)), True),
    "close": Filter("dilate, then erode: fills dark specks", _sized("close", _morphology(cv2.MORPH_CLOSE)), True),
    "flip": Filter("mirrored along each axis and both", _fixed(_flips)),
    "spectrum": Filter("logarithm of the Fourier spectrum", _plain("spectrum (log)", _shown_spectrum)),
}


def own_filter(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return each channel's correlation with the user's kernel, clipped to uint8."""
    return clipped(correlate(image, kernel))


def draw_filters(
    image: np.ndarray, names: Sequence[str], *, size: int, kernel: np.ndarray | None = None, title: str
) -> np.ndarray:
    """Return a sheet of the image and what operations make of it, each with its label.

    An image that is too large for its cell is reduced before it is processed, so that what an operation does to
    single pixels can be seen.

    Args:
        image: (H, W, 3) uint8 RGB.
        names: operations in `FILTERS`.
        size: side of the neighbourhood in pixels, odd.
        kernel: (h, w) the user's kernel; None for none.
        title: a line above; the image's size is added.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    tiny = np.zeros((2, 2, 3), np.uint8)
    num_results = 1 + sum(len(FILTERS[name].apply(tiny, 3)) for name in names) + (kernel is not None)
    columns = min(max(math.ceil(math.sqrt(num_results * height / width)), min(num_results, 3)), num_results)
    rows = math.ceil(num_results / columns)
    largest = min((MAX_PICTURE_PX / columns - GAP_PX) / width, (MAX_PICTURE_PX / rows - GAP_PX) / height)
    note = f"{width} x {height} pixels"
    if largest < 1:
        smaller = (max(1, int(width * largest)), max(1, int(height * largest)))
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
        note = f"{note}, reduced to {smaller[0]} x {smaller[1]}"
    results = {"image": image}
    for name in names:
        results |= FILTERS[name].apply(image, size)
    if kernel is not None:
        results["own kernel"] = own_filter(image, kernel)
    sheet = tile(list(results.values()), columns=columns, captions=list(results), gap=GAP_PX, min_cell_px=160)
    return add_title(sheet, [title, note])
