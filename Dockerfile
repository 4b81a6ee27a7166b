# One image for every component of Airflow: api-server, scheduler, dag-processor, triggerer and workers.
#
#   docker build -t pv-testing .
#   docker run --rm pv-testing python -m pv_testing check
#
# Every component needs the same metadata database, AIRFLOW__CORE__FERNET_KEY, AIRFLOW__API_AUTH__JWT_SECRET and
# connections (AIRFLOW_CONN_PV_FRAMEWORK and so on for lims, qms, pm, erp and ledger, or a secrets backend).
FROM apache/airflow:3.3.2-python3.12

COPY --chown=airflow:0 requirements.txt constraints.txt /opt/airflow/
RUN pip install --no-cache-dir -r /opt/airflow/requirements.txt -c /opt/airflow/constraints.txt

COPY --chown=airflow:0 config /opt/airflow/config
COPY --chown=airflow:0 include /opt/airflow/include
COPY --chown=airflow:0 plugins /opt/airflow/plugins
COPY --chown=airflow:0 dags /opt/airflow/dags

# The connection types are found through plugins/*.dist-info, which every process must have on its path from its start.
ENV PYTHONPATH=/opt/airflow/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False
