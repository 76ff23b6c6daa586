"""A machine made of software (QEMU without KVM), joined by a cable to the network namespace that the tests run in.

The cable is a tap device, so that the machine has a real network beside it: SIP, sound and names go to its address, and
no router is between. The other end takes an address as a computer without DHCP does, 169.254.1.1.
"""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Optional

TOP = Path(__file__).resolve().parent.parent.parent
TOOLS = TOP / "target" / "image" / "tools"
TAP = "box0"
HERE = "169.254.1.1"
# What the image gives itself beside what a router says.
BOX = "169.254.77.1"
# Of software, beside whatever else this machine does.
START_S = float(os.environ.get("IMAGE_TEST_START_S", "900"))
# Beside other work the kernel measures its clocks wrong: it is told which one to trust, that a processor may have to wait
# for this machine's, and that a disk of software takes its time.
PATIENT_KERNEL = (
    "clocksource=hpet tsc=unstable no_timer_check nowatchdog rcupdate.rcu_cpu_stall_suppress=1 "
    "systemd.default_device_timeout_sec=900"
)
UUID = "4c4c4544-0042-4b10-8031-b7c04f443333"


class Failed(Exception):
    """What the image should have done."""


def in_tools(program: str, *words: object) -> list[str]:
    """The command line of a program of the tools tree, by that tree's own libraries."""
    libraries = TOOLS / "usr/lib/x86_64-linux-gnu"
    return [
        str(TOOLS / "lib64/ld-linux-x86-64.so.2"),
        "--library-path",
        f"{libraries}:{libraries}/systemd:{libraries}/pulseaudio",
        str(TOOLS / program),
        *map(str, words),
    ]


def plug_in() -> None:
    """The cable's end on this side; once in a network namespace."""
    for command in [
        "ip link set lo up",
        f"ip tuntap add {TAP} mode tap",
        f"ip address add {HERE}/16 dev {TAP}",
        f"ip link set {TAP} up",
        f"ip route add 224.0.0.0/4 dev {TAP}",
    ]:
        subprocess.run(command.split(), check=True)


class Shell:
    """A root shell of systemd's on a line that only this machine's owner has (systemd.debug_shell)."""

    def __init__(self, path: Path) -> None:
        self.line = socket.socket(socket.AF_UNIX)
        self.line.connect(str(path))
        self.line.settimeout(1)
        self.heard = ""
        self.count = 0
        self.is_ready = False

    def _until(self, pattern: str, seconds: float) -> re.Match[str]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := re.search(pattern, self.heard):
                self.heard = self.heard[found.end() :]
                return found
            try:
                data = self.line.recv(65_536)
            except socket.timeout:
                continue
            if not data:
                raise Failed("the shell's line is closed")
            self.heard += data.decode(errors="replace")
        raise Failed(f"the shell does not answer within {seconds:.0f} s: {self.heard[-300:]!r}")

    def _send(self, text: str) -> None:
        self.line.sendall(text.encode())

    def _greet(self) -> None:
        """Waits for a shell that carries things out: one that has been greeted before has no prompt any more."""
        for _ in range(60):
            self._send("\necho is-''there\n")
            try:
                self._until(r"is-there\r?\n", 10)
                break
            except Failed:
                continue
        self._send("stty -echo; bind 'set enable-bracketed-paste off'; export SYSTEMD_PAGER= TERM=dumb PS1=\n")
        self._send("echo ready-''to-work\n")
        self._until(r"ready-to-work\r?\n", 120)
        self.is_ready = True

    def run(self, command: str, seconds: float = 240) -> tuple[int, str]:
        """The status and what was printed."""
        if not self.is_ready:
            self._greet()
        self.count += 1
        mark = f"@@{self.count}:"
        self._send(f"{{ {command}; }} 2>&1; ended=$?; echo; echo '@@''{self.count}:'$ended\n")
        end = time.monotonic() + seconds
        text = ""
        while time.monotonic() < end:
            found = re.search(re.escape(mark) + r"(\d+)\r?\n", self.heard)
            if found:
                text = self.heard[: found.start()]
                self.heard = self.heard[found.end() :]
                return int(found.group(1)), text.replace("\r", "").strip()
            try:
                data = self.line.recv(65_536)
            except socket.timeout:
                continue
            if not data:
                raise Failed("the shell's line is closed")
            self.heard += data.decode(errors="replace")
        raise Failed(f"`{command}` has not ended within {seconds:.0f} s: {self.heard[-300:]!r}")

    def ask(self, command: str, seconds: float = 240) -> str:
        """What was printed by a command that must succeed."""
        status, text = self.run(command, seconds)
        if status != 0:
            raise Failed(f"`{command}` ended with {status}: {text}")
        return text


class Machine:
    """One machine with a disk and a firmware's memory; it can be switched on again and again."""

    def __init__(self, folder: Path, cores: int = 2, memory_mb: int = 2048) -> None:
        self.folder = folder
        self.cores = cores
        self.memory_mb = memory_mb
        self.disk = folder / "disk.qcow2"
        self.variables = folder / "variables.qcow2"
        self.serial = folder / "serial.log"
        self.process: Optional[subprocess.Popen[bytes]] = None
        self._shell: Optional[Shell] = None
        self.switched_on = 0.0
        self.stick: Optional[Path] = None

    def new_disk(self, image: Path, gigabytes: int = 6) -> None:
        """A disk that was flashed with the image, and firmware that remembers nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.disk.unlink(missing_ok=True)
        self._qemu_img("create", "-q", "-f", "qcow2", "-b", image.resolve(), "-F", "raw", self.disk, f"{gigabytes}G")
        self._qemu_img("convert", "-f", "raw", "-O", "qcow2", TOOLS / "usr/share/OVMF/OVMF_VARS_4M.fd", self.variables)

    def keep_as(self, name: str) -> None:
        """The disk and the firmware's memory as they are, while the machine is off."""
        for path in [self.disk, self.variables]:
            shutil.copyfile(path, self.folder / f"{name}-{path.name}")

    def take(self, name: str) -> None:
        for path in [self.disk, self.variables]:
            shutil.copyfile(self.folder / f"{name}-{path.name}", path)

    def has(self, name: str, image: Path) -> bool:
        """Whether a machine was kept by that name since the image was made, which its disk is a change of."""
        kept = self.folder / f"{name}-{self.variables.name}"
        return kept.exists() and kept.stat().st_mtime > image.stat().st_mtime

    def keep_running_as(self, name: str) -> None:
        """The machine as it is at this moment, with its memory; it goes on."""
        self.qmp("stop")
        if fault := self.qmp("human-monitor-command", **{"command-line": f"savevm {name}"}):
            raise Failed(f"savevm: {fault}")
        self.keep_as(name)
        self.qmp("cont")

    def resume(self, name: str) -> None:
        """A machine that was kept while it ran goes on where it was: a start in software takes minutes."""
        self.take(name)
        self.on(resumes=name)

    def _qemu_img(self, *words: object) -> None:
        subprocess.run(in_tools("usr/bin/qemu-img", *words), check=True)

    def write(self, offset: int, data: bytes) -> None:
        """What a disk does that forgets: while the machine is off."""
        self._qemu_io(f"write -P 0x{data[0]:x} {offset} {len(data)}")

    def _qemu_io(self, command: str) -> None:
        line = in_tools("usr/bin/qemu-io", "-c", command, self.disk)
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL)

    def on(self, credentials: Optional[dict[str, str]] = None, command_line: str = "", resumes: str = "") -> None:
        """Switches on. Credentials are systemd's, given by the firmware; a file written by one is how a box that has no
        password is set up from outside."""
        assert self.process is None
        for path in [self.folder / "shell", self.folder / "qmp"]:
            path.unlink(missing_ok=True)
        strings = [f"io.systemd.stub.kernel-cmdline-extra=systemd.debug_shell=hvc0 {PATIENT_KERNEL} {command_line}"]
        for name, value in (credentials or {}).items():
            strings.append(f"io.systemd.credential.binary:{name}={base64.b64encode(value.encode()).decode()}")
        smbios: list[object] = ["-smbios", f"type=1,uuid={UUID}"]
        for text in strings:
            smbios += ["-smbios", "type=11,value=" + text.replace(",", ",,")]
        stick: list[object] = []
        if self.stick:
            stick = [
                "-device", "qemu-xhci", "-drive", f"if=none,id=stick,format=raw,readonly=on,file={self.stick}",
                "-device", "usb-storage,drive=stick",
            ]  # fmt: skip
        line = in_tools(
            "usr/bin/qemu-system-x86_64", "-L", TOOLS / "usr/share/qemu", "-L", TOOLS / "usr/share/seabios",
            "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "Haswell-noTSX",
            "-smp", self.cores, "-m", self.memory_mb, "-nodefaults", "-display", "none",
            "-drive", f"if=pflash,format=raw,readonly=on,file={TOOLS}/usr/share/OVMF/OVMF_CODE_4M.fd",
            "-drive", f"if=pflash,format=qcow2,file={self.variables}",
            "-drive", f"if=none,id=disk,format=qcow2,file={self.disk},cache=writeback",
            "-device", "virtio-blk-pci,drive=disk,bootindex=1", "-device", "virtio-rng-pci",
            "-netdev", f"tap,id=net,ifname={TAP},script=no,downscript=no", "-device", "virtio-net-pci,netdev=net,romfile=",
            "-device", "i6300esb", "-global", "ICH9-LPC.noreboot=false", "-action", "watchdog=reset",
            *smbios, *stick, *(["-loadvm", resumes] if resumes else []),
            "-serial", f"file:{self.serial}",
            "-device", "virtio-serial-pci", "-chardev", f"socket,id=shell,path={self.folder}/shell,server=on,wait=off",
            "-device", "virtconsole,chardev=shell", "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off",
        )  # fmt: skip
        # A pipe would keep whoever reads it waiting for this machine's end.
        with (self.folder / "qemu.log").open("ab") as log:
            self.process = subprocess.Popen(["nice", "-n", "15", *line], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.switched_on = time.monotonic()

    def qmp(self, command: str, **arguments: str) -> Any:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.folder / "qmp"))
            file = line.makefile("rw")
            file.readline()
            for name, words in [("qmp_capabilities", {}), (command, arguments)]:
                file.write(json.dumps({"execute": name, "arguments": words}) + "\n")
                file.flush()
                while "return" not in (answer := json.loads(file.readline())):
                    if "error" in answer:
                        raise Failed(f"{name}: {answer}")
        return answer["return"]

    @property
    def shell(self) -> Shell:
        if self._shell is None:
            end = time.monotonic() + 60
            while not (self.folder / "shell").exists() and time.monotonic() < end:
                time.sleep(0.2)
            self._shell = Shell(self.folder / "shell")
        return self._shell

    def new_shell(self) -> None:
        """After a start of its own the line has nobody at the other end who knows what was set."""
        if self._shell is not None:
            self._shell.is_ready = False
            self._shell.heard = ""

    def _ended(self) -> None:
        self.process = None
        if self._shell is not None:
            self._shell.line.close()
        self._shell = None

    def power_cut(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self._ended()

    def shut_down(self) -> float:
        """By its button; the seconds that it took."""
        assert self.process is not None
        began = time.monotonic()
        self.qmp("system_powerdown")
        try:
            self.process.wait(300)
        except subprocess.TimeoutExpired as error:
            raise Failed("it does not switch off within 300 s") from error
        self._ended()
        return time.monotonic() - began

    def worked(self) -> float:
        """Seconds of this machine's processors since it was switched on."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_on(self) -> bool:
        return self.process is not None and self.process.poll() is None
