"""The files of deploy/ are what their programs read: units, proxy, image, values, manifests, Dagster's own settings."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from installed import PROGRAMS, install
from services import program

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted(path.name for path in (DEPLOY / "sqlite").glob("*.service"))


def passes(*command: object) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_yaml_is_tidy():
    passes(
        sys.executable, "-m", "yamllint", "--strict", "-c", DEPLOY / "yamllint.yaml", DEPLOY
    )  # fmt: skip


def test_the_image_is_tidy():
    passes(
        PROGRAMS / "hadolint", "--failure-threshold", "info", DEPLOY / "kubernetes" / "Dockerfile"
    )


def test_the_manifests_are_kubernetes(tmp_path):
    passes(PROGRAMS / "kubernetes-validate", "--strict", DEPLOY / "kubernetes" / "resources.yaml")
    wrong = tmp_path / "wrong.yaml"
    text = (DEPLOY / "kubernetes" / "resources.yaml").read_text("utf-8")
    wrong.write_text(text.replace("podSelector", "podSelektor"), "utf-8")
    with pytest.raises(AssertionError):
        passes(PROGRAMS / "kubernetes-validate", "--strict", wrong)


def test_the_values_agree_with_image_manifests_and_lock():
    values = yaml.safe_load((DEPLOY / "kubernetes" / "values.yaml").read_text("utf-8"))
    manifests = yaml.safe_load_all((DEPLOY / "kubernetes" / "resources.yaml").read_text("utf-8"))
    secrets = {m["metadata"]["name"]: m["stringData"] for m in manifests if m["kind"] == "Secret"}
    assert "postgresql-password" in secrets[values["global"]["postgresqlSecretName"]]
    code = values["dagster-user-deployments"]["deployments"][0]
    assert "AWS_SECRET_ACCESS_KEY" in secrets[code["envSecrets"][0]["name"]]
    assert code["image"] == values["dagsterWebserver"]["image"] == values["dagsterDaemon"]["image"]
    assert values["dagsterWebserver"]["enableReadOnly"]
    lock = (DEPLOY.parent / "requirements.lock").read_text("utf-8")
    core, library = (
        re.search(rf"^{n}==([\d.]+)", lock, re.MULTILINE)[1]
        for n in ("dagster", "dagster-postgres")
    )
    assert f"--version {core} " in (DEPLOY / "kubernetes" / "values.yaml").read_text("utf-8")
    assert f"dagster-k8s=={library}\n" in (DEPLOY / "kubernetes" / "Dockerfile").read_text("utf-8")


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_queue_has_limits_and_pools_have_a_size(tmp_path, kind):
    shutil.copy(DEPLOY / kind / "dagster.yaml", tmp_path)
    read = yaml.safe_load((tmp_path / "dagster.yaml").read_text("utf-8"))
    if kind == "postgres":  # a server is asked in test_postgres
        assert read.pop("storage") == {"postgres": {"postgres_url": {"env": "CURATE_POSTGRES_URL"}}}
        (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(read), "utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        limits = instance.get_concurrency_config()
        assert (
            limits.run_queue_config.max_concurrent_runs
            == read["concurrency"]["runs"]["max_concurrent_runs"]
        )
        assert limits.pool_config.default_pool_limit == 1
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled
        assert not instance.telemetry_enabled


def test_systemd_reads_the_units_and_nothing_listens_but_on_loopback(tmp_path):
    analyze = program("systemd-analyze", "systemd")
    made = install("sqlite", tmp_path)
    said = passes(analyze, "verify", "--man=no", *(made.units / name for name in UNITS))
    assert not [line for line in said.splitlines() if str(tmp_path) in line], said
    for name in UNITS:
        text = (DEPLOY / "sqlite" / name).read_text("utf-8")
        assert "User=curate\n" in text
        assert "Restart=on-failure\n" in text
        hosts = re.findall(r"--host (\S+)", text)
        assert hosts == ([] if "daemon" in name else ["127.0.0.1"])


def test_nginx_reads_the_proxy(tmp_path):
    nginx = program("nginx", "nginx-light")
    made = install("sqlite", tmp_path)
    passes(nginx, "-t", "-p", tmp_path, "-c", made.proxy)
