"""The page of `tradenb dashboard`: who may see it, what it is told, and what it may ask for."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from tests.live.fast import until
from tradenb.errors import UsageError
from tradenb.live.live_run import record_of
from tradenb.panel.page_dashboard import READ_ONLY
from tradenb.panel.page_server import MOST_PAGES, PageServer

WAIT_S = 60.0


class Page:
    """A page that a browser has open: what it was told, until something has come true."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.values: dict[str, object] = {}
        self.messages: list[dict[str, object]] = []

    async def until(self, found) -> None:
        while not found():
            told = json.loads((await self.socket.receive(timeout=WAIT_S)).data)
            self.values |= told.get("begin", {}) | told.get("state", {})
            self.messages += [told["message"]] if "message" in told else []

    async def ask(self, kind: str, key: str) -> dict[str, object]:
        """Press a button, and return the answer."""
        message = {"type": "request", "kind": kind, "key": key, "id": "0123456789ab", "wall": 1}
        await self.socket.send_str(json.dumps({"message": message}))
        answers = []

        def answered() -> bool:
            answers[:] = [told for told in self.messages if told["type"] == "accepted"]
            return bool(answers)

        await self.until(answered)
        return answers[0]


class Browser:
    """A browser that has opened the address of a server."""

    def __init__(self, server: PageServer) -> None:
        self.server, self.root = server, f"http://127.0.0.1:{server.port}"
        # Loopback has no name: cookies of numbers are taken as well.
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *problem: object) -> None:
        await self.session.close()

    async def get(self, path: str, **more) -> tuple[int, str, dict[str, str]]:
        async with self.session.get(f"{self.root}{path}", **more) as answer:
            return answer.status, await answer.text(), dict(answer.headers)

    async def view(self, origin: str | None = None) -> Page:
        """Open the socket of the page."""
        found = await self.session.ws_connect(
            f"{self.root}/view", headers={"Origin": origin or self.root}
        )
        page = Page(found)
        await page.until(lambda: page.values)
        return page


def served(home, use, *, control: bool = False):
    """Serve a home, open its page in a browser, and use it."""

    async def serve():
        async with PageServer(home, port=0, control=control) as server, Browser(server) as browser:
            await browser.get(f"/?token={server.token}")
            return await use(browser)

    return asyncio.run(serve())


@pytest.fixture
def running(rehearse):
    """A rehearsal under way, and the home that its files are under."""
    run = rehearse(speed=600)
    return run, record_of(run).storage.home.root


def test_a_page_shows_the_runs_under_its_home(running):
    run, home = running

    async def use(browser):
        page = await browser.view()
        await page.until(lambda: page.values["rows"])
        return page.values

    values = served(home, use)
    assert [row["symbol"] for row in values["rows"]] == [run.symbol]
    assert values["health"]["home"] == str(home)
    assert not [name for name in values if name.startswith("_")]


def test_a_page_is_told_what_changes(running):
    run, home = running

    async def use(browser):
        page = await browser.view()
        await page.until(lambda: page.values["rows"][0]["running"])
        await asyncio.to_thread(run.release)
        await page.until(lambda: not page.values["rows"][0]["running"])
        return page.values["rows"][0]["status"]

    assert served(home, use) == "idle"


def test_a_page_without_the_token_is_refused(tmp_path):
    async def use(browser):
        async with aiohttp.ClientSession() as stranger:
            found = []
            for path in ("/", "/?token=", "/?token=wrong", "/page.js", "/style.css", "/view"):
                async with stranger.get(f"{browser.root}{path}") as answer:
                    found.append((answer.status, "address" in await answer.text()))
            return found

    assert served(tmp_path, use) == [(403, True)] * 6


def test_a_cookie_of_strange_bytes_is_refused(tmp_path):
    async def use(browser):
        headers = {"Cookie": f"tradenb-{browser.server.port}=\udcff\udcfe"}
        async with (
            aiohttp.ClientSession() as stranger,
            stranger.get(f"{browser.root}/", headers=headers) as answer,
        ):
            return answer.status

    assert served(tmp_path, use) == 403


def test_the_token_leaves_the_address_and_becomes_a_cookie(tmp_path):
    async def use(browser):
        async with browser.session.get(browser.server.url, allow_redirects=False) as answer:
            return answer.status, dict(answer.headers)

    status, headers = served(tmp_path, use)
    assert (status, headers["Location"]) == (303, "/")
    assert "HttpOnly" in headers["Set-Cookie"]
    assert "SameSite=Strict" in headers["Set-Cookie"]


def test_another_name_for_this_machine_is_refused(tmp_path):
    """A name that an attacker lets point to loopback brings the cookie of nobody."""

    async def use(browser):
        return await browser.get("/", headers={"Host": f"evil.example:{browser.server.port}"})

    status, text, _ = served(tmp_path, use)
    assert status == 403
    assert "evil.example" in text


def test_a_page_of_another_origin_may_not_follow(tmp_path):
    async def use(browser):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await browser.view(origin="http://evil.example")
        return refused.value.status

    assert served(tmp_path, use) == 403


def test_the_page_may_load_nothing_from_elsewhere(tmp_path):
    async def use(browser):
        return await browser.get("/")

    status, text, headers = served(tmp_path, use)
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "http" not in text


def test_a_page_that_only_reads_refuses_its_buttons(running):
    run, home = running

    async def use(browser):
        page = await browser.view()
        await page.until(lambda: page.values["rows"])
        return await page.ask("stop", page.values["rows"][0]["key"])

    answer = served(home, use)
    assert (answer["channel"], answer["words"]) == ("none", READ_ONLY)
    assert not run.stopping


def test_the_buttons_of_a_page_with_control_are_obeyed(running):
    run, home = running

    async def use(browser):
        page = await browser.view()
        await page.until(lambda: page.values["rows"] and page.values["rows"][0]["running"])
        return await page.ask("stop", page.values["rows"][0]["key"])

    answer = served(home, use, control=True)
    assert answer["channel"] in ("kernel", "server")
    until(lambda: run.stopping or run.status != "running", "the stop")


def test_a_page_chooses_what_is_drawn(running):
    _, home = running

    async def use(browser):
        page = await browser.view()
        await page.until(lambda: page.values["rows"])
        key = page.values["rows"][0]["key"]
        await page.socket.send_str(json.dumps({"set": {"chosen": key}}))
        await page.socket.send_str(json.dumps({"set": {"width": 480}}))
        await page.until(lambda: page.values.get("pictures", {}).get("key") == key)
        await page.until(lambda: 'viewBox="0 0 480' in page.values["pictures"]["price"])
        return page.values["chosen"], key

    chosen, key = served(home, use)
    assert chosen == key


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "[",
        "[" * 20_000,
        "7",
        "[]",
        '{"set": {"chosen": 7}}',
        '{"set": {"width": "x"}}',
        '{"message": []}',
    ],
)
def test_junk_of_a_page_changes_nothing(tmp_path, junk):
    async def use(browser):
        page = await browser.view()
        await page.socket.send_str(junk)
        await page.socket.send_str(json.dumps({"message": {"type": "events"}}))
        await page.until(lambda: page.messages)
        return page.messages[0]["type"], page.values["chosen"], page.values["width"]

    assert served(tmp_path, use) == ("events", "", 0)


def test_so_many_pages_may_be_open(tmp_path):
    async def use(browser):
        pages = [await browser.view() for _ in range(MOST_PAGES)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await browser.view()
        await pages[0].socket.close()
        # The server learns of it in its own time.
        for _ in range(1000):
            try:
                await browser.view()
            except aiohttp.WSServerHandshakeError:
                continue
            return refused.value.status
        return "never again"

    assert served(tmp_path, use) == 503


def test_a_port_that_is_taken_is_named(tmp_path):
    async def serve():
        async with (
            PageServer(tmp_path, port=0, control=False) as first,
            PageServer(tmp_path, port=first.port, control=False),
        ):
            raise AssertionError("two servers at one port")

    with pytest.raises(UsageError, match=r"port \d+ is taken .* --port"):
        asyncio.run(serve())
