# A headless Chromium that shows pages and tells what became of them, over its DevTools protocol on two pipes; Python's standard
# library alone.
# SPDX-License-Identifier: Apache-2.0
import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PATIENCE = 60  # seconds for whatever is asked


def find():
    """Its path: $GLIA_BROWSER, or the first that is installed; or None."""
    named = os.environ.get("GLIA_BROWSER")
    return named or next(filter(None, map(shutil.which, PROGRAMS)), None)


class Browser:
    """With one tab. What a page asked for and complained of is in `requests` and `complaints`, since the last show()."""

    def __init__(self, program, work):
        self.log = open(os.path.join(work, "browser.log"), "wb")
        to_browser, self.out = os.pipe()
        self.into, from_browser = os.pipe()

        def as_3_and_4():  # where the browser looks for them; first out of each other's way
            ends = os.dup(to_browser), os.dup(from_browser)
            for number, end in zip((3, 4), ends):
                os.dup2(end, number)

        self.profile = os.path.join(work, "profile")
        flags = ["--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND",
                 "--user-data-dir=" + self.profile]
        # It has a session of its own, whose helpers end with it. Without the pipe's other end it ends by itself.
        self.process = subprocess.Popen([program, *flags, "about:blank"], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, preexec_fn=as_3_and_4, close_fds=False, start_new_session=True)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.number, self.events, self.session = b"", 0, [], None
        try:
            target = self.ask("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.ask(domain + ".enable")
        except BaseException:
            self.close()
            raise

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        os.close(self.out)
        os.close(self.into)
        self.log.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def receive(self, deadline, what):
        """The next message; what is no answer goes to `events` as well."""
        while b"\0" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.into], [], [], left)[0]:
                raise TimeoutError(f"the browser did not come to {what} within {PATIENCE} s: see {self.log.name}")
            part = os.read(self.into, 1 << 20)
            if not part:
                raise EOFError(f"the browser ended before {what}: see {self.log.name}")
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(message)
        if "method" in message:
            self.events.append((message["method"], message["params"]))
        return message

    def ask(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.receive(deadline, method)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def show(self, path, width):
        """Loads the file into a window of so many pixels."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.events.clear()
        self.ask("Page.navigate", url="file://" + path)
        deadline = time.monotonic() + PATIENCE
        while not any(method == "Page.loadEventFired" for method, _ in self.events):
            self.receive(deadline, "the end of loading " + path)

    def value_of(self, expression):
        """Of JavaScript, awaited. What the page may do does not bind it."""
        result = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"JavaScript: {result['exceptionDetails']}")
        return result["result"].get("value")

    def picture(self, clip=None):
        """PNG of the page, or of a part {x, y, width, height}."""
        options = {"clip": {**clip, "scale": 1}} if clip else {}
        return base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=True, **options)["data"])

    @property
    def requests(self):
        return [e["request"]["url"] for method, e in self.events if method == "Network.requestWillBeSent"]

    @property
    def complaints(self):
        said = []
        for method, e in self.events:
            if method == "Log.entryAdded" and e["entry"]["level"] in ("warning", "error"):
                said.append(e["entry"]["text"])
            elif method == "Runtime.exceptionThrown":
                said.append(e["exceptionDetails"]["text"])
            elif method == "Runtime.consoleAPICalled":
                said.append(" ".join(str(a.get("value")) for a in e["args"]))
        return said
