"""One mapped task a sample, as many projects begin; ``BENCH_RECORDS`` says how many."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.sdk import dag, task


@dag(dag_id="bench_mapped", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=timezone.utc))
def bench_mapped() -> None:
    """Send samples with one mapped task each."""

    @task
    def bodies() -> list[str]:
        from tests.bench.creation import payloads

        return [body.decode() for body in payloads(int(os.environ["BENCH_RECORDS"]))]

    @task
    def send(body: str) -> str:
        from airflow.providers.http.hooks.http import HttpHook

        hook = HttpHook(method="POST", http_conn_id="bench")
        return str(hook.run("samples", data=body, headers={"Content-Type": "application/json"}).json()["id"])

    send.expand(body=bodies())


made = bench_mapped()
