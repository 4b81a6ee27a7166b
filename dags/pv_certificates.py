"""Certificates of approved service requests are asked for, awaited and filed.

On demand, with a service request in `sr` or for all that are approved: the LIMS is asked for the certificate of each of
their samples, once; a trigger waits until all are made, without a worker; then they are filed in the store of files
that the option `file_store` of the LIMS names, in the folder `certificates`, with their SHA-256 in the audit trail.

| task | does |
| --- | --- |
| `request_certificates` | asks for what was never asked for; skipped where the LIMS makes none or all are filed |
| `wait_for_certificates` | waits, for a week at the most |
| `file_certificates` | downloads and files them |

**A red task** names the certificate and why: the LIMS refuses a sample that isn't approved there; it has given a
certificate up; or the answer to a request was lost, so that it may have been made: look in the LIMS, then run with
`replay`, which asks for another one. Parameters: a service request, a dry run that changes nothing, a replay.
"""

from __future__ import annotations

from airflow.sdk import DAG

from operators.files import FileCertificatesOperator, RequestCertificatesOperator
from operators.wiring import (
    CERTIFICATE_REQUESTS,
    CERTIFICATES,
    DEFAULT_ARGS,
    FLAGS,
    PARAMS,
    SAMPLES,
    SERVICE_REQUESTS,
    START,
)
from sensors.certificates import WaitForCertificates

with DAG(
    dag_id="pv_certificates",
    description="Certificates of approved service requests are asked for, awaited and filed",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    params=PARAMS,
    tags=["pv", "lims"],
):
    requested = RequestCertificatesOperator(
        task_id="request_certificates",
        inlets=[SERVICE_REQUESTS, SAMPLES],
        outlets=[CERTIFICATE_REQUESTS],
        **FLAGS,
    )
    made = WaitForCertificates(
        task_id="wait_for_certificates", certificates=requested.output, inlets=[CERTIFICATE_REQUESTS]
    )
    made >> FileCertificatesOperator(
        task_id="file_certificates",
        certificates=requested.output,
        inlets=[CERTIFICATE_REQUESTS],
        outlets=[CERTIFICATES],
    )
