"""weibo_senti_100k: 119,988 posts of Sina Weibo, `label,review`, 0 negative and 1 positive, sorted by label.

The posts were labelled by their emoticons, which are still in the texts: `--strip-emoticons` prepares the honest task.

Source: github.com/SophonPlus/ChineseNlpCorpus, datasets/weibo_senti_100k.
"""

from __future__ import annotations

from dlcli.data.text.columns import CSV
from dlcli.datasets.text.labelled import LabelledTextImporter, TextSource
from dlcli.datasets.text.options import TextOptions

LABEL_NAMES = {"0": "negative", "1": "positive"}


def weibo_importer(options: TextOptions) -> LabelledTextImporter:
    """Return the importer of `weibo`."""
    return LabelledTextImporter(options, TextSource("weibo", CSV, LABEL_NAMES))
