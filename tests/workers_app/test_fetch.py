"""Pictures fetched from real servers on this machine, good ones and bad ones."""

import base64
import io
import socket
import ssl
import threading
import time
import zlib
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from tests.workers_app.bad_servers import Server, bare_png, certificate, drips, floods, picture, redirects, sends
from workers_app.engines.base import InputUnavailable, InvalidInput
from workers_app.fetch import fetch_image, short


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.over.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def fetch(tmp_path, server):
    """Fetches with this server allowed, as a developer would, and nothing else."""

    def fetch(url, **options):
        allowed = frozenset({f"127.0.0.1:{server.server_port}"})
        return fetch_image(url, tmp_path, **{"allowed_private_hosts": allowed, "limit_seconds": 5, **options})

    yield fetch
    assert [path for path in tmp_path.iterdir() if path.suffix != ".png"] == []


@contextmanager
def refused(error, reason, *, within=2.0):
    started = time.monotonic()
    with pytest.raises(error, match=reason) as caught:
        yield
    assert time.monotonic() - started < within
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


# What is fetched


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_arrives_as_an_rgb_png(server, fetch, kind):
    path = fetch(server.at("/p", sends(picture(kind))))
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (40, 30))
        assert np.abs(np.array(image.getpixel((9, 9))) - (255, 0, 0)).max() <= 3


def test_the_same_picture_has_the_same_name_and_another_has_another(server, fetch):
    one = fetch(server.at("/1", sends(picture())))
    assert fetch(server.at("/2", sends(picture()))) == one
    assert fetch(server.at("/3", sends(picture(color="blue")))) != one


def test_a_photograph_is_turned_as_it_was_held(server, fetch):
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(fetch(server.at("/p", sends(picture("JPEG", exif=exif))))) as image:
        assert image.size == (30, 40)


def test_an_animation_is_its_first_frame(server, fetch):
    blue = [Image.new("RGB", (40, 30), "blue")]
    with Image.open(fetch(server.at("/p", sends(picture("GIF", save_all=True, append_images=blue))))) as image:
        assert image.getpixel((5, 5)) == (255, 0, 0)


def test_transparency_is_laid_on_white(server, fetch):
    with Image.open(fetch(server.at("/p", sends(picture(mode="RGBA", color=(255, 0, 0, 0)))))) as image:
        assert image.getpixel((5, 5)) == (255, 255, 255)


def test_a_picture_of_16_bits_keeps_its_brightness(server, fetch):
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4), 0x8000, np.uint16)).save(file, format="PNG")
    with Image.open(fetch(server.at("/p", sends(file.getvalue())))) as image:
        assert image.getpixel((1, 1)) == (128, 128, 128)


def test_redirects_are_followed_relative_ones_too_up_to_three(server, fetch):
    server.at("/end", sends(picture()))
    server.at("/3", redirects("/end?x=1"))
    server.at("/2", redirects("3"))
    assert fetch(server.at("/1", redirects(f"http://127.0.0.1:{server.server_port}/2"))).exists()
    with refused(InvalidInput, "more than 3 times; give the address it ends at"):
        fetch(server.at("/0", redirects("/1")))


def test_the_request_asks_for_an_uncompressed_picture_of_the_host_by_its_name(server, fetch, tmp_path):
    server.at("/a%20b", sends(picture()))
    name = f"localhost:{server.server_port}"
    fetch_image(f"http://{name}/a%20b?key=ä", tmp_path, allowed_private_hosts=frozenset({"localhost"}))
    path, headers = server.asked[0]
    assert (path, headers["Host"], headers["Accept-Encoding"]) == ("/a%20b?key=%C3%A4", name, "identity")


def test_a_data_url_is_a_picture_too(fetch):
    code = base64.b64encode(picture()).decode()
    for url in (f"data:image/png;base64,{code}", f"DATA:image/png;charset=x;base64,{code[:20]}%0A{code[20:]}"):
        assert Image.open(fetch(url)).size == (40, 30)


# Addresses that are refused


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"])
def test_this_machine_is_refused_unless_it_is_allowed(server, tmp_path, host):
    server.at("/p", sends(picture()))
    with refused(InvalidInput, "not public; give a public one"):
        fetch_image(f"http://{host}:{server.server_port}/p", tmp_path)
    assert server.asked == []


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.1", "[fd00:ec2::254]", "100.100.100.200", "[::]"])
def test_a_redirect_into_a_private_network_is_refused(server, fetch, host):
    with refused(InvalidInput, "not public"):
        fetch(server.at("/p", redirects(f"http://{host}/latest/meta-data/")))


def test_a_redirect_to_another_name_of_this_machine_is_refused(server, fetch):
    server.at("/secret", sends(picture()))
    with refused(InvalidInput, "not public"):
        fetch(server.at("/p", redirects(f"http://localhost:{server.server_port}/secret")))
    assert [path for path, _ in server.asked] == ["/p"]


@pytest.mark.parametrize("location", ["file:///etc/passwd", "data:image/png;base64,AAAA", "gopher://127.0.0.1/"])
def test_a_redirect_to_another_scheme_is_refused(server, fetch, location):
    with refused(InvalidInput, "not an http, https or data:image address"):
        fetch(server.at("/p", redirects(location)))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.com/a.png", "not an http"),
        ("file:///etc/passwd", "not a"),
        ("/etc/passwd", "not a"),
        ("", "not a"),
        ("http://", "not a valid address"),
        ("http://[::1/", "not a valid address"),
        ("http://example.com:99999/", "not a valid address"),
        ("http://user:secret@example.com/a.png", "carries a user name"),
        ("http://example.com@127.0.0.1/", "carries a user name"),
        ("http://example.com\\@127.0.0.1/", "backslashes"),
        ("http://exa mple.com/", "spaces"),
        ("http://example.com/\r\nX-Evil: 1", "control characters"),
    ],
)
def test_an_address_that_is_none_of_ours_to_fetch_is_refused(fetch, url, reason):
    with refused(InvalidInput, reason):
        fetch(url)


# Servers that misbehave


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_server_that_drips_is_left_in_time(server, fetch, first):
    with refused(InputUnavailable, "did not arrive within 0.5 seconds", within=1.5):
        fetch(server.at("/p", drips(first)), limit_seconds=0.5)


def test_a_server_that_accepts_and_says_nothing_is_left_in_time(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        for scheme in ("http", "https"):
            with refused(InputUnavailable, "did not arrive within 0.5 seconds", within=1.5):
                fetch_image(
                    f"{scheme}://{host}/p", tmp_path, allowed_private_hosts=frozenset({host}), limit_seconds=0.5
                )


def test_a_flood_is_stopped_early(server, fetch):
    with refused(InvalidInput, "larger than 1 MiB; send a smaller picture"):
        fetch(server.at("/p", floods), limit_bytes=2**20)
    assert server.sent < 16 * 2**20  # what the sockets' buffers swallowed is counted too


def test_a_size_announced_too_large_is_not_even_begun(server, fetch):
    with refused(InvalidInput, "larger than 32 MiB"):
        fetch(server.at("/p", sends(b"", length=2**40)))


def test_compressed_bodies_are_refused(server, fetch):
    with refused(InvalidInput, "compressed"):
        fetch(server.at("/p", sends(zlib.compress(picture()), Content_Encoding="gzip")))


@pytest.mark.parametrize("status", [204, 304, 403, 404, 500, 503])
def test_an_answer_that_is_no_picture_may_be_one_later(server, fetch, status):
    with refused(InputUnavailable, f"answered {status}"):
        fetch(server.at("/p", sends(b"", status=status)))


def test_a_body_that_ends_early_may_be_whole_later(server, fetch):
    with refused(InputUnavailable, "could not be fetched"):
        fetch(server.at("/p", sends(picture()[:50], length=500)))


def test_a_name_or_port_where_nobody_is_may_be_there_later(fetch, server, tmp_path):
    with refused(InputUnavailable, "does not resolve", within=6):
        fetch("http://nobody.invalid/p.png")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with refused(InputUnavailable, "could not be fetched"):
        fetch_image(f"http://127.0.0.1:{port}/p", tmp_path, allowed_private_hosts=frozenset({"127.0.0.1"}))


def test_https_checks_the_certificate_against_the_name_though_a_number_is_dialed(
    server, tmp_path, tmp_path_factory, monkeypatch
):
    pem, asked = certificate(tmp_path_factory.mktemp("tls")), []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.sni_callback = lambda socket, name, context: asked.append(name)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.at("/p", sends(picture()))
    url, allowed = f"https://localhost:{server.server_port}/p", frozenset({"localhost", "127.0.0.1"})

    with refused(InputUnavailable, "certificate verify failed"):
        fetch_image(url, tmp_path, allowed_private_hosts=allowed)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    assert fetch_image(url, tmp_path, allowed_private_hosts=allowed).exists()
    assert asked == ["localhost", "localhost"]
    with refused(InputUnavailable, "certificate verify failed"):
        fetch_image(url.replace("localhost", "127.0.0.1"), tmp_path, allowed_private_hosts=allowed)


# Bytes that are no picture, or too much of one


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html><title>login</title>",
        picture()[:60],
        picture("JPEG", size=(400, 400))[:900],
        b"%!PS-Adobe",
    ],
)
def test_what_does_not_decode_is_refused(server, fetch, body):
    with refused(InvalidInput, "not a whole picture that can be read; send JPEG, PNG, WEBP, GIF"):
        fetch(server.at("/p", sends(body)))


@pytest.mark.parametrize("size", [(9000, 9000), (20000, 20000), (60000, 60000)])
def test_a_picture_that_would_fill_the_memory_is_refused_before_it_is_unpacked(server, fetch, size):
    bomb = bare_png(*size)
    assert len(bomb) < 2**20
    with refused(InvalidInput, "more than 64 million pixels"):
        fetch(server.at("/p", sends(bomb)))


def test_a_jpeg_of_endless_scans_is_refused(server, fetch):
    data = picture("JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    with refused(InvalidInput, "more than 100 scans"):
        fetch(server.at("/p", sends(data[:last] + data[last:-2] * 1000 + data[-2:])))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("data:image/png;base64,@@@@", "not valid base64"),
        ("data:image/png;base64,AAAA", "not a whole picture"),
        ("data:text/html;base64,AAAA", "not understood; embed a picture as"),
        ("data:image/svg+xml,<svg/>", "not understood"),
        ("data:image/png;base64," + "A" * 3000, "larger than 0.001953 MiB"),
    ],
)
def test_a_data_url_that_is_no_picture_is_refused(fetch, url, reason):
    with refused(InvalidInput, reason) as _:
        fetch(url, limit_bytes=2048)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://cdn.example.com/a.png?token=secret#x", "https://cdn.example.com/a.png"),
        ("http://user:secret@example.com/a.png", "http://example.com/a.png"),
        ("http://a@b:secret@example.com/", "http://example.com/"),
        ("data:image/png;base64,AAAA", "data:image/png;base64,… (26 characters)"),
        ("http://example.com/\nnew line", "http://example.com/_new_line"),
        ("http://example.com/" + "a" * 500, "http://example.com/" + "a" * 100 + "…"),
    ],
)
def test_an_error_names_the_address_without_its_secrets(url, shown):
    assert short(url) == shown
