"""Probes for macOS and Windows, which show a device by commands of the system.

Each probe is a command and a function that finds the component in what it prints, so that the
reading is tested by recorded output on any machine.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from oem_security.errors import FingerprintError
from oem_security.fingerprint.fingerprint import Probe

Run = Callable[[Sequence[str]], str]
"""Runs a command and returns what it printed, empty when it failed."""

_TIMEOUT_S = 20.0
_PLACEHOLDERS = frozenset(
    {"", "0", "none", "n/a", "default string", "to be filled by o.e.m.", "system serial number"}
)


def run_command(words: Sequence[str]) -> str:
    """Run a command of the system and return what it printed, empty when it failed."""
    try:
        done = subprocess.run(
            list(words), capture_output=True, timeout=_TIMEOUT_S, check=False, shell=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


@dataclass(frozen=True, slots=True)
class CommandProbe:
    """Reads one component from what a command prints.

    Attributes:
        component: A key of `WEIGHTS`.
        words: The command.
        find: Returns what identifies the component, or empty text.
        run: Runs it; replaceable.
    """

    component: str
    words: tuple[str, ...]
    find: Callable[[str], str] = field(repr=False)
    run: Run = field(default=run_command, repr=False)

    def read(self) -> str:
        """Return what identifies the component; empty when it cannot be read."""
        return self.find(self.run(self.words))


def command_probes(platform: str, run: Run = run_command) -> tuple[Probe, ...]:
    """Return the probes of `darwin` or `win32`.

    Raises:
        FingerprintError: It is another platform.
    """
    if platform == "darwin":
        return (
            CommandProbe("machine_id", _IOREG, platform_uuid, run),
            CommandProbe("cpu", _SYSCTL, _plain, run),
            CommandProbe("mac", ("/usr/sbin/networksetup", "-listallhardwareports"),
                         hardware_ports, run),
            CommandProbe("disk", _PROFILER, profiler_serials, run),
        )  # fmt: skip
    if platform == "win32":
        return (
            CommandProbe("machine_id", _GUID, machine_guid, run),
            CommandProbe("cpu", _shell("Get-CimInstance Win32_Processor | "
                                       "Select-Object Manufacturer, Name, ProcessorId"),
                         lambda text: _joined(text, "Manufacturer", "Name", "ProcessorId"), run),
            CommandProbe("mac", _shell("Get-NetAdapter -Physical | Select-Object MacAddress"),
                         lambda text: _addresses(_values(text, "MacAddress")), run),
            CommandProbe("disk", _shell("Get-CimInstance Win32_DiskDrive | Where-Object "
                                        "{ $_.InterfaceType -ne 'USB' } | "
                                        "Select-Object SerialNumber"),
                         lambda text: _joined(text, "SerialNumber"), run),
            CommandProbe("tpm", _shell("Get-TpmEndorsementKeyInfo -HashAlgorithm sha256 | "
                                       "Select-Object PublicKeyHash"),
                         lambda text: _joined(text, "PublicKeyHash"), run),
        )  # fmt: skip
    raise FingerprintError(
        f"there are no commands for the platform {platform!r}",
        where="fingerprint",
        remedy="pass probes of your own to probe_device",
    )


_IOREG = ("/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice")
_SYSCTL = ("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string")
_PROFILER = ("/usr/sbin/system_profiler", "-json", "SPNVMeDataType", "SPSerialATADataType")
_GUID = ("reg", "query", r"HKLM\SOFTWARE\Microsoft\Cryptography", "/v", "MachineGuid", "/reg:64")


def platform_uuid(text: str) -> str:
    """Return the platform UUID that `ioreg` prints.

    Example:
        >>> platform_uuid('  "IOPlatformUUID" = "AB-12"')
        'AB-12'
    """
    found = re.search(r'"IOPlatformUUID"\s*=\s*"([0-9A-Fa-f-]+)"', text)
    return found[1].upper() if found else ""


def hardware_ports(text: str) -> str:
    """Return the addresses of the hardware ports that `networksetup` prints."""
    return _addresses(re.findall(r"^Ethernet Address:\s*(\S+)", text, re.MULTILINE))


def profiler_serials(text: str) -> str:
    """Return the serial numbers of built-in drives that `system_profiler -json` prints."""
    serials = [
        str(item["device_serial"]).strip()
        for item in _objects(_parsed(text))
        if "device_serial" in item and item.get("spnvme_removable_media", "no") != "yes"
    ]
    return _kept(serials)


def machine_guid(text: str) -> str:
    """Return the machine GUID that `reg query` prints.

    Example:
        >>> machine_guid("    MachineGuid    REG_SZ    0a1b-2c")
        '0a1b-2c'
    """
    found = re.search(r"MachineGuid\s+REG_SZ\s+([0-9A-Fa-f-]+)", text)
    return found[1].lower() if found else ""


def _shell(query: str) -> tuple[str, ...]:
    return ("powershell", "-NoProfile", "-NonInteractive", "-Command",
            f"{query} | ConvertTo-Json -Compress")  # fmt: skip


def _plain(text: str) -> str:
    return text.strip()


def _addresses(found: Sequence[str]) -> str:
    """Return real network addresses: the bit of local administration marks virtual adapters."""
    clean = [re.sub(r"[-:.]", "", address).lower() for address in found]
    whole = [a for a in clean if re.fullmatch("[0-9a-f]{12}", a) and a.strip("0")]
    real = sorted({a for a in whole if not int(a[:2], 16) & 2})
    return "\n".join(":".join(re.findall("..", address)) for address in real)


def _joined(text: str, *names: str) -> str:
    return _kept([" ".join(_values(text, name)) for name in names])


def _values(text: str, name: str) -> list[str]:
    found = [str(item[name]).strip() for item in _objects(_parsed(text)) if item.get(name)]
    return sorted(value for value in found if value.lower() not in _PLACEHOLDERS)


def _kept(texts: Sequence[str]) -> str:
    return "\n".join(text for text in sorted(texts) if text.lower() not in _PLACEHOLDERS)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a JSON value, one alone or many in lists, at any depth."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _objects(item)
