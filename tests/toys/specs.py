"""Whole tasks for the contract tests, as entry points name them: tasks that are unlike every built-in one."""

from __future__ import annotations

from dlcli.core.registry import DatasetSpec, FormSpec, TaskSpec

GAN_FORM = FormSpec(
    name="toy-dots",
    summary="grey pictures: train.npy, test.npy",
    open="toys.dots:open_dots",
    samples="toys.dots:draw_dots",
    task="toy-gan",
)

GAN = TaskSpec(
    name="toy-gan",
    summary="draw pictures from noise",
    form="toy-dots",
    default_dataset="toy-dots",
    config="toys.dots:GanConfig",
    recipe="toys.dots:recipe",
    task="toys.gan:PoolGan",
    codec="toys.dots:NoiseCodec",
    networks="toys.dots:NETWORKS",
    inference="toys.dots:GanInference",
)

DOTS = DatasetSpec(
    name="toy-dots",
    summary="grey pictures of one size (embedded)",
    form="toy-dots",
    task="toy-gan",
    importer="toys.dots:DotsImporter",
    options="toys.dots:DotsOptions",
    needs_source=False,
)

DETECTION_FORM = FormSpec(
    name="toy-boxes",
    summary="images with objects: train/, train.json, test/, test.json",
    open="toys.boxes:open_boxes",
    samples="toys.boxes:draw_boxes",
    task="toy-detection",
)

DETECTION = TaskSpec(
    name="toy-detection",
    summary="find objects in images",
    form="toy-boxes",
    default_dataset="toy-boxes",
    config="toys.boxes:DetectionConfig",
    recipe="toys.boxes:recipe",
    task="toys.detection:DetectionTask",
    codec="toys.boxes:DetectionCodec",
    networks="toys.boxes:NETWORKS",
    inference="toys.boxes:DetectionInference",
)

BOXES = DatasetSpec(
    name="toy-boxes",
    summary="red and green bars on images of two sizes (embedded)",
    form="toy-boxes",
    task="toy-detection",
    importer="toys.boxes:BoxesImporter",
    options="toys.boxes:BoxesOptions",
    needs_source=False,
)

TRANSLATION_FORM = FormSpec(
    name="toy-pairs",
    summary="pairs of sentences: train.json, test.json",
    open="toys.sentences:open_pairs",
    task="toy-translation",
)

TRANSLATION = TaskSpec(
    name="toy-translation",
    summary="translate sentences",
    form="toy-pairs",
    default_dataset="toy-pairs",
    config="toys.sentences:TranslationConfig",
    recipe="toys.sentences:recipe",
    task="toys.translation:TranslationTask",
    codec="toys.sentences:SentenceCodec",
    networks="toys.sentences:NETWORKS",
    inference="toys.sentences:SeqInference",
    search="toys.sentences:search",
)

PAIRS = DatasetSpec(
    name="toy-pairs",
    summary="sentences and the same backwards (embedded)",
    form="toy-pairs",
    task="toy-translation",
    importer="toys.sentences:PairsImporter",
    options="toys.sentences:PairsOptions",
    needs_source=False,
)
