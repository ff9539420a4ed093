"""The built-in tasks and datasets; to add one, add an entry here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcli.core.specs import DatasetSpec, TaskSpec

_CLASS_INFERENCE = "dlcli.tasks.inference:ClassInference"


def _table_task(
    name: str, summary: str, default_dataset: str, prefix: str, recipe: str, inference: str = ""
) -> TaskSpec:
    place = "dlcli.tasks.tables"
    return TaskSpec(
        name=name,
        summary=summary,
        form="table",
        default_dataset=default_dataset,
        config=f"{place}.config:{prefix}Config",
        recipe=f"{place}.recipes:{recipe}",
        task=f"{place}.{name.removeprefix('table-')}:{prefix}Task",
        codec=f"{place}.codec:{prefix}Codec",
        networks=f"{place}.networks:NETWORKS",
        inference=inference,
        pictures=f"{place}.pictures:PICTURES",
        pipeline="tabular-regression" if name == "regression" else "tabular-classification",
        script=f"{place}.script:predict",
    )


TASKS: Mapping[str, TaskSpec] = {
    "classification": TaskSpec(
        name="classification",
        summary="classify images",
        form="images",
        default_dataset="cifar10",
        config="dlcli.tasks.classification.config:ClassificationConfig",
        recipe="dlcli.tasks.classification.recipes:recipe",
        task="dlcli.tasks.classification.task:ClassificationTask",
        codec="dlcli.tasks.classification.codec:ImageCodec",
        networks="dlcli.tasks.classification.networks:NETWORKS",
        inference="dlcli.tasks.classification.config:ClassificationInference",
        sizes="dlcli.tasks.classification.sizes:sizes",
        zoo="dlcli.tasks.classification.networks:ZOO",
        pictures="dlcli.tasks.classification.pictures:PICTURES",
        pipeline="image-classification",
        script="dlcli.tasks.classification.script:predict",
        short_script="dlcli.tasks.classification.short_script:predict",
    ),
    "sentiment": TaskSpec(
        name="sentiment",
        summary="classify texts, by sentiment or any other label",
        form="text",
        default_dataset="weibo",
        config="dlcli.tasks.sentiment.config:SentimentConfig",
        recipe="dlcli.tasks.sentiment.recipes:recipe",
        task="dlcli.tasks.sentiment.task:SentimentTask",
        codec="dlcli.tasks.sentiment.codec:TextCodec",
        networks="dlcli.tasks.sentiment.networks:NETWORKS",
        inference=_CLASS_INFERENCE,
        pictures="dlcli.tasks.sentiment.pictures:PICTURES",
        pipeline="text-classification",
    ),
    "embedding": TaskSpec(
        name="embedding",
        summary="learn word vectors from texts, without labels",
        form="text",
        default_dataset="weibo",
        config="dlcli.tasks.embedding.config:EmbeddingConfig",
        recipe="dlcli.tasks.embedding.recipes:recipe",
        task="dlcli.tasks.embedding.task:EmbeddingTask",
        codec="dlcli.tasks.embedding.codec:WordCodec",
        networks="dlcli.tasks.embedding.networks:NETWORKS",
        inference="dlcli.tasks.embedding.config:EmbeddingInference",
        pictures="dlcli.tasks.embedding.pictures:PICTURES",
        pipeline="feature-extraction",
    ),
    "detection": TaskSpec(
        name="detection",
        summary="find objects in images",
        form="annotated",
        default_dataset="voc",
        config="dlcli.tasks.detection.config:DetectionConfig",
        recipe="dlcli.tasks.detection.recipes:recipe",
        task="dlcli.tasks.detection.task:DetectionTask",
        codec="dlcli.tasks.detection.codec:DetectionCodec",
        networks="dlcli.tasks.detection.networks:NETWORKS",
        inference="dlcli.tasks.detection.config:DetectionInference",
        zoo="dlcli.tasks.detection.networks:ZOO",
        pictures="dlcli.tasks.detection.pictures:PICTURES",
        pipeline="object-detection",
        script="dlcli.tasks.detection.script:predict",
        short_script="dlcli.tasks.detection.short_script:predict",
    ),
    "multilabel": TaskSpec(
        name="multilabel",
        summary="say which of the classes an image shows, any number of them",
        form="annotated",
        default_dataset="voc",
        config="dlcli.tasks.multilabel.config:MultilabelConfig",
        recipe="dlcli.tasks.multilabel.recipes:recipe",
        task="dlcli.tasks.multilabel.task:MultilabelTask",
        codec="dlcli.tasks.multilabel.codec:MultilabelCodec",
        networks="dlcli.tasks.multilabel.networks:NETWORKS",
        inference="dlcli.tasks.multilabel.config:MultilabelInference",
        zoo="dlcli.tasks.multilabel.networks:ZOO",
        pictures="dlcli.tasks.multilabel.pictures:PICTURES",
        pipeline="image-classification",
        script="dlcli.tasks.multilabel.script:predict",
        short_script="dlcli.tasks.multilabel.short_script:predict",
    ),
    "segmentation": TaskSpec(
        name="segmentation",
        summary="say the class of every pixel of an image",
        form="annotated",
        default_dataset="voc",
        config="dlcli.tasks.segmentation.config:SegmentationConfig",
        recipe="dlcli.tasks.segmentation.recipes:recipe",
        task="dlcli.tasks.segmentation.task:SegmentationTask",
        codec="dlcli.tasks.segmentation.codec:SegmentationCodec",
        networks="dlcli.tasks.segmentation.networks:NETWORKS",
        zoo="dlcli.tasks.segmentation.networks:ZOO",
        pipeline="image-segmentation",
        script="dlcli.tasks.segmentation.script:predict",
        short_script="dlcli.tasks.segmentation.short_script:predict",
    ),
    "generation": TaskSpec(
        name="generation",
        summary="make images from noise, like those of a dataset",
        form="images",
        default_dataset="digits",
        config="dlcli.tasks.generation.config:GenerationConfig",
        recipe="dlcli.tasks.generation.recipes:recipe",
        task="dlcli.tasks.generation.task:GenerationTask",
        codec="dlcli.tasks.generation.codec:NoiseCodec",
        networks="dlcli.tasks.generation.networks:NETWORKS",
        inference="dlcli.tasks.generation.config:GenerationInference",
        pictures="dlcli.tasks.generation.pictures:PICTURES",
        pipeline="unconditional-image-generation",
    ),
    "style": TaskSpec(
        name="style",
        summary="translate images from one domain into another",
        form="domains",
        default_dataset="domains",
        config="dlcli.tasks.style.config:StyleConfig",
        recipe="dlcli.tasks.style.recipes:recipe",
        task="dlcli.tasks.style.task:StyleTask",
        codec="dlcli.tasks.style.codec:StyleCodec",
        networks="dlcli.tasks.style.networks:NETWORKS",
        inference="dlcli.tasks.style.config:StyleInference",
        pictures="dlcli.tasks.style.pictures:PICTURES",
        pipeline="image-to-image",
        script="dlcli.tasks.style.script:predict",
    ),
    "translation": TaskSpec(
        name="translation",
        summary="translate sentences",
        form="parallel",
        default_dataset="anki",
        config="dlcli.tasks.translation.config:TranslationConfig",
        recipe="dlcli.tasks.translation.recipes:recipe",
        task="dlcli.tasks.translation.task:TranslationTask",
        codec="dlcli.tasks.translation.codec:TranslationCodec",
        networks="dlcli.tasks.translation.networks:NETWORKS",
        inference="dlcli.tasks.translation.config:TranslationInference",
        search="dlcli.tasks.translation.search:search",
        pictures="dlcli.tasks.translation.pictures:PICTURES",
        pipeline="translation",
    ),
    "language-model": TaskSpec(
        name="language-model",
        summary="model texts: how probable they are, and what comes next",
        form="text",
        default_dataset="text-lines",
        config="dlcli.tasks.language_model.config:LanguageModelConfig",
        recipe="dlcli.tasks.language_model.recipes:recipe",
        task="dlcli.tasks.language_model.task:LanguageModelTask",
        codec="dlcli.tasks.language_model.codec:LanguageCodec",
        networks="dlcli.tasks.language_model.networks:NETWORKS",
        inference="dlcli.tasks.language_model.config:LanguageModelInference",
        search="dlcli.tasks.language_model.search:search",
        pictures="dlcli.tasks.language_model.pictures:PICTURES",
        pipeline="text-generation",
    ),
    "regression": _table_task(
        "regression",
        "predict a number from the other columns of a table",
        "housing",
        "Regression",
        "recipe",
        "dlcli.tasks.tables.config:RegressionInference",
    ),
    "table-classification": _table_task(
        "table-classification",
        "predict a class from the other columns of a table",
        "table",
        "TableClassification",
        "classification_recipe",
        inference=_CLASS_INFERENCE,
    ),
}


def _text_dataset(name: str, summary: str, importer: str, prefix: str = "Text", **more: Any) -> DatasetSpec:
    options = f"dlcli.datasets.text.options:{prefix}Options"
    return DatasetSpec(name, summary, "text", "sentiment", f"dlcli.datasets.text.{importer}", options, **more)


def _image_dataset(name: str, summary: str, module: str, prefix: str, **more: Any) -> DatasetSpec:
    place = "dlcli.datasets.images"
    importer, options = f"{place}.{module}:{prefix}Importer", f"{place}.options:{prefix}Options"
    return DatasetSpec(name, summary, "images", "classification", importer, options, **more)


def _parallel_dataset(name: str, summary: str, importer: str, prefix: str, **more: Any) -> DatasetSpec:
    place = "dlcli.datasets.parallel"
    importer, options = f"{place}.importer:{importer}", f"{place}.options:{prefix}Options"
    return DatasetSpec(name, summary, "parallel", "translation", importer, options, **more)


def _annotated_dataset(name: str, summary: str, **more: Any) -> DatasetSpec:
    place = "dlcli.datasets.annotated"
    importer = f"{place}.importer:{name.replace('-', '_')}_importer"
    return DatasetSpec(name, summary, "annotated", "detection", importer, f"{place}.options:AnnotatedOptions", **more)


def _domains_dataset(name: str, summary: str, importer: str) -> DatasetSpec:
    place = "dlcli.datasets.domains"
    return DatasetSpec(
        name,
        summary,
        "domains",
        "style",
        f"{place}.{name}:{importer}",
        f"{place}.options:DomainsOptions",
        source_options=("a", "b"),
    )


DATASETS: Mapping[str, DatasetSpec] = {
    spec.name: spec
    for spec in (
        _image_dataset(
            "digits",
            "scikit-learn's 1,797 handwritten digits, 8 x 8 (embedded)",
            "digits",
            "Digits",
            needs_source=False,
        ),
        _image_dataset(
            "mnist",
            "70,000 handwritten digits, 28 x 28 (idx files)",
            "mnist",
            "Mnist",
            page="yann.lecun.com/exdb/mnist",
        ),
        _image_dataset(
            "fashion-mnist",
            "70,000 pictures of clothes, 28 x 28 (idx files)",
            "mnist",
            "FashionMnist",
            page="github.com/zalandoresearch/fashion-mnist",
        ),
        _image_dataset(
            "cifar10",
            "60,000 photos in 10 classes, 32 x 32 (python batches)",
            "cifar",
            "Cifar10",
            page="www.cs.toronto.edu/~kriz/cifar.html",
        ),
        _image_dataset(
            "cifar100",
            "60,000 photos in 100 classes, 32 x 32 (python batches)",
            "cifar",
            "Cifar100",
            page="www.cs.toronto.edu/~kriz/cifar.html",
        ),
        _image_dataset("image-folder", "your own images, one folder per class", "folder", "ImageFolder"),
        _annotated_dataset(
            "voc", "annotated images in Pascal VOC's XML, or its palette PNGs", page="host.robots.ox.ac.uk/pascal/VOC"
        ),
        _annotated_dataset("coco", "annotated images in COCO's instances JSON", page="cocodataset.org"),
        _annotated_dataset("yolo", "annotated images in YOLO's text files, with data.yaml or without"),
        _annotated_dataset("labelme", "annotated images in labelme's JSON files"),
        _annotated_dataset("boxes-csv", "annotated images in a CSV file of boxes or classes"),
        _annotated_dataset(
            "pennfudan", "images and masks of instance numbers (PennFudanPed)", page="www.cis.upenn.edu/~jshi/ped_html"
        ),
        _domains_dataset("domains", "two folders of images, or trainA, trainB, testA and testB", "DomainsImporter"),
        _domains_dataset("pairs", "pairs of images, side by side or in two folders of equal names", "PairsImporter"),
        _text_dataset(
            "weibo",
            "weibo_senti_100k, Chinese posts, negative or positive (CSV)",
            "weibo:weibo_importer",
            page="github.com/SophonPlus/ChineseNlpCorpus",
        ),
        _text_dataset("text-csv", "your own labelled texts in a CSV file", "labelled:csv_importer"),
        _text_dataset("text-tsv", "your own labelled texts in a TSV file", "labelled:tsv_importer"),
        _text_dataset("text-jsonl", "your own labelled texts, one JSON object per line", "labelled:jsonl_importer"),
        _text_dataset(
            "text-folder", "your own texts, a file each, one folder per class", "folder:folder_importer", "TextFolder"
        ),
        DatasetSpec(
            "text-lines",
            "your own texts without labels, one a line",
            "text",
            "language-model",
            "dlcli.datasets.text.unlabelled:lines_importer",
            "dlcli.datasets.text.options:TextLinesOptions",
        ),
        _parallel_dataset(
            "anki",
            "sentence pairs of Tatoeba as Anki's lists have them (TSV)",
            "anki_importer",
            "Column",
            page="www.manythings.org/anki",
        ),
        _parallel_dataset("pairs-tsv", "your own sentence pairs in a TSV file", "tsv_importer", "Column"),
        _parallel_dataset("pairs-text", "your own sentence pairs in two aligned files", "text_importer", "Aligned"),
        DatasetSpec(
            "housing",
            "prices of homes in 506 tracts of Boston, 1970 (housing.data)",
            "table",
            "regression",
            "dlcli.datasets.tables.housing:HousingImporter",
            "dlcli.datasets.tables.options:HousingOptions",
            page="archive.ics.uci.edu/ml/machine-learning-databases/housing",
        ),
        DatasetSpec(
            "table",
            "your own table, CSV or TSV, with a column to predict",
            "table",
            "regression",
            "dlcli.datasets.tables.table:TableImporter",
            "dlcli.datasets.tables.options:TableOptions",
        ),
    )
}
