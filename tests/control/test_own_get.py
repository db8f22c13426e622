"""Requests of our own: to the address that was checked under the name that was asked for, with key and edition."""

from __future__ import annotations

import ssl

import pytest

from gateline.control.own_get import own_get
from gateline.model.snapshot import Provider
from gateline.providers.row import Row

ROW = Row(title="", auth="x-api-key", edition=b"anthropic-version: 2023-06-01\r\n")


def test_the_address_is_asked_under_the_hosts_name() -> None:
    """For TLS too; IPv6 addresses stand in brackets."""
    provider = Provider("p", "k", "https", "api.example", 443, "/v1", "sk-canary")
    get = own_get(provider, ROW, "2001:db8::1", "/models?limit=1")
    assert get.url == "https://[2001:db8::1]:443/v1/models?limit=1"
    assert get.extensions == {"sni_hostname": "api.example"}
    assert get.headers == {
        "Host": "api.example",
        "User-Agent": "gateline",
        "Accept-Encoding": "identity",
        "anthropic-version": "2023-06-01",
        "x-api-key": "sk-canary",
    }


def test_certificates_are_looked_at_as_by_the_workers() -> None:
    """Unless the configuration says not to; a file of authorities that is none is an OSError."""
    usual = Provider("p", "k", "https", "api.example", 443)
    verify = own_get(usual, ROW, "192.0.2.1", "/").verify
    assert isinstance(verify, ssl.SSLContext)
    assert (verify.verify_mode, verify.check_hostname) == (ssl.CERT_REQUIRED, True)
    blind = own_get(Provider("p", "k", "https", "api.example", 443, verify_tls=False), ROW, "192.0.2.1", "/").verify
    assert isinstance(blind, ssl.SSLContext)
    assert blind.verify_mode == ssl.CERT_NONE
    with pytest.raises(OSError, match="No such file"):
        own_get(Provider("p", "k", "https", "h", 443, ca_file="/nowhere"), ROW, "192.0.2.1", "/")


def test_plain_providers_need_no_context() -> None:
    assert own_get(Provider("p", "k", "http", "h", 8000), ROW, "192.0.2.1", "/").verify is False
