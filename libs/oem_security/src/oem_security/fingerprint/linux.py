"""Probes that read the files Linux shows."""

from __future__ import annotations

from pathlib import Path

from oem_security.fingerprint.fingerprint import Probe
from oem_security.values import dataclass

COMPONENTS = ("machine_id", "cpu", "mac", "disk")


@dataclass(frozen=True, slots=True)
class LinuxProbe:
    """Reads one component from the files Linux shows.

    Attributes:
        component: `machine_id`, `cpu`, `mac` or `disk`.
        root: Root of the file system to look at.
    """

    component: str
    root: Path = Path("/")

    def read(self) -> str:
        reader = {
            "machine_id": self._machine_id,
            "cpu": self._cpu,
            "mac": self._mac,
            "disk": self._disk,
        }[self.component]
        return reader()

    def _machine_id(self) -> str:
        for name in ("etc/machine-id", "var/lib/dbus/machine-id", "sys/class/dmi/id/product_uuid"):
            found = _text(self.root / name)
            if found:
                return found
        return _text(self.root / "etc/hostname")

    def _cpu(self) -> str:
        wanted = ("vendor_id", "cpu family", "model", "model name", "stepping", "CPU part")
        lines = _text(self.root / "proc/cpuinfo").split("\n\n")[0].splitlines()
        return "\n".join(line for line in lines if line.split(":")[0].strip() in wanted)

    def _mac(self) -> str:
        links = _names(self.root / "sys/class/net")
        # a virtual adapter has no device behind it
        addresses = [_text(link / "address") for link in links if (link / "device").exists()]
        return "\n".join(a for a in addresses if a.strip("0:"))

    def _disk(self) -> str:
        serials = []
        for block in _names(self.root / "sys/block"):
            if _text(block / "removable") == "1":
                continue  # a stick that is plugged in, such as the one the licence came on
            for name in ("device/serial", "serial", "device/wwid", "wwid"):
                found = _text(block / name)
                if found:
                    serials.append(found)
                    break
        return "\n".join(serials)


def linux_probes(root: Path = Path("/")) -> tuple[Probe, ...]:
    """Return the probes of Linux, that of the TPM only where there is one."""
    probes: tuple[Probe, ...] = tuple(LinuxProbe(component, root) for component in COMPONENTS)
    tpm = root / "dev/tpmrm0"
    if not tpm.exists():
        return probes
    from oem_security.fingerprint.tpm import TpmProbe

    return (*probes, TpmProbe(tpm))


def _names(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""
