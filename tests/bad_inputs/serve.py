"""Bad command lines of `dl serve`; none of them opens a port for more than a moment."""

from __future__ import annotations

from bad_inputs.arrange import RUN, RUN_CODE, USAGE, Row

SERVE = {
    "no model": Row("serve", USAGE, "MODEL"),
    "run missing": Row("serve nothing --port 0", RUN_CODE, "nothing"),
    "file missing": Row("serve a=model.onnx --port 0", RUN_CODE, "no such file"),
    "file that is no model": Row(
        "serve notes.txt --port 0", RUN_CODE, "neither", lambda b: b.write("notes.txt", "hello")
    ),
    "file that is a trap": Row("serve m.pt --port 0", RUN_CODE, "m.pt", lambda b: b.write("m.pt", b.trap())),
    "open to the network without a token": Row(f"serve {RUN} --host 0.0.0.0", USAGE, "--token", lambda b: b.run()),
    "short token": Row(f"serve {RUN} --token secret", USAGE, "16", lambda b: b.run()),
    "certificate without its key": Row(f"serve {RUN} --cert c.pem", USAGE, "--key", lambda b: b.run()),
    "certificate that is none": Row(
        f"serve {RUN} --port 0 --cert c.pem --key c.pem --access-log a.log",
        USAGE,
        "c.pem",
        lambda b: (b.run(), b.write("c.pem", "hello")),
    ),
    "port beyond the last": Row(f"serve {RUN} --port 65536", USAGE, "65535", lambda b: b.run()),
    "address of another machine": Row(
        f"serve {RUN} --host 203.0.113.9 --token 0123456789abcdef", USAGE, "cannot listen", lambda b: b.run()
    ),
    "name with a blank": Row(f"serve 'a b={RUN}'", USAGE, "'a b'", lambda b: b.run()),
    "two models of one name": Row(f"serve a@1={RUN} a@1={RUN}", USAGE, "named twice", lambda b: b.run()),
    "default that is not served": Row(f"serve {RUN} --default b", USAGE, "no model 'b'", lambda b: b.run()),
    "share of nothing": Row(f"serve a={RUN} --share a=0", USAGE, "positive", lambda b: b.run()),
    "folder of models missing": Row(f"serve {RUN} --model-dir gone", USAGE, "no such folder", lambda b: b.run()),
    "log in no folder": Row(f"serve {RUN} --port 0 --access-log gone/a.log", USAGE, "gone/a.log", lambda b: b.run()),
    "option of another task": Row(f"serve {RUN} --beam 3", USAGE, "--beam", lambda b: b.run()),
    "network beside a run": Row(
        f"serve {RUN} lenet5 --pretrained default", USAGE, "for one network", lambda b: b.run()
    ),
}
