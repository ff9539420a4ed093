"""The options of `dl serve`, and what of them cannot be. Imports neither torch nor numpy."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.config import option
from dlcli.core.errors import UsageError

TOKEN = "DLCLI_TOKEN"
"""The variable that may hold the token, since other users of the machine can read a command line."""

MIN_TOKEN = 16
"""Characters of a token, at least: of random ones, 16 cannot be guessed over a network."""


@dataclass(frozen=True)
class ServeOptions:
    """Options of `dl serve`."""

    host: str = option("127.0.0.1", "address to listen on; other than this machine's own it needs --token")
    port: int = option(8000, "port to listen on; 0 takes a free one", minimum=0, maximum=65535)
    token: str | None = option(
        None, f"what requests must bear (Authorization: Bearer TOKEN); better given as the variable {TOKEN}"
    )
    cert: str | None = option(None, "certificate for TLS, PEM", metavar="FILE")
    key: str | None = option(None, "its private key, PEM", metavar="FILE")
    workers: int = option(1, "processes that answer, each with the models in its own memory", minimum=1, maximum=64)
    access_log: str | None = option(
        None, "a line of JSON for each request in this file, - for stderr; no client's data", metavar="FILE"
    )
    max_batch: int = option(32, "inputs that a model answers at once", minimum=1, maximum=4096, section="Batches")
    max_wait_ms: float = option(
        0.0,
        "how long an input waits for others where the model is free, in milliseconds",
        minimum=0.0,
        maximum=10_000.0,
    )
    queue: int = option(256, "inputs that may wait for a model; more are refused (503)", minimum=1, maximum=100_000)
    timeout: float = option(
        30.0, "seconds for a request to arrive, and for its answer (408, 504)", minimum=0.1, maximum=3600.0
    )
    max_mb: float = option(
        16.0, "megabytes of a request (413)", minimum=0.001, maximum=1024.0, section="Limits", is_advanced=True
    )
    max_megapixels: float = option(
        25.0, "megapixels of an image; larger ones are faults", minimum=0.001, maximum=100.0, is_advanced=True
    )
    max_connections: int = option(
        512, "connections of a worker at once (503)", minimum=1, maximum=65536, is_advanced=True
    )
    grace: float = option(
        30.0, "seconds to answer what was taken when told to stop", minimum=0.0, maximum=3600.0, is_advanced=True
    )
    default: str | None = option(
        None,
        "the model that /predict asks (default: the first)",
        metavar="NAME[@VERSION]",
        section="Models",
        is_advanced=True,
    )
    share: str | None = option(
        None, "shares of /predict for an A/B test: a@1=0.9,a@2=0.1", metavar="SHARES", is_advanced=True
    )
    model_dir: str | None = option(
        None, "folder of runs and files that /admin may load", metavar="DIR", is_advanced=True
    )


def resolved_token(options: ServeOptions) -> str | None:
    """Return the token that requests must bear; None for none.

    Raises:
        UsageError: it is too short, or holds what a header cannot.
    """
    token = options.token or os.environ.get(TOKEN) or None
    if token is None:
        return None
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            f"--token: not {MIN_TOKEN} or more letters, digits or signs without blanks",
            hint="python -c 'import secrets; print(secrets.token_urlsafe())' makes one",
        )
    return token


def check_options(options: ServeOptions) -> None:
    """Check the options that depend on each other.

    Raises:
        UsageError: another host without a token, a certificate without its key, or a file or folder that is missing.
    """
    if not is_loopback(options.host) and resolved_token(options) is None:
        raise UsageError(
            f"--host {options.host}: whoever reaches this machine could use the models",
            hint=f"set --token or {TOKEN} (and --cert and --key), or listen on 127.0.0.1 behind a proxy",
        )
    if (options.cert is None) != (options.key is None):
        raise UsageError("--cert and --key belong together", hint="give both, or neither")
    for flag, path in (("cert", options.cert), ("key", options.key)):
        if path is not None and not Path(path).is_file():
            raise UsageError(f"--{flag} {path}: no such file", hint="name a PEM file")
    if options.cert is not None:
        _check_certificate(options.cert, options.key)
    if options.model_dir is not None and not Path(options.model_dir).is_dir():
        raise UsageError(f"--model-dir {options.model_dir}: no such folder", hint="name a folder of runs")


def _check_certificate(cert: str, key: str | None) -> None:
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise UsageError(
            f"--cert {cert}: not a certificate with this key: {error}",
            hint="name a PEM certificate and its private key",
        ) from None


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host == "localhost":
        return True
    import ipaddress  # some milliseconds, and a help page needs none of it

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
