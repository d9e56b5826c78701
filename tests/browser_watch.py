"""What a page in a browser did wrong."""

from playwright.sync_api import ConsoleMessage, Page


class Watch:
    """What a page did wrong: console errors, page errors, requests to other hosts."""

    def __init__(self, page: Page, home: str) -> None:
        self.faults: list[str] = []
        self.requests: list[str] = []
        self._home = home
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("request", lambda request: self._request(request.url))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.faults.append(f"console: {message.text}")

    def _request(self, url: str) -> None:
        self.requests.append(url)
        if not url.startswith((self._home, "data:", "blob:")):
            self.faults.append(f"foreign request: {url}")
