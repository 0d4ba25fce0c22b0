"""macOS and Windows by the form of what their commands print, and what is left out of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_security import Fingerprint, FingerprintError, Match, compare
from oem_security.fingerprint.commands import (
    command_probes,
    hardware_ports,
    machine_guid,
    platform_uuid,
    profiler_serials,
    run_command,
)
from oem_security.fingerprint.fingerprint import default_probes, probe_device

MAC = {
    "ioreg": """+-o Mac14,2  <class IOPlatformExpertDevice, id 0x100000246, registered, matched>
    {
      "IOPolledInterface" = "AppleARMWatchdogTimerHibernateHandler is not serializable"
      "compatible" = <"J413AP","Mac14,2","AppleARM">
      "IOPlatformUUID" = "4F1E5A0C-2B7D-5E90-9C1A-77D0E3B1A2C4"
      "IOPlatformSerialNumber" = "XYZ0123ABC"
    }
""",
    "sysctl": "Apple M2\n",
    "networksetup": """
Hardware Port: Ethernet Adapter (en4)
Device: en4
Ethernet Address: 36:7d:da:10:22:01

Hardware Port: Thunderbolt Bridge
Device: bridge0
Ethernet Address: 36:7d:da:10:22:40

Hardware Port: Wi-Fi
Device: en0
Ethernet Address: a4:83:e7:0b:5c:19

Hardware Port: Bluetooth-Modem
Device: Bluetooth-Modem
Ethernet Address: N/A

VLAN Configurations
===================
""",
    "system_profiler": """{
  "SPNVMeDataType" : [
    { "_name" : "Apple SSD Controller", "_items" : [
      { "_name" : "APPLE SSD AP0512Z", "device_serial" : "0ba0123456789012  ",
        "spnvme_removable_media" : "no" },
      { "_name" : "Stick", "device_serial" : "REMOVABLE", "spnvme_removable_media" : "yes" }
    ] }
  ],
  "SPSerialATADataType" : [ ]
}
""",
}
WINDOWS = {
    "reg": "\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Cryptography\r\n"
    "    MachineGuid    REG_SZ    5D2C9F10-31AB-4c6e-8a77-0f1e2d3c4b5a\r\n\r\n",
    "Win32_Processor": '{"Manufacturer":"GenuineIntel","Name":"Intel(R) Core(TM) i7-9700 CPU @ '
    '3.00GHz","ProcessorId":"BFEBFBFF000906ED"}',
    "Get-NetAdapter": '[{"MacAddress":"D4-5D-64-2F-11-A0"},{"MacAddress":"02-15-5D-00-01-02"},'
    '{"MacAddress":null}]',
    "Win32_DiskDrive": '[{"SerialNumber":"     S4EVNF0M123456 "},{"SerialNumber":"None"}]',
    "Get-TpmEndorsementKeyInfo": '{"PublicKeyHash":"9f3c"}',
}


class Machine:
    """Prints what was recorded, and knows nothing else."""

    def __init__(self, recorded: dict[str, str]) -> None:
        self.recorded = recorded

    def __call__(self, words: Sequence[str]) -> str:
        line = " ".join(words)
        return next((text for name, text in self.recorded.items() if name in line), "")


def test_a_mac_is_read() -> None:
    assert probe_device(command_probes("darwin", Machine(MAC))) == {
        "machine_id": "4F1E5A0C-2B7D-5E90-9C1A-77D0E3B1A2C4",
        "cpu": "Apple M2",
        "mac": "a4:83:e7:0b:5c:19",
        "disk": "0ba0123456789012",
    }


def test_a_windows_machine_is_read() -> None:
    assert probe_device(command_probes("win32", Machine(WINDOWS))) == {
        "machine_id": "5d2c9f10-31ab-4c6e-8a77-0f1e2d3c4b5a",
        "cpu": "BFEBFBFF000906ED\nGenuineIntel\nIntel(R) Core(TM) i7-9700 CPU @ 3.00GHz",
        "mac": "d4:5d:64:2f:11:a0",
        "disk": "S4EVNF0M123456",
        "tpm": "9f3c",
    }


@pytest.mark.parametrize(("platform", "recorded"), [("darwin", MAC), ("win32", WINDOWS)])
def test_what_cannot_be_read_is_missing_and_named(platform: str, recorded: dict[str, str]) -> None:
    whole = probe_device(command_probes(platform, Machine(recorded)))
    was = Fingerprint.of(whole)
    assert compare(was, whole).match is Match.MATCH
    first = next(iter(recorded))
    rest = probe_device(command_probes(platform, Machine({**recorded, first: ""})))
    assert compare(was, rest).missing == ("machine_id",)
    assert probe_device(command_probes(platform, Machine({}))) == {}


def test_adapters_that_come_and_go_do_not_change_the_device() -> None:
    docked = MAC["networksetup"].replace("36:7d:da:10:22:01", "da:a1:19:00:00:07")
    assert hardware_ports(docked) == hardware_ports(MAC["networksetup"])
    assert hardware_ports("Ethernet Address: 00:00:00:00:00:00") == ""


def test_one_answer_or_many_are_read_alike() -> None:
    one = Machine({"Win32_DiskDrive": '{"SerialNumber":"A1"}'})
    many = Machine({"Win32_DiskDrive": '[{"SerialNumber":"B2"},{"SerialNumber":"A1"}]'})
    assert probe_device(command_probes("win32", one)) == {"disk": "A1"}
    assert probe_device(command_probes("win32", many)) == {"disk": "A1 B2"}


@given(st.text(max_size=200))
def test_noise_from_a_command_is_never_an_error(text: str) -> None:
    for platform in ("darwin", "win32"):
        probe_device(command_probes(platform, lambda _: text))
    for find in (platform_uuid, machine_guid, hardware_ports, profiler_serials):
        assert isinstance(find(text), str)


def test_a_command_that_fails_or_is_not_there_prints_nothing() -> None:
    assert run_command(("/nowhere/at/all",)) == ""
    assert run_command(("false",)) == ""
    assert run_command(("echo", "hello")).strip() == "hello"


def test_each_platform_has_its_probes_and_others_are_refused() -> None:
    usual = {"machine_id", "cpu", "mac", "disk"}
    for platform, extra in (("linux", set()), ("darwin", set()), ("win32", {"tpm"})):
        probes = default_probes(Path("/nowhere"), platform)
        assert {probe.component for probe in probes} == usual | extra
    for wrong in (lambda: default_probes(platform="plan9"), lambda: command_probes("linux")):
        with pytest.raises(FingerprintError):
            wrong()
