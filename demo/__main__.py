"""``python -m demo``: run a laboratory and Airflow on this machine, and carry a service request through them."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any

from demo import airflow, laboratory, lineage, outside, products
from demo.processes import Components, DemoError, free_port
from demo.reports import say
from demo.story import Story
from sandbox.closing import closing

PREFERRED_PORT = 8080
WEAK = "PVTP-018"  # so many modules fail thermal cycling that a CAPA is due
HOME = airflow.PROJECT / ".run"
EVENTS = HOME / "lineage.ndjson"


def main() -> int:
    """Run the demo and return the exit status."""
    options = _arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    HOME.mkdir(exist_ok=True)
    with (HOME / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(f"Another demo is running in {airflow.PROJECT}; stop it first.")
            return 1
        try:
            return _run(options)
        except DemoError as error:
            say(f"\n{error}")
            return 1
        except KeyboardInterrupt:
            say("\nStopped.")
            return 130


def _run(options: argparse.Namespace) -> int:
    started = time.monotonic()
    port = free_port(options.port or PREFERRED_PORT, fixed=bool(options.port))
    for state in ("airflow", "sandbox", "logs", "outside", "products"):
        shutil.rmtree(HOME / state, ignore_errors=True)
    EVENTS.unlink(missing_ok=True)
    with contextlib.ExitStack() as stack, Components(HOME / "logs") as components:
        say(f"A laboratory and Airflow on this machine; all that they write lies in {HOME}")
        chosen = {system: getattr(options, system) for system in products.SYSTEMS}
        installed = products.start(chosen, HOME / "products", stack)
        story, around, setting = _open(options, port, components, installed)
        say(f"  airflow    {setting.url} (after {time.monotonic() - started:.0f} s)\n")
        wrong = _tell(story, around, setting, options)
        for complaint in wrong:
            say(f"WRONG: {complaint}")
        say(f"Done after {time.monotonic() - started:.0f} s.")
        if options.stay if options.stay is not None else sys.stdout.isatty():
            _stay(setting, components)
    return 1 if wrong else 0


def _open(
    options: argparse.Namespace, port: int, components: Components, installed: products.Products
) -> tuple[Story, outside.Outside, airflow.AirflowSetting]:
    size = ("--requests", str(options.requests), "--modules", str(options.modules))
    lab = laboratory.start(HOME / "sandbox", components, "--seed-on-start", "--weak", WEAK, *size)
    around = outside.start(HOME / "outside", lab, components)
    for system in lab.origins:
        stand_in = installed.stand_ins.get(system)
        say(f"  {system:<10} {lab.url(system) if stand_in is None else _place_of(stand_in.section)}")
    say(f"  receiver   {around.url}")
    extra = {
        "PV_SYNC_INTERVAL": "0",
        **around.environment(installed.sections()),
        **installed.variables(),
        **(lineage.environment(EVENTS) if options.lineage else {}),
    }
    connections = {**laboratory.connections(lab), **around.connections()}
    for system in installed.stand_ins:
        del connections[f"pv_{system}"]
    setting = airflow.AirflowSetting(HOME / "airflow", port, connections, extra)
    api = airflow.start(setting, components)
    api.log_in()
    around.introduce(setting.url)
    return Story(lab, api, components, installed), around, setting


def _tell(
    story: Story, around: outside.Outside, setting: airflow.AirflowSetting, options: argparse.Namespace
) -> list[str]:
    """Tell the story and repeat it; return what is wrong."""
    story.wait_for_dags("demo_export")
    story.run("pv_webhooks", "the receiver's connection is registered")
    say(f"     the framework tells of {around.announce()} new service request(s), each event twice")
    story.follow("pv_intake")
    story.carry_on()
    story.run("pv_webhooks", "the receiver hears of what was done")
    numbers = [request["sr_number"] for request in story.lab.service_requests()]
    story.run("demo_export", "the results become a workbook", service_requests=numbers, folder=str(around.exports))
    tallies = around.tallies(
        closing(story.lab, story.products.stand_ins), f"sqlite:///{setting.home / 'pv_ledger.sqlite'}"
    )
    told = lineage.Lineage(EVENTS) if options.lineage else None
    wrong = story.judge(*tallies, *([told.tally()] if told else []))
    if told:
        say("\n" + "\n".join(told.path()))
        wrong += told.wrong()
    say("\nEverything a second time:\n")
    heard = len(around.received())
    written = [f"{each['method']} {each['path']}" for each in story.repeat()]
    written += [f"{len(around.received()) - heard} events to the receiver"] if len(around.received()) > heard else []
    if not written:
        say("\nThe second time wrote nothing to any system.")
    return [*wrong, *(f"the second time wrote: {each}" for each in written)]


def _place_of(section: Mapping[str, Any]) -> str:
    """Return where a product is: its address, or its store of files."""
    place = section.get("base_url") or section.get("options", {}).get("file_store", "")
    return f"{section['provider']}, {place}"


def _stay(setting: airflow.AirflowSetting, components: Components) -> None:
    say(f"\nThe UI stays at {setting.url} until Ctrl-C. Here a DAG runs when triggered, in production by schedule.")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            components.check()
            time.sleep(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help=f"of the UI; {PREFERRED_PORT} or the next free one else")
    parser.add_argument("--requests", type=int, default=1, help="service requests")
    parser.add_argument("--modules", type=int, default=12, help="modules of each")
    parser.add_argument(
        "--lineage", action="store_true", help=f"write OpenLineage's events to {EVENTS.name}, validate and count them"
    )
    products.add_arguments(parser)
    stay = parser.add_mutually_exclusive_group()
    stay.add_argument("--stay", action="store_true", default=None, help="keep the UI up; the default in a terminal")
    stay.add_argument("--leave", dest="stay", action="store_false", help="stop everything at the end; the default else")
    return parser.parse_args()


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # a second one would leave components behind
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
