"""Flows as OpenLineage's datasets and facets; imported only where OpenLineage is on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from airflow.providers.openlineage import conf
from airflow.providers.openlineage.extractors import OperatorLineage
from airflow.providers.openlineage.extractors.manager import ExtractorManager
from openlineage.client.event_v2 import Dataset, InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    column_lineage_dataset,
    data_quality_assertions_dataset,
    data_quality_metrics_dataset,
    documentation_dataset,
    job_dependencies_run,
    output_statistics_output_dataset,
    ownership_dataset,
    schema_dataset,
)

from hooks.assets import SCHEME
from pv_testing.domain.datasets import ABOUT
from pv_testing.lineage import Column, ColumnSource, Flow

Facets = dict[str, Any]


def operator_lineage(task: Any, flows: Sequence[Flow]) -> OperatorLineage[Any, Any]:
    """Return what OpenLineage is told of a task.

    Args:
        task: the operator.
        flows: what it has carried.
    """
    inputs, outputs = datasets(flows, task.owner)
    return OperatorLineage(
        inputs=with_assets(inputs, task.inlets, InputDataset, task.owner),
        outputs=with_assets(outputs, task.outlets, OutputDataset, task.owner),
        run_facets={"jobDependencies": dependencies(task)},
    )


def datasets(flows: Sequence[Flow], owner: str) -> tuple[list[InputDataset], list[OutputDataset]]:
    """Return the datasets that some flows read and write, with all that is known of them.

    Args:
        flows: what was carried.
        owner: of the datasets; empty where there is none.
    """
    inputs: dict[str, list[str]] = {}
    quality: dict[str, list[data_quality_assertions_dataset.Assertion]] = {}
    for flow in flows:
        for place, (dataset, names) in enumerate(flow.read().items()):
            inputs.setdefault(dataset, []).extend(names)
            if place == 0:
                quality.setdefault(dataset, []).extend(assertions(flow))
    return (
        [_input(dataset, names, quality.get(dataset, []), owner) for dataset, names in inputs.items()],
        [_output(flow, owner) for flow in flows],
    )


def with_assets(known: Sequence[Dataset], assets: Iterable[Any], of: type[Any], owner: str) -> list[Any]:
    """Return datasets, and those of a task's inlets or outlets that are not among them.

    Args:
        known: datasets.
        assets: inlets or outlets.
        of: what they are made to be.
        owner: of the datasets.
    """
    by_name = {(dataset.namespace, dataset.name): dataset for dataset in known}
    for asset in assets:
        dataset = ExtractorManager.convert_to_ol_dataset(asset)
        if dataset is not None and (dataset.namespace, dataset.name) not in by_name:
            facets = _about(f"{dataset.namespace.removeprefix(SCHEME)}/{dataset.name}", owner)
            made = of(namespace=dataset.namespace, name=dataset.name, facets={**facets, **(dataset.facets or {})})
            by_name[dataset.namespace, dataset.name] = made
    return list(by_name.values())


def dependencies(task: Any) -> job_dependencies_run.JobDependenciesRunFacet:
    """Return which tasks come before and after a task.

    Args:
        task: the operator.
    """

    def jobs(names: Iterable[str]) -> list[job_dependencies_run.JobDependency]:
        job = job_dependencies_run.JobIdentifier
        named = [job(namespace=conf.namespace(), name=f"{task.dag_id}.{name}") for name in sorted(names)]
        return [job_dependencies_run.JobDependency(job=each, dependency_type="DIRECT_INVOCATION") for each in named]

    return job_dependencies_run.JobDependenciesRunFacet(
        upstream=jobs(task.upstream_task_ids),
        downstream=jobs(task.downstream_task_ids),
        trigger_rule=str(getattr(task.trigger_rule, "value", task.trigger_rule)).upper(),
    )


def assertions(flow: Flow) -> list[data_quality_assertions_dataset.Assertion]:
    """Return whether each record that was read is in effect where it goes, and how many are not, by reason.

    Args:
        flow: what was carried.
    """
    assertion = data_quality_assertions_dataset.Assertion
    all_in_effect = assertion(
        assertion="every_record_in_effect",
        name=flow.dataset,
        success=not flow.waiting,
        severity="error",
        expected=str(flow.in_effect + flow.waiting),
        actual=str(flow.in_effect),
    )
    waiting = [
        assertion(
            assertion="no_record_waits",
            name=f"{flow.dataset} {code}",
            success=False,
            severity="error",
            expected="0",
            actual=str(number),
        )
        for code, number in sorted(flow.reasons.items())
    ]
    return [all_in_effect, *waiting]


def _input(
    dataset: str, names: Iterable[str], quality: list[data_quality_assertions_dataset.Assertion], owner: str
) -> InputDataset:
    columns = [Column(name) for name in dict.fromkeys(names)]
    facet = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet
    return InputDataset(
        **_named(dataset),
        facets={**_about(dataset, owner), "schema": _schema(columns)},
        inputFacets={"dataQualityAssertions": facet(assertions=quality)} if quality else {},
    )


def _output(flow: Flow, owner: str) -> OutputDataset:
    facets = _about(flow.dataset, owner, flow.contracts)
    metrics = data_quality_metrics_dataset.DataQualityMetricsDatasetFacet
    lineage = {column.name: _field(column) for column in flow.columns if column.sources}
    facets["dataQualityMetrics"] = metrics(columnMetrics={}, rowCount=flow.in_effect + flow.waiting)
    if flow.columns:
        facets["schema"] = _schema(flow.columns)
    if lineage:
        facets["columnLineage"] = column_lineage_dataset.ColumnLineageDatasetFacet(fields=lineage)
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
    return OutputDataset(
        **_named(flow.dataset),
        facets=facets,
        outputFacets={"outputStatistics": statistics(rowCount=flow.written, size=flow.size)},
    )


def _named(dataset: str) -> dict[str, str]:
    system, _, name = dataset.partition("/")
    return {"namespace": f"{SCHEME}{system}", "name": name}


def _about(dataset: str, owner: str, contracts: Sequence[str] = ()) -> Facets:
    known = next((text for name, text in ABOUT.items() if dataset == name or dataset.startswith(f"{name}/")), "")
    by = f"as the contract {' and '.join(contracts)} says" if contracts else ""
    description = "; ".join(part for part in (known, by) if part)
    facets: Facets = {}
    if description:
        facets["documentation"] = documentation_dataset.DocumentationDatasetFacet(description=description)
    if owner:
        facets["ownership"] = ownership_dataset.OwnershipDatasetFacet(owners=[ownership_dataset.Owner(name=owner)])
    return facets


def _schema(columns: Iterable[Column]) -> schema_dataset.SchemaDatasetFacet:
    field = schema_dataset.SchemaDatasetFacetFields
    return schema_dataset.SchemaDatasetFacet(
        fields=[field(name=c.name, type=c.type or None, description=c.description or None) for c in columns]
    )


def _field(column: Column) -> column_lineage_dataset.Fields:
    inputs: dict[tuple[str, str], list[ColumnSource]] = {}
    for source in column.sources:
        inputs.setdefault((source.dataset, source.column), []).append(source)
    return column_lineage_dataset.Fields(
        inputFields=[
            column_lineage_dataset.InputField(
                **_named(dataset), field=name, transformations=[_transformation(source) for source in sources]
            )
            for (dataset, name), sources in inputs.items()
        ]
    )


def _transformation(source: ColumnSource) -> column_lineage_dataset.Transformation:
    return column_lineage_dataset.Transformation(
        type=source.type, subtype=source.subtype, description=source.description or None, masking=False
    )
