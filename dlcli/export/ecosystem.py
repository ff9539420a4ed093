"""Metadata keys of other programs in ONNX files, beside ours: only those that are true of the graph. Torch-free.

Sources: ultralytics' `Exporter.__call__`, whose values are texts that `ast.literal_eval` reads; ONNX's
`MetadataProps.md`, whose keys Windows ML, Netron and the samples of Azure Custom Vision know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dlcli.export.plan import Graph

PIXEL_FORMATS: Mapping[int, str] = {1: "Gray8", 3: "Rgb8"}
"""Channels -> the format of pixels; ours are red, green and blue in this order."""

SIZE_KEYS = ("imgsz", "stride")
"""Which sizes of images a file takes: not true of one that fits images itself."""


def yolo_keys(
    labels: Sequence[str], *, task: str | None = None, size: tuple[int, int] | None = None, stride: int | None = None
) -> dict[str, str]:
    """Return what ultralytics' programs read from a file.

    Args:
        labels: the classes, in order.
        task: ultralytics' name of it: "classify", "detect", or "segment" for the masks of objects; None if it has none
            that is true.
        size: height and width for which the network was made, in pixels.
        stride: of which sides of any size are multiples.
    """
    keys = {"names": repr(dict(enumerate(labels)))}
    if task is not None:
        keys["task"] = task
    if size is not None:
        keys["imgsz"] = repr(list(size))
    if stride is not None:
        keys["stride"] = str(stride)
    return keys


def image_keys(graph: Graph) -> dict[str, str]:
    """Return what the pixels of a graph's input mean; {} unless its only input is images (N, C, H, W) of uint8.

    The input is not declared an `IMAGE` as well: Windows ML then binds floats, and ours are bytes.
    """
    shapes = [tuple(tensor.shape) for tensor in graph.example.values()]
    types = {str(tensor.dtype).removeprefix("torch.") for tensor in graph.example.values()}
    if len(shapes) != 1 or types != {"uint8"} or len(shapes[0]) != 4 or shapes[0][1] not in PIXEL_FORMATS:
        return {}
    return {
        "Image.BitmapPixelFormat": PIXEL_FORMATS[shapes[0][1]],
        "Image.ColorSpaceGamma": "SRGB",
        "Image.NominalPixelRange": "NominalRange_0_255",
    }
