"""The built-in prepared forms; to add one, add an entry here."""

from __future__ import annotations

from collections.abc import Mapping

from dlcli.core.specs import FormSpec

FORMS: Mapping[str, FormSpec] = {
    "images": FormSpec(
        name="images",
        summary="images by class: train/<class>/*.png, or <class>/*.png",
        open="dlcli.data.images.form:open_images",
        findings="dlcli.data.images.findings:examine_images",
        samples="dlcli.visualize.grids:draw_images",
        collection="dlcli.data.images.collection:collect_images",
        task="classification",
        cut="dlcli.data.images.form:cut_images",
        matches="dlcli.data.images.folders:holds_images",
    ),
    "text": FormSpec(
        name="text",
        summary="texts, labelled or not: train.jsonl, valid.jsonl, test.jsonl",
        open="dlcli.data.text.form:open_texts",
        findings="dlcli.data.text.findings:examine_texts",
        collection="dlcli.data.text.collection:collect_texts",
        task="sentiment",
    ),
    "annotated": FormSpec(
        name="annotated",
        summary="annotated images: annotations/instances_train.json, images/train/*.jpg",
        open="dlcli.data.annotated.form:open_annotated",
        findings="dlcli.data.annotated.findings:examine_annotated",
        samples="dlcli.visualize.box_grid:draw_annotated",
        collection="dlcli.data.annotated.collection:collect_annotated",
        task="detection",
        matches="dlcli.data.annotated.form:holds_annotations",
        task_of="dlcli.data.annotated.form:task_of_own",
    ),
    "domains": FormSpec(
        name="domains",
        summary="images of two domains: trainA and trainB, or train/A and train/B",
        open="dlcli.data.domains.form:open_domains",
        findings="dlcli.data.domains.findings:examine_domains",
        samples="dlcli.visualize.domain_grid:draw_domains",
        collection="dlcli.data.domains.collection:collect_domains",
        task="style",
        matches="dlcli.data.domains.folders:holds_domains",
    ),
    "parallel": FormSpec(
        name="parallel",
        summary="sentence pairs: train.jsonl, valid.jsonl, test.jsonl",
        open="dlcli.data.parallel.form:open_parallel",
        findings="dlcli.data.parallel.findings:examine_parallel",
        task="translation",
    ),
    "table": FormSpec(
        name="table",
        summary="a table with a column to predict: table.csv",
        open="dlcli.data.tables.form:open_table",
        findings="dlcli.data.tables.findings:examine_table",
        collection="dlcli.data.tables.collection:collect_table",
        task="regression",
    ),
}
