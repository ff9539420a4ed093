"""Bad command lines of `dl prepare`."""

from __future__ import annotations

import pickle

from bad_inputs.arrange import DATA, TEXTS, USAGE, Row, cut_file, fill_disk, write_csv, write_cut_archive

PREPARE = {
    "source missing": Row("prepare cifar10 nowhere", DATA, "nowhere: no such"),
    "no dataset": Row("prepare", USAGE, "which dataset?"),
    "dataset misspelt": Row("prepare cifar01 x", USAGE, "'cifar10'"),
    "no source": Row("prepare cifar10", USAGE, "fix: dl prepare cifar10 SOURCE, or --download"),
    "source of the embedded": Row("prepare digits x", DATA, "takes no SOURCE"),
    "option misspelt": Row("prepare digits --test-fractoin 0.1", USAGE, "--test-fraction"),
    "option out of range": Row("prepare digits --test-fraction 2", USAGE, "at most 0.9"),
    "option without value": Row("prepare digits --out", USAGE, "--out"),
    "batch cut off": Row(
        "prepare cifar10 src",
        DATA,
        "data_batch_2: not a pickled batch: it is truncated",
        lambda b: cut_file(b.cifar("src") / "data_batch_2"),
    ),
    "batch of another kind": Row(
        "prepare cifar10 src",
        DATA,
        "holds a list",
        lambda b: (b.cifar("src") / "data_batch_3").write_bytes(pickle.dumps([1, 2])),
    ),
    "batch that is a trap": Row(
        "prepare cifar10 src",
        DATA,
        "refused: the pickle references",
        lambda b: (b.cifar("src") / "test_batch").write_bytes(b.trap()),
    ),
    "binary version": Row(
        "prepare cifar10 src",
        DATA,
        "this is the binary version",
        lambda b: b.write("src/data_batch_1.bin", b"\0" * 3073),
    ),
    "batch missing": Row(
        "prepare cifar10 src", DATA, "data_batch_4 missing", lambda b: (b.cifar("src") / "data_batch_4").unlink()
    ),
    "label out of range": Row(
        "prepare cifar10 src", DATA, "the label 10", lambda b: b.cifar("src", labels=[0, 1, 2, 10])
    ),
    "fewer labels than images": Row(
        "prepare cifar10 src", DATA, "4 images, but 2 labels", lambda b: b.cifar("src", labels=[0, 1])
    ),
    "archive cut off": Row("prepare cifar10 cifar.tar.gz", DATA, "cifar.tar.gz", write_cut_archive),
    "the other cifar": Row("prepare cifar100 src", DATA, "no CIFAR-100 batches", lambda b: b.cifar("src")),
    "idx files missing": Row(
        "prepare mnist src", DATA, "train-images-idx3-ubyte", lambda b: b.write("src/readme.txt", "x")
    ),
    "idx with another magic": Row(
        "prepare mnist src", DATA, "not an idx file", lambda b: b.mnist("src", magic=b"\1\2\x08\x03")
    ),
    "gzip cut off": Row("prepare mnist src", DATA, "truncated or damaged", lambda b: b.mnist("src", cut=400)),
    "texts without a class": Row(
        "prepare text-folder src", DATA, "no .txt file in a folder of its class", lambda b: b.write("src/a.txt", "x")
    ),
    "text files of one class": Row(
        "prepare text-folder src", DATA, "texts of 1 classes are left", lambda b: b.write("src/pos/a.txt", "x")
    ),
    "no folder of texts": Row("prepare text-folder nowhere", DATA, "nowhere: no such folder"),
    "no file of labels": Row(
        "prepare image-folder src --labels-from l.csv", DATA, "l.csv: no such file", lambda b: (b.home / "src").mkdir()
    ),
    "labels without a file": Row(
        "prepare image-folder src --labels-from l.csv",
        DATA,
        "no image has a label",
        lambda b: b.write("src/l.csv", "fn,label\n0.png,a\n"),
    ),
    "names without a class": Row(
        "prepare image-folder src --labels-from name --max-bad 0",
        DATA,
        "1 label cannot be used",
        lambda b: b.write("src/cat.png", "x"),
    ),
    "folder empty": Row("prepare image-folder src", DATA, "src", lambda b: (b.home / "src").mkdir()),
    "one class": Row("prepare image-folder src", DATA, "a classifier needs two", lambda b: b.photos("src", ("cat",))),
    "too many bad files": Row(
        "prepare image-folder src --max-bad 0",
        DATA,
        "empty.png",
        lambda b: (b.photos("src"), b.write("src/cat/empty.png")),
    ),
    "over the source": Row("prepare image-folder src --out src", DATA, "overlap", lambda b: b.photos("src")),
    "inside the source": Row("prepare image-folder src --out src/new", DATA, "overlap", lambda b: b.photos("src")),
    "over something else": Row(
        "prepare image-folder src --out home",
        DATA,
        "holds files, but no prepared dataset",
        lambda b: (b.photos("src"), b.write("home/thesis.txt", "do not lose")),
    ),
    "over a file": Row(
        "prepare image-folder src --out f", DATA, "is a file", lambda b: (b.photos("src"), b.write("f", "x"))
    ),
    "below a file": Row(
        "prepare image-folder src --out f/new", DATA, "f/new", lambda b: (b.photos("src"), b.write("f", "x"))
    ),
    "disk full": Row(
        "prepare cifar10 src", DATA, "the disk is full", lambda b: (b.cifar("src"), fill_disk(b)), leaves=("data",)
    ),
    "texts that are no file": Row("prepare weibo posts.csv", DATA, "posts.csv"),
    "texts of one class": Row(
        "prepare text-csv t.csv", DATA, "class", lambda b: b.write("t.csv", "label,text\n" + "1,好\n1,真好\n" * 9)
    ),
    "texts without such a column": Row(
        "prepare text-csv t.csv --text-column review", DATA, "'review'", lambda b: b.write("t.csv", TEXTS)
    ),
    "texts in another encoding": Row(
        "prepare text-csv t.csv --encoding utf-8",
        DATA,
        "byte",
        lambda b: b.write("t.csv", b"label,text\n1,\xff\xfe\xff\n"),
    ),
    "texts cleaned of what is no kind": Row(
        "prepare text-csv t.csv --clean htlm", USAGE, "'html'", lambda b: b.write("t.csv", TEXTS)
    ),
    "texts stemmed in an unknown language": Row(
        "prepare text-csv t.csv --stem klingon", USAGE, "english", lambda b: b.write("t.csv", TEXTS)
    ),
    "texts that are a picture": Row("prepare text-csv cat.png", DATA, "cat.png", lambda b: b.png("cat.png")),
    "texts with too many broken rows": Row(
        "prepare text-csv t.csv --max-bad 0", DATA, "line", lambda b: b.write("t.csv", TEXTS + "1,a,b,c\n")
    ),
    "JSON lines that are none": Row(
        "prepare text-jsonl t.jsonl --max-bad 3", DATA, "line 1", lambda b: b.write("t.jsonl", "x\n" * 20)
    ),
    "stop words that are no file": Row(
        "prepare text-csv t.csv --stopwords none.txt", DATA, "none.txt", lambda b: b.write("t.csv", TEXTS)
    ),
    "tokenizer misspelt": Row("prepare weibo posts.csv --tokenizer jeba", USAGE, "jieba"),
    "table without a target": Row("prepare table t.csv", DATA, "which column", lambda b: write_csv(b)),
    "target misspelt": Row("prepare table t.csv --target prise", DATA, "'price'", lambda b: write_csv(b)),
    "table with dates": Row(
        "prepare table t.csv --target price", DATA, "--drop 'day'", lambda b: write_csv(b, has_days=True)
    ),
    "table that is a picture": Row("prepare table cat.png --target x", DATA, "cat.png", lambda b: b.png("cat.png")),
    "table that is no file": Row("prepare table t.csv --target x", DATA, "fix: SOURCE is a CSV, TSV or Excel file"),
    "table with a quotation mark that never closes": Row(
        "prepare table t.csv --target price",
        DATA,
        "line 2",
        lambda b: b.write("t.csv", 'size,price\n1,"' + "x" * 200_000),
    ),
    "table with too many ragged rows": Row(
        "prepare table t.csv --target price --max-bad 0", DATA, "line 42", lambda b: write_csv(b, more="1,2,3,4\n")
    ),
    "housing that is a CSV": Row("prepare housing t.csv", DATA, "dl prepare table", lambda b: write_csv(b)),
    "housing that is not there": Row("prepare housing src", DATA, "src/housing.data", lambda b: b.write("src/x")),
}
