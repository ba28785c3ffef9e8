"""A real S3 server for tests: Ceph's radosgw on loopback, from Debian's packages, in a temporary folder.

One monitor, one OSD that keeps everything in memory, one gateway; no manager. Whoever uses it holds a shared lock
on a file of the folder. A keeper process (this module as a program) starts the daemons and ends them, and their data,
when nobody holds that lock any more: pytest's workers share one server, and one that is killed leaves nothing behind.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from services import program

PROGRAMS = {
    "radosgw": "radosgw",
    "radosgw-admin": "ceph-common",
    "ceph": "ceph-common",
    "ceph-authtool": "ceph-common",
    "monmaptool": "ceph-base",
    "ceph-mon": "ceph-mon",
    "ceph-osd": "ceph-osd",
}
START_S = 180  # about 20 s on an idle machine; tests share theirs
SETTINGS = """[global]
fsid = {fsid}
mon_host = v2:127.0.0.1:{mon_port}
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
keyring = {folder}/admin.keyring
run_dir = {folder}
admin_socket =
log_file = {folder}/$name.log
mon_cluster_log_file = {folder}/cluster.log
crash_dir = {folder}
public_network = 127.0.0.0/8
ms_bind_msgr1 = false
mon_allow_pool_size_one = true
mon_pg_warn_min_per_osd = 0
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_max_pg_per_osd = 10000
[mon]
mon_data = {folder}/mon
mon_data_avail_crit = 1
keyring = {folder}/mon.keyring
[osd]
osd_data = {folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
keyring = {folder}/osd/keyring
[client.rgw]
rgw_data = {folder}
rgw_frontends = beast endpoint=127.0.0.1:{port}
rgw_enable_usage_log = false
rgw_num_rados_handles = 1
rgw_thread_pool_size = 32
"""


@dataclass(frozen=True)
class Ceph:
    """A running gateway and a user of it."""

    endpoint_url: str
    access_key: str
    secret_key: str

    @property
    def environment(self) -> dict[str, str]:
        """Say what a process that uses it has in its environment."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "default",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, **options):
        """Return botocore's client, for what tests look at behind the product's back."""
        import botocore.config
        import botocore.session

        return botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="default",
            config=botocore.config.Config(
                request_checksum_calculation="when_required", s3={"addressing_style": "path"}
            ),
            **options,
        )

    def bucket(self) -> str:
        """Make a bucket that nobody else uses; return its name."""
        name = f"test-{secrets.token_hex(8)}"
        self.client().create_bucket(Bucket=name)
        return name


@pytest.fixture(scope="session")
def ceph(tmp_path_factory):
    """Give the session's gateway, started by the first test of any worker that asks for it."""
    for name, package in PROGRAMS.items():
        program(name, package)
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with running(base / "ceph") as server:
        yield server


@pytest.fixture
def ceph_bucket(ceph, monkeypatch):
    """Give (endpoint_url, a bucket of the test's own), with credentials in the environment."""
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in ceph.environment.items():
        monkeypatch.setenv(name, value)
    return ceph.endpoint_url, ceph.bucket()


@contextlib.contextmanager
def running(folder):
    """Give the gateway of a folder, started if need be; it goes on as long as somebody is in here."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "users").open("w") as users, (folder / "start").open("w") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)  # waits for a keeper that is ending its server
        try:
            if not (folder / "server.json").exists():
                _start(folder)
        finally:
            fcntl.flock(start, fcntl.LOCK_UN)
        yield Ceph(**json.loads((folder / "server.json").read_text()))


def _start(folder):
    with (folder / "keeper.log").open("w") as log:
        keeper = subprocess.Popen(
            [sys.executable, __file__, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    until = time.monotonic() + START_S
    while not (folder / "server.json").exists():
        if keeper.poll() is not None or time.monotonic() > until:
            keeper.terminate()
            msg = f"Ceph did not start:\n{(folder / 'keeper.log').read_text()[-4000:]}"
            raise RuntimeError(msg)
        time.sleep(0.1)
    keeper.returncode = 0  # nobody waits for it: it outlives this worker


def keep(folder):
    """Run a gateway as long as anybody holds the folder's lock."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    data = folder / "data"
    data.mkdir()
    daemons = []
    try:
        server = _serve(data, daemons)
        draft = folder / "draft.json"
        draft.write_text(json.dumps(asdict(server)))
        draft.rename(folder / "server.json")
        with (folder / "users").open("w") as users:
            while all(daemon.poll() is None for daemon in daemons):
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                time.sleep(0.3)
            (folder / "server.json").unlink()
            _end(daemons)
    finally:
        _end(daemons)
        shutil.rmtree(data, ignore_errors=True)


def _serve(data, daemons):
    """Start the three daemons one after the other, and make a user."""
    mon_port, port = _free_port(), _free_port()
    fsid = str(uuid.uuid4())
    settings = data / "ceph.conf"
    settings.write_text(SETTINGS.format(fsid=fsid, folder=data, mon_port=mon_port, port=port))

    def run(name, *args, stdin=None):
        command = [name, *([] if name in _WITHOUT_SETTINGS else ["-c", str(settings)]), *args]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=START_S, check=False
        )
        if done.returncode:
            msg = f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
            raise RuntimeError(msg)
        return done.stdout

    def daemon(name, *args):
        log = (data / f"{name}.out").open("w")
        daemons.append(
            subprocess.Popen(
                [name, "-c", str(settings), "--foreground", *args],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - the keeper has one thread
            )
        )

    admin, mon, osd = data / "admin.keyring", data / "mon.keyring", data / "osd" / "keyring"
    everything = ["--cap", "mon", "allow *", "--cap", "osd", "allow *"]
    run("ceph-authtool", "-C", str(mon), "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
    run("ceph-authtool", "-C", str(admin), "--gen-key", "-n", "client.admin", *everything)
    run("ceph-authtool", str(admin), "--gen-key", "-n", "client.rgw", *everything)
    run("ceph-authtool", str(mon), "--import-keyring", str(admin))
    address = f"[v2:127.0.0.1:{mon_port}]"
    run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, str(data / "monmap"))
    run("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(data / "monmap"), "--keyring", str(mon))
    daemon("ceph-mon", "-i", "a")

    osd.parent.mkdir()
    osd_fsid = str(uuid.uuid4())
    run("ceph-authtool", "-C", str(osd), "--gen-key", "-n", "osd.0")
    key = run("ceph-authtool", str(osd), "-p", "-n", "osd.0").strip()
    number = run("ceph", "osd", "new", osd_fsid, "-i", "-", stdin=json.dumps({"cephx_secret": key}))
    run("ceph-osd", "-i", number.strip(), "--mkfs", "--osd-uuid", osd_fsid)
    daemon("ceph-osd", "-i", number.strip())

    daemon("radosgw", "-n", "client.rgw")
    made = run(
        "radosgw-admin", "-n", "client.rgw", "user", "create", "--uid=test", "--display-name=t"
    )
    keys = json.loads(made)["keys"][0]
    _answers(port)
    server = Ceph(f"http://127.0.0.1:{port}", keys["access_key"], keys["secret_key"])
    _warm_up(server)
    return server


def _warm_up(server):
    """Use it once: it makes its pools when they are first needed, which takes seconds."""
    client, made = server.client(), {"Bucket": server.bucket(), "Key": "x"}
    upload = client.create_multipart_upload(**made)["UploadId"]
    client.abort_multipart_upload(**made, UploadId=upload)
    client.put_object(**made, Body=b"x")


_WITHOUT_SETTINGS = ("ceph-authtool", "monmaptool")


def _answers(port):
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.1)
    msg = f"nothing listens on port {port}"
    raise RuntimeError(msg)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _end(daemons):
    """Kill the daemons, the gateway first: what they hold in memory is nobody's."""
    for daemon in reversed(daemons):
        daemon.kill()
        daemon.wait()


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
