"""What can be told of the image without starting it: what is in its root, and that nothing in there is a secret."""

import re
import struct
import subprocess
import uuid
from pathlib import Path

from machine import Failed, in_tools

SECTOR = 512
ROOT_X86_64 = uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")
# Beginnings of private keys, as they stand in files.
PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{64}")
# Names under which secrets lie.
SECRET_NAMES = re.compile(
    r"(^|/)(authorized_keys|id_(rsa|ed25519|ecdsa)|ssh_host_.*_key|shadow-|\.netrc|random-seed|credential\.secret)$"
)
LARGEST = 8 << 20


def partitions(image: Path) -> list[tuple[uuid.UUID, str, int, int]]:
    """Type, label, first byte and bytes of each partition (UEFI 2.10, 5.3)."""
    found = []
    with image.open("rb") as file:
        file.seek(SECTOR)
        header = file.read(92)
        if header[:8] != b"EFI PART":
            raise Failed(f"{image} has no partition table")
        first, count, size = struct.unpack_from("<QII", header, 72)
        file.seek(first * SECTOR)
        for _ in range(count):
            entry = file.read(size)
            begins, ends = struct.unpack_from("<QQ", entry, 32)
            if any(entry[:16]):
                label = entry[56:128].decode("utf-16-le").rstrip("\0")
                found.append(
                    (uuid.UUID(bytes_le=entry[:16]), label, begins * SECTOR, (ends - begins + 1) * SECTOR)
                )
    return found


def extracted(image: Path, into: Path) -> Path:
    """The files of the root."""
    places = [place for place in partitions(image) if place[0] == ROOT_X86_64]
    if len(places) != 1:
        raise Failed(f"{image} has {len(places)} roots")
    _, _, offset, size = places[0]
    root = into / "root.erofs"
    into.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["dd", f"if={image}", f"of={root}", "bs=1M", "iflag=skip_bytes,count_bytes", f"skip={offset}", f"count={size}",
         "conv=sparse", "status=none"], check=True,
    )  # fmt: skip
    subprocess.run(
        in_tools("usr/bin/fsck.erofs", f"--extract={into / 'root'}", root), check=True, stdout=subprocess.DEVNULL
    )
    root.unlink()
    return into / "root"


def holds_a_key(data: bytes) -> bool:
    """Libraries of cryptography are left out: they have keys to test themselves with."""
    return not data.startswith(b"\x7fELF") and PRIVATE_KEY.search(data) is not None


def secrets(root: Path) -> list[str]:
    """What nobody but the owner of one box may have."""
    found = []
    for line in (root / "etc/shadow").read_text().splitlines():
        name, password = line.split(":")[:2]
        if not password.startswith(("!", "*")):
            found.append(f"the account {name} has a password, or needs none")
    if (root / "etc/machine-id").read_bytes():
        found.append("there is a machine-id")
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        name = str(path.relative_to(root))
        if SECRET_NAMES.search(name):
            found.append(name)
        elif path.stat().st_size <= LARGEST and holds_a_key(path.read_bytes()):
            found.append(f"{name} holds a private key")
    return found


def writable_by_all(root: Path) -> list[str]:
    return [
        str(path.relative_to(root))
        for path in root.rglob("*")
        if not path.is_symlink() and path.stat().st_mode & 0o002 and not path.stat().st_mode & 0o1000
    ]
