"""Which addresses are taken, and that no name can change where a request goes."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oesd.upload import EndpointError, check_endpoint
from oesd.upload.address import Endpoint, check_link, is_loopback, origin_of
from oesd.upload.errors import ProtocolBroken

CLOUD = Endpoint.parse("https://api.example.org/")
LOCAL = Endpoint.parse("http://127.0.0.1:8530")


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("https://api.example.org", "https://api.example.org/"),
        ("https://api.example.org/", "https://api.example.org/"),
        ("https://api.example.org/api/v1", "https://api.example.org/api/v1/"),
        ("https://api.example.org/api/v1/", "https://api.example.org/api/v1/"),
        ("https://API.example.org:8443/x", "https://API.example.org:8443/x/"),
        ("https://192.168.1.20:8530", "https://192.168.1.20:8530/"),
        ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x/"),
        ("http://localhost:8530", "http://localhost:8530/"),
        ("http://127.0.0.1:8530/", "http://127.0.0.1:8530/"),
        ("http://127.8.8.8", "http://127.8.8.8/"),
        ("http://[::1]:8530", "http://[::1]:8530/"),
    ],
)
def test_endpoints_that_are_taken(text: str, base: str) -> None:
    assert Endpoint.parse(text).url("oes/x") == base + "oes/x"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.example.org",
        "//api.example.org",
        "http://api.example.org",
        "http://evil",
        "http://localhost.evil.org",
        "http://127.0.0.1.evil.org",
        "http://192.168.1.20",
        "http://0.0.0.0",
        "ftp://api.example.org",
        "file:///etc/passwd",
        "HTTPS://api.example.org",
        "https://",
        "https:///path",
        "https://user@api.example.org",
        "https://user:secret@api.example.org",
        "https://@api.example.org",
        "https://api.example.org?x=1",
        "https://api.example.org/?",
        "https://api.example.org/#",
        "https://api.example.org/#top",
        "https://api.example.org/../admin",
        "https://api.example.org/./x",
        "https://api.example.org//x",
        "https://api.example.org/%2e%2e/x",
        "https://api.example.org/a b",
        "https://api.example.org\\@evil.org/",
        "https://api.exa\tmple.org",
        "https://api.example.org\n",
        " https://api.example.org",
        "https://api.example.org:0",
        "https://api.example.org:99999",
        "https://api.example.org:port",
        "https://äpi.example.org",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://1.2.3.4.5/",
        "https://-bad.org",
        "https://[::1",
        "https://[fe80::1%25eth0]/",
        "https://a_b.org/",
    ],
)
def test_endpoints_that_are_refused(text: str) -> None:
    with pytest.raises(EndpointError) as caught:
        check_endpoint(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:canary@api.example.org/x", "'https://***@api.example.org'"),
        ("https://canary@api.example.org", "'https://***@api.example.org'"),
        ("https://me:ca/canary@api.example.org", "'https://***@api.example.org'"),
        ("https://me:ca@canary?x#@api.example.org/", "'https://***@api.example.org'"),
        ("https://me:canary", "'https://me'"),
        ("https://api.example.org/v1?key=canary", "'https://api.example.org'"),
        ("https://api.example.org/v1#canary", "'https://api.example.org'"),
        ("http://api.example.org/canary", "'http://api.example.org'"),
        ("HTTPS://me:canary@api.example.org", "'HTTPS://***@api.example.org'"),
        ("https://me:canary@\n[::1", "endpoint"),
        ("canary-0123456789", "endpoint: not an https address"),
        ("/canary", "endpoint: not an https address"),
    ],
)
def test_a_refused_endpoint_is_named_by_its_host_alone(text: str, shown: str) -> None:
    with pytest.raises(EndpointError) as caught:
        check_endpoint(text)
    assert shown in str(caught.value)
    assert "canary" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (CLOUD, "https://bucket.s3.amazonaws.com/key?X-Amz-Signature=1%2F2"),
        (CLOUD, "https://8.8.8.8/x"),
        (LOCAL, "http://localhost:8531/x"),
        (LOCAL, "http://127.0.0.1:8531/x"),
        (LOCAL, "http://[::1]:8531/x"),
        (LOCAL, "https://bucket.example.org/x"),
        (Endpoint.parse("https://192.168.1.20:8530"), "https://192.168.1.20:8531/x"),
    ],
)
def test_links_that_are_followed(endpoint: Endpoint, url: str) -> None:
    assert check_link(url, endpoint) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://bucket.example.org/x",
        "http://127.0.0.1/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://a.localhost/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://10.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "http://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://user@bucket.example.org/x",
        "https://api.example.org@evil.org/x",
        "https://api.example.org\\@evil.org/x",
        "file:///etc/passwd",
        "ftp://bucket.example.org/x",
        "gopher://bucket.example.org/x",
        "javascript:alert(1)",
        "/relative",
        "",
        "https://bucket.example.org/\r\nX-API-KEY: x",
        "https://bucket.example.org/ü",
        "https://bucket.example.org/" + "x" * 9000,
    ],
)
def test_links_that_are_refused_from_the_cloud(url: str) -> None:
    with pytest.raises(ProtocolBroken) as caught:
        check_link(url, CLOUD)
    assert "signature" not in str(caught.value).lower()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("url", ["http://bucket.example.org/x", "http://10.0.0.1/x", "https://10.0.0.1/x"])
def test_a_loopback_endpoint_does_not_open_the_lab(url: str) -> None:
    with pytest.raises(ProtocolBroken):
        check_link(url, LOCAL)


def test_allowed_hosts_are_suffixes_at_a_dot() -> None:
    allowed = ("amazonaws.com", ".Storage.example.org")
    for host in ("amazonaws.com", "b.s3.amazonaws.com", "x.storage.example.org"):
        assert check_link(f"https://{host}/x", CLOUD, allowed)
    for host in ("evilamazonaws.com", "amazonaws.com.evil.org", "example.org"):
        with pytest.raises(ProtocolBroken, match="not an allowed host"):
            check_link(f"https://{host}/x", CLOUD, allowed)


def test_loopback_names() -> None:
    here = ("localhost", "a.localhost", "127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1")
    assert all(is_loopback(h) for h in here)
    assert not any(is_loopback(h) for h in ("localhost.evil.org", "128.0.0.1", "0.0.0.0", "example.org", ""))


def test_default_ports_make_the_same_origin() -> None:
    assert origin_of("https://a.org/x") == origin_of("https://a.org:443/y")
    assert origin_of("https://a.org/x") != origin_of("https://a.org:444/x")


@given(st.text(max_size=60))
@example("a+b ü&c=1#x.csv")
@example("../../etc/passwd")
@example("x?y=1&num_parts=9")
@example("\r\nX-Evil: 1")
@example("\x00")
def test_a_name_stays_one_value_of_the_query(name: str) -> None:
    """Whatever a file is called, path, host and the other values do not change, in our reading and in httpx's."""
    name = name.encode("utf-8", "replace").decode()
    endpoint = Endpoint.parse("https://api.example.org/api/v1")
    url = endpoint.url("data_entries/", (("original_filename", name), ("num_parts", "1")))
    wire = httpx.URL(url)
    assert str(wire).isascii()
    for parts in (urlsplit(url), urlsplit(str(wire))):
        assert (parts.scheme, parts.netloc, parts.path) == ("https", "api.example.org", "/api/v1/data_entries/")
        assert parts.fragment == ""
        assert parse_qsl(parts.query, keep_blank_values=True) == [("original_filename", name), ("num_parts", "1")]


@given(st.text(max_size=80))
@example("https://a.org\\@b.org/")
@example("https://a.org:443@b.org/")
@example("https://[::1]@b.org/")
def test_a_link_we_take_means_the_same_to_httpx(text: str) -> None:
    for url in (text, "https://" + text, "https://bucket.example.org" + text):
        try:
            scheme, host, port = origin_of(check_link(url, CLOUD))
        except ProtocolBroken:
            continue
        read = httpx.URL(url)
        assert (read.scheme, read.host, read.port or 443) == (scheme, host, port)
        assert not read.userinfo
