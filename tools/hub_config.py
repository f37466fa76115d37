"""What JupyterHub reads: one class password, a process and a home per learner, all inside on 127.0.0.1."""

import json
import os
import pathlib
import sys

from tools.hand_out import hand_out

given = json.loads(os.environ["MOEVIZ_CLASS"])
folder = pathlib.Path(given["folder"])
root = pathlib.Path(__file__).resolve().parent.parent
hub_port, api_port = given["ports"]

c = get_config()  # noqa: F821  JupyterHub defines it
c.JupyterHub.bind_url = f"{'https' if given['certificate'] else 'http'}://{given['host']}:{given['port']}"
c.JupyterHub.ssl_cert, c.JupyterHub.ssl_key = given["certificate"], given["key"]
c.JupyterHub.hub_ip, c.JupyterHub.hub_port = "127.0.0.1", hub_port
c.ConfigurableHTTPProxy.command = [
    given["node"], str(folder / "proxy" / "node_modules" / ".bin" / "configurable-http-proxy")]
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{api_port}"
c.JupyterHub.db_url = f"sqlite:///{folder / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(folder / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(folder / "proxy.pid")
c.JupyterHub.log_level = "WARN"

c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = given["password"]
c.SharedPasswordAuthenticator.allow_all = True
c.Authenticator.username_pattern = r"\w[\w -]{0,30}"  # becomes the name of a folder

c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(folder / "learners" / "{username}")
c.Spawner.ip = "127.0.0.1"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = [f"--LabApp.app_settings_dir={folder / 'lab'}",
                  *(["--allow-root"] if os.geteuid() == 0 else [])]  # in containers often nobody else is
c.Spawner.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
c.Spawner.environment = {"JUPYTER_PATH": str(folder / "jupyter"),
                         "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
c.Spawner.start_timeout = c.Spawner.http_timeout = 300  # thirty at once on two cores take their time
c.JupyterHub.concurrent_spawn_limit = 60  # whoever came after the eighth would see an error page


def give_notebooks(spawner):
    """Hand out the notebooks before a learner's server starts."""
    hand_out(root / "notebooks", folder / "learners" / spawner.user.name, update=given["update"])


c.Spawner.pre_spawn_hook = give_notebooks

# the learners' kernel is the course's, with a limit on its memory
kernel = folder / "jupyter" / "kernels" / "python3" / "kernel.json"
kernel.parent.mkdir(parents=True, exist_ok=True)
kernel.write_text(json.dumps({
    "argv": [sys.executable, "-P", str(root / "tools" / "limited.py"), str(given["memory"]),
             "ipykernel_launcher", "-f", "{connection_file}"],
    "display_name": "Python 3 (ipykernel)", "language": "python"}), encoding="utf-8")
# no news over the first notebook; what was typed is on the disk after ten seconds
settings = folder / "lab" / "overrides.json"
settings.parent.mkdir(exist_ok=True)
settings.write_text(json.dumps({
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"autosaveInterval": 10}}), encoding="utf-8")

c.JupyterHub.load_roles = [{"name": "idle", "services": ["idle"], "scopes": [
    "list:users", "read:users:activity", "read:servers", "delete:servers"]}]
c.JupyterHub.services = [{"name": "idle", "command": [
    sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={given['idle'] * 60}"]}]
