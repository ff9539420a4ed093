"""The file beside the script: its session, and the values that were stored in it."""

import json
from pathlib import Path
from typing import Any

import onnxruntime

BESIDE = Path(__file__).with_suffix("")  # X.onnx of X.onnx.py
MODEL = BESIDE if BESIDE.is_file() else Path(__file__).with_name("model.onnx")


def open_model() -> tuple[Any, dict[str, Any]]:
    """Return the session of the file, and what it knows besides: labels, preprocessing, columns."""
    session = onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])
    return session, json.loads(session.get_modelmeta().custom_metadata_map["dlcli.assets"])
