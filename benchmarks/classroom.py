"""How many learners does one machine carry? Real servers and kernels of `python start.py class`.

    python start.py class --help                            # installs what the class needs, once
    .venv/bin/python benchmarks/classroom.py 1 4 8          # numbers of learners, one after the other

Each learner logs in, changes the sentence in notebook 00 and saves it, runs it up to the first picture, then
runs all of notebook 02. Printed: memory of each learner (shared pages counted once), seconds until the first
picture, the 95th percentile of a cell's seconds, cells that failed. After the last number a server is killed
in mid-run and the hub restarted, and what was typed is looked for. Linux, for it reads /proc.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from dataclasses import dataclass, field

import tornado.httpclient
import tornado.websocket

ROOT = pathlib.Path(__file__).resolve().parent.parent
PASSWORD = "a-class-of-robots"
TYPED = "typed by a learner"
PATIENCE = 240  # seconds that one request or cell may take


@dataclass
class Learner:
    """A learner's own browser: cookies, a token, a kernel, and what was measured."""

    name: str
    hub: str
    token: str = ""
    first_picture: float = 0.0
    seconds: list = field(default_factory=list)
    failures: list = field(default_factory=list)

    async def ask(self, path, method="GET", body=None, **headers):
        """Send a request of this learner and return the response."""
        client = tornado.httpclient.AsyncHTTPClient()
        if self.token:
            headers["Authorization"] = f"token {self.token}"
        data = None if body is None else body if isinstance(body, str) else json.dumps(body)
        return await client.fetch(self.hub + path, method=method, body=data, headers=headers,
                                  raise_error=False, follow_redirects=False, request_timeout=PATIENCE,
                                  connect_timeout=PATIENCE, allow_nonstandard_methods=True)

    async def log_in(self):
        """Log in by the form, as a browser does, and take a token."""
        page = await self.ask("/hub/login")
        cookies = _cookies(page)
        form = f"username={self.name}&password={PASSWORD}&_xsrf={cookies['_xsrf']}"
        page = await self.ask("/hub/login", "POST", form, Cookie=_joined(cookies),
                              **{"Content-Type": "application/x-www-form-urlencoded"})
        cookies |= _cookies(page)
        page = await self.ask("/hub/home", Cookie=_joined(cookies))
        cookies |= _cookies(page)
        page = await self.ask(f"/hub/api/users/{self.name}/tokens", "POST", {}, Cookie=_joined(cookies),
                              **{"X-XSRFToken": cookies["_xsrf"], "Content-Type": "application/json",
                                 "Referer": f"{self.hub}/hub/home"})
        self.token = _json(page)["token"]

    async def start(self):
        """Ask for a server and wait until it answers."""
        await self.ask(f"/hub/api/users/{self.name}/server", "POST", {})
        end = time.monotonic() + PATIENCE
        while (await self.ask(f"/user/{self.name}/api/status")).code != 200:
            if time.monotonic() > end:
                raise TimeoutError(f"the server of {self.name} did not start")
            await asyncio.sleep(0.5)

    async def notebook(self, name):
        """Return a notebook of this learner, as the server has it on its disk."""
        return _json(await self.ask(f"/user/{self.name}/api/contents/notebooks/{name}"))["content"]

    async def find(self, number):
        """Return the file of the notebook with this number."""
        entries = _json(await self.ask(f"/user/{self.name}/api/contents/notebooks"))["content"]
        return min(entry["name"] for entry in entries if entry["name"].startswith(number))

    async def type_and_save(self, name):
        """Put a sentence of one's own into the notebook and save it."""
        content = await self.notebook(name)
        cell = next(cell for cell in content["cells"] if cell["source"].startswith("sentence ="))
        cell["source"] += f'\nsentence = "{TYPED}"'
        answer = await self.ask(f"/user/{self.name}/api/contents/notebooks/{name}", "PUT",
                                {"type": "notebook", "content": content})
        assert answer.code == 200, answer.body

    async def open_kernel(self):
        """Start a kernel and return its connection."""
        kernel = _json(await self.ask(f"/user/{self.name}/api/kernels", "POST",
                                      {"name": "python3", "path": "notebooks"}))
        address = f"ws{self.hub[4:]}/user/{self.name}/api/kernels/{kernel['id']}/channels"
        request = tornado.httpclient.HTTPRequest(address, headers={"Authorization": f"token {self.token}"})
        return await tornado.websocket.websocket_connect(request, max_message_size=1 << 28)

    async def run(self, connection, source):
        """Run a cell; return whether it showed a picture. Its seconds and failures are kept."""
        message, start, picture = uuid.uuid4().hex, time.monotonic(), False
        header = {"msg_id": message, "msg_type": "execute_request", "session": message, "username": "",
                  "version": "5.3"}
        await connection.write_message(json.dumps({
            "header": header, "parent_header": {}, "metadata": {}, "channel": "shell", "buffers": [],
            "content": {"code": source, "silent": False, "store_history": True, "user_expressions": {},
                        "allow_stdin": False, "stop_on_error": False}}))
        while True:
            answer = await asyncio.wait_for(connection.read_message(), PATIENCE)
            if answer is None:
                self.failures.append("the connection ended")
                return picture
            answer = json.loads(answer)
            if answer["parent_header"].get("msg_id") != message:
                continue
            kind, content = answer["msg_type"], answer["content"]
            if kind == "error":
                self.failures.append(f"{content['ename']}: {content['evalue']}")
            picture = picture or (kind in ("display_data", "execute_result")
                                  and bool({"image/png", "image/svg+xml"} & set(content["data"])
                                           or "<img" in content["data"].get("text/html", "")))
            if kind == "status" and content["execution_state"] == "idle":
                self.seconds.append(time.monotonic() - start)
                return picture

    async def hour(self):
        """Do what a learner does in the first hour, without the pauses."""
        begin = time.monotonic()
        await self.log_in()
        await self.start()
        first, second = await self.find("00"), await self.find("02")
        await self.type_and_save(first)
        kernel = await self.open_kernel()
        for source in _sources(await self.notebook(first)):
            if await self.run(kernel, source):
                self.first_picture = time.monotonic() - begin
                break
        kernel.close()
        kernel = await self.open_kernel()
        for source in _sources(await self.notebook(second)):
            await self.run(kernel, source)
        kernel.close()


def _sources(notebook):
    return [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _cookies(page):
    return dict(re.match(r"([^=;]+)=([^;]*)", line).groups() for line in page.headers.get_list("Set-Cookie"))


def _joined(cookies):
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def _json(page):
    assert page.code < 300, (page.code, page.body[:300])
    return json.loads(page.body)


def start_hub(folder, port):
    """Start the class and return its process once it answers."""
    with open(folder / "log", "a") as log:
        command = [sys.executable, "-m", "tools.classroom", "--port", str(port), "--password", PASSWORD]
        process = subprocess.Popen([*command, "--folder", folder], cwd=ROOT, stdout=log, stderr=log)
    for _ in range(PATIENCE * 2):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/hub/login"):
            return process
        if process.poll() is not None:
            break
        time.sleep(0.5)
    raise SystemExit((folder / "log").read_text()[-2000:])


def processes():
    """Yield (pid, environment) of the processes that a hub started for learners."""
    for entry in pathlib.Path("/proc").iterdir():
        try:
            variables = (entry / "environ").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        for variable in variables:
            if variable.startswith(b"JUPYTERHUB_USER="):
                yield int(entry.name), variable.partition(b"=")[2].decode()


def megabytes():
    """Return {learner: megabytes of server and kernels}, pages shared by processes divided among them."""
    found = {}
    for pid, name in processes():
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        found[name] = found.get(name, 0) + int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1]) / 1024
    return found


async def lesson(number, hub):
    """Let a number of learners do their hour at once; print what it took."""
    learners = [Learner(f"learner{n:02d}", hub) for n in range(number)]
    begin = time.monotonic()
    outcomes = await asyncio.gather(*(each.hour() for each in learners), return_exceptions=True)
    failed = [f"{type(outcome).__name__}: {outcome}" for outcome in outcomes if outcome is not None]
    failures = failed + [failure for each in learners for failure in each.failures]
    seconds = sorted(second for each in learners for second in each.seconds) or [0]
    pictures = sorted(each.first_picture for each in learners)
    memory = list(megabytes().values()) or [0]
    late = seconds[int(0.95 * (len(seconds) - 1))]
    print(f"{number:>8} {sum(memory) / len(memory):>12.0f} {pictures[number // 2]:>22.1f}, "
          f"{pictures[-1]:>6.1f} "
          f"{late:>13.2f} {len(failures):>9} {time.monotonic() - begin:>8.0f}", flush=True)
    for failure in failures[:5]:
        print("   ", failure)
    return learners


async def loss(learners, hub, folder, port, process):
    """Kill a learner's server in mid-run and restart the hub; say what is still there."""
    one = learners[0]
    kernel = await one.open_kernel()
    running = asyncio.ensure_future(one.run(kernel, "import time; time.sleep(30)"))
    await asyncio.sleep(1)
    for pid, name in list(processes()):
        if name == one.name:
            os.kill(pid, signal.SIGKILL)
    running.cancel()
    end_hub(process)
    process = start_hub(folder, port)
    again = Learner(one.name, hub)
    await again.log_in()
    await again.start()
    kept = TYPED in json.dumps(await again.notebook(await again.find("00")))
    print(f"killed in mid-run, hub restarted: what was saved is {'there' if kept else 'LOST'}")
    return process


def end_hub(process):
    """End the class as Ctrl-C does and wait for it."""
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE)


def main(numbers):
    """Measure one number of learners after the other, each with a fresh class."""
    tornado.httpclient.AsyncHTTPClient.configure(None, max_clients=200)  # nobody waits in a queue of ours
    print("learners  MB / learner  1st picture: median, last [s]  p95 cell [s]  failures  all [s]")
    for place, number in enumerate(numbers):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            if (ROOT / "class" / "proxy").is_dir():
                (folder / "proxy").symlink_to(ROOT / "class" / "proxy")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            process, hub = start_hub(folder, port), f"http://127.0.0.1:{port}"
            try:
                learners = asyncio.run(lesson(number, hub))
                if place == len(numbers) - 1:
                    process = asyncio.run(loss(learners, hub, folder, port, process))
            finally:
                end_hub(process)
            left = list(processes())
            print(f"         after the end {len(left)} processes of learners are left")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [1, 4])
