"""Downloads of official archives: resumable, limited in size, and verified by their published checksum."""

from __future__ import annotations

import hashlib
import http.client
import re
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from dlcli.core.errors import DataError
from dlcli.core.version import __version__
from dlcli.data.importing.preparing import Report

_TIMEOUT_S = 30
_BLOCK = 2**20
_REPORT_EVERY = 32 * 2**20


def download_file(url: str, target: Path, *, md5: str, page: str, report: Report, max_bytes: int = 512 * 2**20) -> Path:
    """Return `target`, downloaded from `url` unless it already exists with the right checksum.

    The bytes go to `<target>.part`; a later call resumes where an earlier one stopped. The file is renamed to `target`
    once its checksum is verified.

    Args:
        url: http or https.
        target: the file to write.
        md5: the published checksum, hexadecimal.
        page: web page from which a person can download the file, for messages.
        report: prints progress.
        max_bytes: limit of the size.

    Raises:
        DataError: there is no network, the server reports an error, the file is too large, or its checksum differs.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise DataError(f"{url}: only http and https are supported")
    if target.is_file() and _md5(target) == md5:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    by_hand = f"download {target.name} by hand from {page} and pass its path as SOURCE"
    try:
        _fetch(url, part, max_bytes, by_hand, report)
    except urllib.error.HTTPError as error:
        raise DataError(f"{url}: the server responds {error.code} {error.reason}", hint=by_hand) from None
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        reason = getattr(error, "reason", None) or error
        kept = f"; the next try resumes after {part.stat().st_size / 1e6:.1f} MB" if part.is_file() else ""
        raise DataError(
            f"{url}: cannot be downloaded: {reason}{kept}", hint=f"try again with a network, or {by_hand}"
        ) from None
    if _md5(part) != md5:
        part.unlink()
        raise DataError(f"{url}: its checksum is not the published one (md5 {md5}); it was removed", hint=by_hand)
    part.replace(target)
    return target


def _fetch(url: str, part: Path, max_bytes: int, by_hand: str, report: Report) -> None:
    """Complete the partial file."""
    have = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": f"dlcli/{__version__}"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        response = _opener().open(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # no bytes beyond what we have: it is complete, or of another file
            return
        raise
    with response:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        is_continued = response.status == 206 and match is not None and int(match[1]) == have
        if not is_continued:
            have = 0  # the server does not support ranges and sends everything again
        length = response.headers.get("Content-Length")
        expected = have + int(length) if length and length.isdigit() else None
        if expected is not None and expected > max_bytes:
            raise DataError(f"{url}: {expected:,} bytes exceed the limit of {max_bytes:,}", hint=by_hand)
        report(f"downloading {url}" + (f" from byte {have:,}" if have else ""))
        received = _copy(response, part, have, max_bytes, expected, report)
    if received > max_bytes:
        part.unlink()
        raise DataError(f"{url}: exceeds the limit of {max_bytes:,} bytes", hint=by_hand)
    if expected is not None and received < expected:
        raise ConnectionError(f"the connection ended after {received:,} of {expected:,} bytes")


def _copy(
    response: http.client.HTTPResponse, part: Path, have: int, max_bytes: int, expected: int | None, report: Report
) -> int:
    """Append the response to the partial file; return its new size in bytes."""
    next_report = have + _REPORT_EVERY
    with part.open("ab" if have else "wb") as stream:
        while have <= max_bytes and (block := response.read1(_BLOCK)):
            stream.write(block)
            have += len(block)
            if have >= next_report:
                report(f"  {have / 1e6:.0f} MB" + (f" of {expected / 1e6:.0f} MB" if expected else ""))
                next_report += _REPORT_EVERY
    return have


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener for http and https only: the default one follows redirects to ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)  # the published kind; it guards against damage, not malice
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
