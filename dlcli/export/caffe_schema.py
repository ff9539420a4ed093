"""The messages of Caffe's files that our networks need, by the numbers of BVLC's caffe.proto.

No kept package has them: pycaffe is built from source, and OpenCV reads them (until version 4) but does not write them.
What is defined here is a part of the original, so other programs read these files with their own definition.

Source: https://github.com/BVLC/caffe/blob/master/src/caffe/proto/caffe.proto
"""

from __future__ import annotations

import functools
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "string": _FIELD.TYPE_STRING,
    "int": _FIELD.TYPE_UINT32,
    "long": _FIELD.TYPE_INT64,
    "signed": _FIELD.TYPE_INT32,
    "float": _FIELD.TYPE_FLOAT,
    "bool": _FIELD.TYPE_BOOL,
}

# Message -> field -> (number, type or message, whether it is repeated, default).
_MESSAGES: dict[str, dict[str, tuple[int, str, bool, str]]] = {
    "BlobShape": {"dim": (1, "long", True, "")},
    "BlobProto": {"data": (5, "float", True, ""), "shape": (7, "BlobShape", False, "")},
    "NetParameter": {"name": (1, "string", False, ""), "layer": (100, "LayerParameter", True, "")},
    "LayerParameter": {
        "name": (1, "string", False, ""),
        "type": (2, "string", False, ""),
        "bottom": (3, "string", True, ""),
        "top": (4, "string", True, ""),
        "blobs": (7, "BlobProto", True, ""),
        "concat_param": (104, "ConcatParameter", False, ""),
        "convolution_param": (106, "ConvolutionParameter", False, ""),
        "eltwise_param": (110, "EltwiseParameter", False, ""),
        "inner_product_param": (117, "InnerProductParameter", False, ""),
        "pooling_param": (121, "PoolingParameter", False, ""),
        "relu_param": (123, "ReLUParameter", False, ""),
        "softmax_param": (125, "SoftmaxParameter", False, ""),
        "flatten_param": (135, "FlattenParameter", False, ""),
        "batch_norm_param": (139, "BatchNormParameter", False, ""),
        "scale_param": (142, "ScaleParameter", False, ""),
        "input_param": (143, "InputParameter", False, ""),
    },
    "ConcatParameter": {"axis": (2, "signed", False, "1")},
    "ConvolutionParameter": {
        "num_output": (1, "int", False, ""),
        "bias_term": (2, "bool", False, "true"),
        "group": (5, "int", False, "1"),
        "pad_h": (9, "int", False, "0"),
        "pad_w": (10, "int", False, "0"),
        "kernel_h": (11, "int", False, ""),
        "kernel_w": (12, "int", False, ""),
        "stride_h": (13, "int", False, ""),
        "stride_w": (14, "int", False, ""),
        "dilation": (18, "int", True, ""),
    },
    "EltwiseParameter": {"operation": (1, "EltwiseOp", False, "SUM"), "coeff": (2, "float", True, "")},
    "InnerProductParameter": {"num_output": (1, "int", False, ""), "bias_term": (2, "bool", False, "true")},
    "PoolingParameter": {
        "pool": (1, "PoolMethod", False, "MAX"),
        "kernel_h": (5, "int", False, ""),
        "kernel_w": (6, "int", False, ""),
        "stride_h": (7, "int", False, ""),
        "stride_w": (8, "int", False, ""),
        "pad_h": (9, "int", False, "0"),
        "pad_w": (10, "int", False, "0"),
        "global_pooling": (12, "bool", False, "false"),
    },
    "ReLUParameter": {"negative_slope": (1, "float", False, "0")},
    "SoftmaxParameter": {"axis": (2, "signed", False, "1")},
    "FlattenParameter": {"axis": (1, "signed", False, "1")},
    "BatchNormParameter": {"use_global_stats": (1, "bool", False, ""), "eps": (3, "float", False, "1e-05")},
    "ScaleParameter": {"axis": (1, "signed", False, "1"), "bias_term": (4, "bool", False, "false")},
    "InputParameter": {"shape": (1, "BlobShape", True, "")},
}

# Inside their messages in the original; their names do not appear in a file.
_ENUMS = {
    "EltwiseOp": ("PROD", "SUM", "MAX"),
    "PoolMethod": ("MAX", "AVE", "STOCHASTIC"),
}
_HOLDERS = {"EltwiseOp": "EltwiseParameter", "PoolMethod": "PoolingParameter"}


@functools.cache
def new_net() -> type[Any]:
    """Return the class of a `NetParameter`."""
    file = descriptor_pb2.FileDescriptorProto(name="dlcli/caffe.proto", package="caffe", syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for enum, holder in _HOLDERS.items():
            if holder == name:
                values = message.enum_type.add(name=enum)
                for number, value in enumerate(_ENUMS[enum]):
                    values.value.add(name=value, number=number)
        for field, (number, kind, is_repeated, default) in fields.items():
            added = message.field.add(name=field, number=number)
            added.label = _FIELD.LABEL_REPEATED if is_repeated else _FIELD.LABEL_OPTIONAL
            if kind in _TYPES:
                added.type = _TYPES[kind]
            elif kind in _ENUMS:
                added.type, added.type_name = _FIELD.TYPE_ENUM, f".caffe.{name}.{kind}"
            else:
                added.type, added.type_name = _FIELD.TYPE_MESSAGE, f".caffe.{kind}"
            if default:
                added.default_value = default
            if is_repeated and kind in ("float", "long") and name in ("BlobShape", "BlobProto"):
                added.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.NetParameter"))
