# One image for every component of Airflow: api-server, scheduler, dag-processor, triggerer and workers.
#
#   docker build --target product -t pv-testing .
#   docker run --rm pv-testing python -m pv_testing check
#
# compose.yaml and deploy/values.yaml use it; docs/production.md leads through both. Every component needs the same
# metadata database, keys and connections. It runs as the user airflow (50000), or as any other user of group 0.
#
# The slim image has Airflow alone, without the providers of the full one. Pin it for production, so that the same build
# gives the same image:
#
#   docker buildx imagetools inspect apache/airflow:slim-3.3.2-python3.12 --format '{{.Manifest.Digest}}'
#   docker build --target product --build-arg AIRFLOW_IMAGE=apache/airflow@sha256:… -t pv-testing .
ARG AIRFLOW_IMAGE=apache/airflow:slim-3.3.2-python3.12

FROM ${AIRFLOW_IMAGE} AS product

COPY --chown=airflow:0 requirements.txt requirements-cluster.txt constraints.txt /opt/airflow/
RUN pip install --no-cache-dir -r /opt/airflow/requirements.txt -r /opt/airflow/requirements-cluster.txt \
      -c /opt/airflow/constraints.txt

COPY --chown=airflow:0 config /opt/airflow/config
COPY --chown=airflow:0 include /opt/airflow/include
COPY --chown=airflow:0 plugins /opt/airflow/plugins
COPY --chown=airflow:0 dags /opt/airflow/dags

# The connection types are found through plugins/*.dist-info, which every process must have on its path from its start.
ENV PYTHONPATH=/opt/airflow/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False

USER airflow

# The systems of a laboratory to try it with; never part of the product's image.
FROM product AS sandbox

COPY --chown=airflow:0 requirements-dev.txt /opt/airflow/
RUN grep '^httptools' /opt/airflow/requirements-dev.txt > /tmp/sandbox.txt \
    && pip install --no-cache-dir -r /tmp/sandbox.txt -c /opt/airflow/constraints.txt \
    && mkdir --mode=775 /opt/airflow/sandbox-data
COPY --chown=airflow:0 sandbox /opt/airflow/sandbox
ENV PYTHONPATH=/opt/airflow:/opt/airflow/plugins

# What `docker build` makes without --target.
FROM product
