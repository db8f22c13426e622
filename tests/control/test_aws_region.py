"""The region that a Bedrock provider names nowhere: found where AWS's own tools look for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateline.control.aws_region import find_region

CONFIG = """
[default]
region = eu-north-1
s3 =
  addressing_style = path
[profile work]
region=ap-south-1
[profile odd]
region = evil.example/
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "config"
    path.write_text(CONFIG)
    return str(path)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("bedrock-runtime.eu-west-3.amazonaws.com", "eu-west-3"),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("bedrock-runtime.us-east-1.api.aws", "us-east-1"),
        ("vpce-0a1-b2c.bedrock-runtime.us-west-2.vpce.amazonaws.com", "us-west-2"),
        ("vpce-0a1-b2c-us-west-2a.bedrock-runtime.us-west-2.vpce.amazonaws.com", "us-west-2"),
        ("bedrock-runtime.amazonaws.com.evil.example", ""),
        ("bedrock-runtime.eu-west-3.amazonaws.com.evil.example", ""),
        ("localhost", ""),
        ("", ""),
    ],
)
def test_a_host_of_awss_says_it(host: str, region: str) -> None:
    """Regional, FIPS, dual-stack and VPC endpoints."""
    assert find_region(host, "", {"AWS_CONFIG_FILE": "/nowhere"}) == region


def test_a_host_that_says_it_comes_before_the_environment() -> None:
    """A signature for another region than the host's is refused."""
    host = "bedrock-runtime.eu-west-3.amazonaws.com"
    assert find_region(host, "", {"AWS_REGION": "us-east-1"}) == "eu-west-3"


def test_variables_come_before_profiles(file: str) -> None:
    """AWS_REGION before the AWS CLI's own name of it; an empty one is none."""
    environment = {"AWS_CONFIG_FILE": file, "AWS_REGION": "r-1", "AWS_DEFAULT_REGION": "r-2"}
    assert find_region("localhost", "work", environment) == "r-1"
    environment["AWS_REGION"] = ""
    assert find_region("localhost", "work", environment) == "r-2"


def test_a_profile_has_one(file: str) -> None:
    """The one that the provider names, else the environment's, else the default."""
    environment = {"AWS_CONFIG_FILE": file}
    assert find_region("", "", environment) == "eu-north-1"
    assert find_region("", "work", environment) == "ap-south-1"
    assert find_region("", "none", environment) == ""
    environment["AWS_PROFILE"] = "work"
    assert find_region("", "", environment) == "ap-south-1"
    assert find_region("", "default", environment) == "eu-north-1"


def test_what_is_no_region_is_none(file: str, tmp_path: Path) -> None:
    """It goes into a host's name; a file that cannot be read as one of AWS's is as good as none."""
    assert find_region("", "odd", {"AWS_CONFIG_FILE": file}) == ""
    assert find_region("", "", {"AWS_REGION": "a/b", "AWS_CONFIG_FILE": "/nowhere"}) == ""
    broken = tmp_path / "broken"
    for content in (b"region = outside of any section", b"[default\nregion = r", b"\xff\xfe[default]"):
        broken.write_bytes(content)
        assert find_region("", "", {"AWS_CONFIG_FILE": str(broken)}) == ""


def test_without_a_variable_the_file_is_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(CONFIG)
    assert find_region("", "", {}) == "eu-north-1"
