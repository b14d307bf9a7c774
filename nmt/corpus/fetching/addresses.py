"""Where the files of public repositories are downloaded from: every address that this house knows, in the order tried.

NMT_MIRROR names servers (white space between them) that are tried before the public ones. A mirror holds a file as
URL/OWNER/NAME/COMMIT/PATH and a whole repository as URL/OWNER/NAME/COMMIT.tar.gz. It is trusted no more than the public
ones: all that comes from it is checked by the same digests.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from urllib.parse import quote, urlsplit

from nmt.corpus.recipes.recipe import Archive, Files
from nmt.errors import UserError

PUBLIC_FILES = (
    # GitHub's own host of single files.
    "https://raw.githubusercontent.com/{repository}/{commit}/{path}",
    # A network of caches in front of it. Refuses files above 20 MB and repositories above 150 MB.
    "https://cdn.jsdelivr.net/gh/{repository}@{commit}/{path}",
)
PUBLIC_ARCHIVES = (
    # Packed by GitHub when it is asked for; leads to the next one.
    "https://github.com/{repository}/archive/{commit}.tar.gz",
    # The host that packs. Tells no length, and can't go on in the middle.
    "https://codeload.github.com/{repository}/tar.gz/{commit}",
)
MIRROR_FILE = "{mirror}/{repository}/{commit}/{path}"
MIRROR_ARCHIVE = "{mirror}/{repository}/{commit}.tar.gz"


def addresses_of_file(need: Files, path: str) -> list[str]:
    """Returns where a file of a need, by its path after the prefix, is downloaded from.

    Raises UserError for an NMT_MIRROR that is no address.
    """
    whole_path = quote(f"{need.prefix}{path}")
    patterns = [*_of_mirrors(MIRROR_FILE), *PUBLIC_FILES]
    return [pattern.format(repository=need.repository, commit=need.commit, path=whole_path) for pattern in patterns]


def addresses_of_archive(need: Archive) -> list[str]:
    """Returns where the archive of a need's repository is downloaded from. Raises UserError as `addresses_of_file`."""
    patterns = [*_of_mirrors(MIRROR_ARCHIVE), *PUBLIC_ARCHIVES]
    return [pattern.format(repository=need.repository, commit=need.commit) for pattern in patterns]


def page_of(repository: str) -> str:
    """Returns what git clones, and people look at."""
    return f"https://github.com/{repository}"


def without_password(address: str) -> str:
    """Returns an address as it may be shown and kept: without the name and password before its host."""
    return re.sub(r"//[^/?#\s]*@", "//***@", address)


def _of_mirrors(pattern: str) -> list[str]:
    patterns = []
    for mirror in os.environ.get("NMT_MIRROR", "").split():
        _check_mirror(mirror)
        literal = mirror.rstrip("/").replace("{", "{{").replace("}", "}}")
        patterns.append(pattern.replace("{mirror}", literal))
    return patterns


def _check_mirror(mirror: str) -> None:
    """Raises UserError for what is no address of a server."""
    with suppress(ValueError):  # brackets that are not closed; a port that is no number
        parts = urlsplit(mirror)
        is_server = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        if is_server and not parts.query and not parts.fragment:
            return
    _, at, host = mirror.rpartition("@")
    shown = f"***@{host}" if at else mirror
    shown = re.split("[?#]", shown)[0]  # a token may follow
    raise UserError(
        f"NMT_MIRROR={shown}: an address that begins with http:// or https:// and a host, without ? and #, is needed"
    )
