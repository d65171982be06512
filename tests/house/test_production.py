"""Production settings refuse defaults, and what they accept passes Django's own deployment checks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GIVEN = {
    "ZEREN_ENV": "production",
    "SECRET_KEY": "k3-" + "Qz7vX9pLmN2sT4uW" * 4,
    "ALLOWED_HOSTS": "kaohe.example.gov.cn",
    "DATABASE_URL": "postgres://zeren@127.0.0.1/zeren",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
}


def check(tmp_path, **changes: str | None) -> subprocess.CompletedProcess:
    ours = {"ZEREN_ENV", "SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL", "DEBUG", "DJANGO_SETTINGS_MODULE"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment |= {"MEDIA_ROOT": str(tmp_path / "media"), "STATIC_ROOT": str(tmp_path / "static")}
    environment |= {name: value for name, value in (GIVEN | changes).items() if value is not None}
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_complete_settings_pass_the_deployment_checks(tmp_path):
    answer = check(tmp_path)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL"])
def test_nothing_that_production_needs_has_a_default(tmp_path, name):
    answer = check(tmp_path, **{name: None})
    assert answer.returncode != 0
    assert "ImproperlyConfigured" in answer.stderr
    assert name in answer.stderr


def test_a_short_key_is_refused_in_words(tmp_path):
    answer = check(tmp_path, SECRET_KEY="short")
    assert answer.returncode != 0
    assert "至少 50 个字符" in answer.stderr
